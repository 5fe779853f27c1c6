"""One line on a terminal that says how far a long run is; nothing at all where nobody is looking."""

from __future__ import annotations

import shutil
import sys
from typing import Final, TextIO

WIDTH: Final = 30


def bar(share: float, text: str, columns: int) -> str:
    """The line: a bar for `share` (0–1, clipped), then `text`, cut to `columns` characters."""
    done = round(min(max(share, 0.0), 1.0) * WIDTH)
    return f"[{'#' * done}{'.' * (WIDTH - done)}] {text}"[:columns]


class Progress:
    """Writes over its own line. `columns`: width of the terminal."""

    def __init__(self, stream: TextIO, columns: int) -> None:
        self._stream, self._columns = stream, columns - 1
        self._shown = stream.isatty()

    @classmethod
    def of_terminal(cls) -> Progress:
        """On the terminal of this process, if it has one."""
        return cls(sys.stderr, shutil.get_terminal_size().columns)

    def show(self, share: float, text: str) -> None:
        """Draw the line anew."""
        if self._shown:
            self._stream.write(f"\r\x1b[K{bar(share, text, self._columns)}")
            self._stream.flush()

    def end(self) -> None:
        """Take the line away."""
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
