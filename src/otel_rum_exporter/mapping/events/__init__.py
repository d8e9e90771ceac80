"""Spans as RUM events: one ordered table of rules, and one module for each family of events."""
