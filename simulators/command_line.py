"""What the simulators' command lines share: wrong use is one line on stderr and exit 2; values that several take."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Final, NoReturn

WRONG_USE: Final = 2
_MOST_DIGITS: Final = 18


class Parser(argparse.ArgumentParser):
    """`--help` shows the usage."""

    def error(self, message: str) -> NoReturn:
        """One line that names the argument and the cause."""
        self.exit(WRONG_USE, f"{self.prog}: {message}\n")


def whole(least: int, most: int, expected: str = "") -> Callable[[str], int]:
    """For `type=`: a number in ASCII digits within these bounds. `expected`: what is said of anything else."""

    def number(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS and least <= int(text) <= most):
            raise argparse.ArgumentTypeError(expected or f"a whole number from {least} to {most} expected")
        return int(text)

    return number


def some_path(text: str) -> Path:
    """For `type=`: a path that the system could know."""
    if not text or "\0" in text:
        raise argparse.ArgumentTypeError("a path expected")
    return Path(text)


def some_url(text: str) -> str:
    """For `type=`: not empty, as that of a variable that is not set is: nobody has asked for the default then."""
    if not text:
        raise argparse.ArgumentTypeError("a URL expected")
    return text
