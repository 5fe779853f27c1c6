"""What the backend counts, in the Prometheus text format. Labels are closed words: never a kiosk, a card or a person.

With several processes each keeps its numbers in files of the directory that `PROMETHEUS_MULTIPROC_DIR` named before
this module was imported, and whichever is asked adds them up.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from kiosk.sync import profile

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
MULTIPROCESS_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
DURATION_BUCKETS_S: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)
GROUP_BUCKETS: Final = (1, 2, 4, 8, 16, 32, 64)
STORED: Final[Mapping[str, str]] = {
    "certificates_near_expiry": "Kiosks whose newest client certificate is in the last third of its life",
    "certificates_expired": "Kiosks whose newest client certificate has ended",
    "kiosks": "Kiosks that have ever had a ticket",
    "kiosks_with_alarm": "Kiosks about which an alarm was ever raised",
    "kiosks_in_quarantine": "Kiosks of which some function is closed",
}
GIVEN: Final[Mapping[str, str]] = {
    **STORED,
    "server_certificate_end_seconds": "When the TLS certificate ends that this process shows, in seconds since 1970",
}
ELSEWHERE: Final = "other"
"""Label of a path that is no route: whatever a stranger asks for must not become a label."""


class Metrics:
    """The numbers of one process, on a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._found: dict[tuple[str, int, str], tuple[Counter, Histogram]] = {}
        self._requests = Counter(
            "kiosk_backend_requests_total",
            "Requests on the signed listener; reason is empty when done",
            ("route", "status", "reason"),
            registry=self._registry,
        )
        self._duration_s = Histogram(
            "kiosk_backend_request_seconds",
            "Time of a proven request, from its head to its signed answer",
            ("route",),
            buckets=DURATION_BUCKETS_S,
            registry=self._registry,
        )
        self._dropped = Counter(
            "kiosk_backend_dropped_total",
            "Connections ended below the application: over a limit, of wrong form or too slow",
            ("reason",),
            registry=self._registry,
        )
        self._issued = Counter(
            "kiosk_backend_certificates_total",
            "Certificates asked for: what for (enrolled, renewed), and the status of the answer",
            ("fact", "status"),
            registry=self._registry,
        )
        self._queue = Gauge(
            "kiosk_backend_queue_depth",
            "Pieces of work that wait for the database",
            registry=self._registry,
            multiprocess_mode="livesum",
        )
        self._groups = Histogram(
            "kiosk_backend_group_size",
            "Pieces of work in one transaction",
            buckets=GROUP_BUCKETS,
            registry=self._registry,
        )

    def done(self, route: str, status: int, reason: str, duration_s: float) -> None:
        """A proven request was answered; `reason` of a signed refusal, or empty."""
        found = self._found.get((route, status, reason))
        if found is None:  # looking a label up costs more than counting
            found = self._requests.labels(route, str(status), reason), self._duration_s.labels(route)
            self._found[route, status, reason] = found
        count, duration = found
        count.inc()
        duration.observe(duration_s)

    def refused(self, path: str, status: int, reason: str) -> None:
        """A request was refused unsigned."""
        self._requests.labels(path if path in profile.ROUTES else ELSEWHERE, str(status), reason).inc()

    def dropped(self, reason: str) -> None:
        """A connection was ended before any application saw a request."""
        self._dropped.labels(reason).inc()

    def issued(self, fact: str, status: int) -> None:
        """A certificate was asked for, by ticket (`enrolled`) or by an older key (`renewed`)."""
        self._issued.labels(fact, str(status)).inc()

    def group(self, size: int, waiting: int) -> None:
        """One transaction takes so many pieces of work, and so many wait for the next."""
        self._groups.observe(size)
        self._queue.set(waiting)

    def text(self, given: Mapping[str, int]) -> bytes:
        """Everything, of all processes. `given`: a name of `GIVEN` each."""
        registry = self._registry
        if MULTIPROCESS_VARIABLE in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library leaves it untyped
        not_counted = CollectorRegistry()
        not_counted.register(_Given(given))
        return generate_latest(registry) + generate_latest(not_counted)


class _Given:
    """Numbers that are the same in every process: given, not counted, so kept in no process's file."""

    def __init__(self, given: Mapping[str, int]) -> None:
        self._given = given

    def collect(self) -> Iterator[Metric]:
        """One gauge each."""
        for name, value in self._given.items():
            yield GaugeMetricFamily(f"kiosk_backend_{name}", GIVEN[name], value=value)


def forget_process(pid: int) -> None:
    """A worker has ended: its live gauges no longer count."""
    if MULTIPROCESS_VARIABLE in os.environ:
        mark_process_dead(pid)  # type: ignore[no-untyped-call]  # the library leaves it untyped
