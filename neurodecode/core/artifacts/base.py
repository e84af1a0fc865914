"""What all artifacts share: arrays with named axes, lazy or in memory, and a lineage."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np

from neurodecode.core.errors import DataError
from neurodecode.core.lineage import Lineage
from neurodecode.core.tables import Table


@runtime_checkable
class Array(Protocol):
    """What NumPy arrays and stored arrays have in common."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        ...

    @property
    def dtype(self) -> Any:
        """Type of the elements."""
        ...

    def __getitem__(self, key: Any, /) -> Any: ...
    def __array__(self, *args: Any, **kwargs: Any) -> np.ndarray: ...
    def __len__(self) -> int: ...


def dims(*names: str, units: str = "", **options: Any) -> Any:
    """Declare a field that holds an array, with the names of its axes and its unit."""
    return field(metadata={"dims": names, "units": units}, **options)


@dataclass(frozen=True, kw_only=True, eq=False)
class Artifact:
    """What every artifact carries; never made itself."""

    rows_field: ClassVar[str] = ""  # the array whose first axis the artifact's table describes
    lineage: Lineage = field(default_factory=Lineage)

    @classmethod
    def kind(cls) -> str:
        """Return the artifact's name in pipeline files, such as 'responses'."""
        return cls.__name__.lower()

    def with_lineage(self, lineage: Lineage) -> Self:
        """Return the same artifact with another lineage."""
        return replace(self, lineage=lineage)


def take(array: Array, rows: Any) -> Array:
    """Return rows of an array; a stored array stays lazy."""
    take = getattr(array, "take_rows", None)
    return take(rows) if take is not None else array[rows]


def check_rows(artifact: Artifact, data: Array, table: Table) -> None:
    """Raise DataError unless data and table have as many rows."""
    if len(data) != len(table):
        raise DataError(
            f"{artifact.kind()}: data have {len(data)} rows (shape {tuple(data.shape)}), their "
            f"table {len(table)}. Give one row of the table per row of data."
        )
