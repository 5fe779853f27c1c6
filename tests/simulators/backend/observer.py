"""A look into a running backend's database, through its own thread: nobody else can open the file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Executable

from simulators.backend.database import Database


@dataclass
class Observer:
    """Statements in transactions of their own."""

    database: Database

    def scalar(self, statement: Executable) -> Any:
        """The first column of the first row."""
        return self.database.run(lambda connection: connection.execute(statement).scalar())

    def execute(self, statement: Executable) -> None:
        """Change something behind the backend's back."""
        self.database.run(lambda connection: connection.execute(statement))

    def changes(self) -> int:
        """Rows inserted, changed or deleted since the backend opened its file."""
        return int(
            self.database.run(lambda connection: connection.exec_driver_sql("SELECT total_changes()").scalar_one())
        )
