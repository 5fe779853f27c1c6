"""Fixtures of the simulated readers' own tests."""

from __future__ import annotations

from tests.hardware.pcsc.hands import hands, private_pcscd

__all__ = ["hands", "private_pcscd"]
