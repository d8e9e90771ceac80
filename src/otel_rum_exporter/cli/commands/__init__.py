"""The commands of `otel-rum`, one module each."""
