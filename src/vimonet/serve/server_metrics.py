"""Count what the server does, for Prometheus; no label holds what a client sent."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector

_SECONDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 60.0, 120.0)


class Metrics:
    """Hold the metrics of one server, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter(
            "vimonet_requests", "Requests by route and status", ["route", "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "vimonet_request_seconds", "Time of a request", ["route"], buckets=_SECONDS, registry=self.registry
        )
        self.places = Gauge("vimonet_places_taken", "Requests that are being handled", registry=self.registry)
        self.waiting = Gauge("vimonet_questions_waiting", "Questions that wait for the model", registry=self.registry)
        self.batches = Histogram(
            "vimonet_batch_questions",
            "Questions answered in one pass of the model",
            buckets=(1, 2, 4, 8, 16, 32),
            registry=self.registry,
        )
        self.model_seconds = Histogram(
            "vimonet_model_seconds", "Time of one pass of the model", buckets=_SECONDS, registry=self.registry
        )
        self.reading_seconds = Histogram(
            "vimonet_reading_seconds", "Time to read one recording", buckets=_SECONDS, registry=self.registry
        )
        self.tokens = Counter("vimonet_tokens", "Tokens read and written", ["kind"], registry=self.registry)
        self.files = Gauge("vimonet_files", "Uploads that are held", registry=self.registry)

    def count_request(self, route: str, status: int, seconds: float) -> None:
        """Count a request that has ended."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """Write all metrics in Prometheus's text format."""
        return generate_latest(self.registry)
