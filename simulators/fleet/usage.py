"""Processor time of a tree of processes, those that have ended included."""

from __future__ import annotations

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
