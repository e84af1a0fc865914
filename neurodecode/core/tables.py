"""A small table of named columns, so that reading a plan does not need pandas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from neurodecode.core.checks import name_known
from neurodecode.core.errors import DataError


class Table:
    """Columns of equal length, by name.

    Parameters
    ----------
    columns : mapping of str to array, each of shape (n_rows,)
        Lists are turned into arrays; Python objects are turned into text.

    Examples
    --------
    >>> table = Table({"subject": ["01", "01"], "onset_s": [0.0, 2.5]})
    >>> len(table), table["onset_s"].tolist()
    (2, [0.0, 2.5])
    """

    def __init__(self, columns: Mapping[str, Any]) -> None:
        self.columns: dict[str, np.ndarray] = {}
        for name, values in columns.items():
            column = np.asarray(values)
            if column.dtype.kind in "OS":
                column = column.astype(str)
            if column.ndim != 1:
                raise DataError(
                    f"table: column '{name}' has shape {column.shape}. Allowed: one value per row, "
                    "(n,)."
                )
            self.columns[str(name)] = column
        if len({len(c) for c in self.columns.values()}) > 1:
            got = ", ".join(f"{n} {len(c)}" for n, c in self.columns.items())
            raise DataError(f"table: columns differ in length: {got}. Give them as many rows each.")

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(next(iter(self.columns.values()))) if self.columns else 0

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the columns."""
        return iter(self.columns)

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    def __bool__(self) -> bool:
        return len(self) > 0

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self.columns:
            raise DataError(
                f"table: no column '{name}'.{name_known(name, self.columns, 'Columns')}"
            )
        return self.columns[name]

    def take(self, rows: np.ndarray | slice) -> Table:
        """Return the rows asked for, in that order."""
        return Table({name: column[rows] for name, column in self.columns.items()})

    def with_columns(self, **columns: Any) -> Table:
        """Return a table with columns added or replaced."""
        return Table({**self.columns, **columns})

    def __repr__(self) -> str:
        return f"Table({len(self)} rows: {', '.join(self.columns)})"
