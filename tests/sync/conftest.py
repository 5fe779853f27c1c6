"""Fixtures of several files: what has just been enrolled, and kiosks whose keys are due for renewal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.sync.renewal import due_s
from tests.sync import disk_world
from tests.sync.renewal_world import World, Worlds, copied


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An enrolled kiosk and its backend."""
    folder = tmp_path_factory.mktemp("world") / "enrolled"
    world = World(folder)
    with pytest.MonkeyPatch.context() as patched:
        world.enrol(patched)
    world.close()
    return folder


@pytest.fixture(scope="session")
def enrolled_disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with the kiosk's whole disk."""
    return disk_world.enrolled(tmp_path_factory.mktemp("disk"))


@pytest.fixture
def worlds(template: Path, tmp_path: Path) -> Iterator[Worlds]:
    """As many worlds as a test needs, each at the moment when its kiosk's keys are due."""
    made: list[World] = []

    def make() -> World:
        if made:
            made[-1].close()
        world = copied(template, tmp_path / str(len(made)))
        made.append(world)
        world.restart()
        world.clock.now_s = float(due_s(world.credentials.current))
        return world

    yield make
    if made:
        made[-1].close()


@pytest.fixture
def world(worlds: Worlds) -> World:
    return worlds()
