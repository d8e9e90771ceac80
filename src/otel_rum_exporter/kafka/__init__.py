"""OTLP from Kafka to RUM, as a consumer group: `otel-rum kafka`."""
