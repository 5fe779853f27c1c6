"""A tree of processes: its processor time, those that have ended included, its memory, its end."""

from __future__ import annotations

from contextlib import suppress

import psutil


def cpu_s(pid: int) -> float:
    """User and system seconds of the process, of its living descendants and of those it has buried; 0 if it is gone."""
    try:
        process = psutil.Process(pid)
        total = sum(process.cpu_times()[:4])  # user, system, and both of the children that were waited for
        for child in process.children():
            total += cpu_s(child.pid)
    except psutil.NoSuchProcess:
        return 0.0
    return float(total)


def rss_bytes(pid: int) -> int:
    """Resident memory of the process and its living descendants; shared pages are counted for each."""
    try:
        process = psutil.Process(pid)
        return int(process.memory_info().rss) + sum(rss_bytes(child.pid) for child in process.children())
    except psutil.NoSuchProcess:
        return 0


def kill_tree(pid: int) -> None:
    """SIGKILL for the process and all that live below it: the power has gone for each, none can tidy up for another."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        tree = [process, *process.children(recursive=True)]
        for one in tree:  # the parent first: it would start others in place of its children
            with suppress(psutil.NoSuchProcess):
                one.kill()
