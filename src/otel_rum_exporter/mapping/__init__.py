"""Spans and log records to RUM events: pure, without clock, randomness, environment or I/O."""
