"""Delivers events to RUM: queue, rate limit, retries and storage. Independent of spans."""
