"""Metrics that come in (OTLP/HTTP), as far as they say what models cost. All else in them is skipped, not kept."""
