"""A list model over frozen view rows: one role for each field, nothing kept beyond the current page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from enum import Enum
from typing import Any

from PySide6.QtCore import QAbstractListModel, QByteArray, QModelIndex, QObject, QPersistentModelIndex, Qt

_Index = QModelIndex | QPersistentModelIndex


class RowsModel(QAbstractListModel):
    """Rows of one dataclass type, readable from QML by field name. Replaced as a whole, or left alone if equal."""

    def __init__(self, row_type: type[Any], parent: QObject) -> None:
        super().__init__(parent)
        self._names = [field.name for field in fields(row_type)]
        self._rows: tuple[Any, ...] = ()

    def replace(self, rows: Sequence[Any]) -> None:
        """Show these rows instead."""
        if tuple(rows) == self._rows:
            return
        self.beginResetModel()
        self._rows = tuple(rows)
        self.endResetModel()

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: N802, B008  # Qt's signature
        """Rows, as Qt asks."""
        return 0 if parent.isValid() else len(self._rows)

    def roleNames(self) -> dict[int, QByteArray]:  # noqa: N802  # Qt's name
        """One role a field."""
        return {Qt.ItemDataRole.UserRole + n: QByteArray(name.encode()) for n, name in enumerate(self._names)}

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """One field of one row; enumerations and None as text."""
        if not index.isValid() or not Qt.ItemDataRole.UserRole <= role < Qt.ItemDataRole.UserRole + len(self._names):
            return None
        value = getattr(self._rows[index.row()], self._names[role - Qt.ItemDataRole.UserRole])
        if value is None:
            return ""
        return value.value if isinstance(value, Enum) else value
