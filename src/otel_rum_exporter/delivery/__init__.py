"""Events to RUM: queue, rate, retries and storage. Knows no spans."""
