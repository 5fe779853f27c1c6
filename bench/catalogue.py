"""Every bench by name. Each runs in a process of its own: Qt, PC/SC and memory must not meet what another left."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Final

from bench.figures import Figure

Bench = Callable[[int], list[Figure]]
"""Takes how many rounds to measure."""


def _named(module: str, *what: str, **options: bool) -> Bench:
    def run(rounds: int) -> list[Figure]:
        measured: list[Figure] = import_module(f"bench.{module}").figures(*what, rounds, **options)
        return measured  # imported as late as this: each needs other libraries

    return run


BENCHES: Final[Mapping[str, tuple[Bench, int]]] = MappingProxyType(
    {
        "reading": (_named("reading"), 9),
        "wakeup": (_named("wakeup"), 9),
        "relay-embedded": (_named("relay", "embedded"), 101),
        "relay-memory": (_named("relay", "embedded", in_memory=True), 101),
        "relay-pcsc": (_named("relay", "pcsc"), 31),
        "exchanged": (_named("exchanged"), 1),
        "duration": (_named("duration"), 31),
        "cold-start": (_named("cold_start"), 9),
        "memory": (_named("memory"), 1),
        "signature": (_named("signature"), 21),
        "store": (_named("store"), 51),
        "backend-sqlite": (_named("backend", "sqlite"), 7),
        "backend-postgresql": (_named("backend", "postgresql"), 7),
        "outbox": (_named("outbox"), 200),
        "relay-beside-upload": (_named("relay_beside_upload"), 12),
    }
)
"""Each with its number of rounds."""
