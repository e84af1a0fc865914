"""Arrays put one under the other without being read: the runs of a recording, as one array."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from neurodecode.core.artifacts import Array


@dataclass(frozen=True, eq=False)
class StackedArray:
    """Arrays one under the other along their first axis, read when sliced.

    Parameters
    ----------
    parts : sequence of array, each of shape (n_rows_of_the_part, ...)
    rows : array of int, or None
        Selected rows of the stack; None for all.
    holds : bool
        Keep the part read last in memory, whole: for parts that are slow to open, such as
        compressed files. Reading from the first row to the last then opens each part once.
    """

    parts: tuple[Array, ...]
    rows: np.ndarray | None = None
    holds: bool = False
    _held: dict[int, np.ndarray] = field(default_factory=dict, repr=False)

    def __reduce__(self) -> tuple[Any, ...]:
        return StackedArray, (self.parts, self.rows, self.holds)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the selection."""
        return (len(self), *self.parts[0].shape[1:])

    @property
    def dtype(self) -> np.dtype:
        """Type of the elements."""
        return np.dtype(self.parts[0].dtype)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.parts[0].shape)

    def __len__(self) -> int:
        return sum(len(part) for part in self.parts) if self.rows is None else len(self.rows)

    def take_rows(self, rows: Any) -> StackedArray:
        """Return a selection of the rows, still unread."""
        base = np.arange(len(self)) if self.rows is None else self.rows
        return StackedArray(self.parts, base[rows], self.holds)

    def __getitem__(self, key: Any) -> Any:
        first, rest = (key[0], key[1:]) if isinstance(key, tuple) else (key, ())
        if first is Ellipsis or first is None:
            return np.asarray(self)[key]
        base = np.arange(len(self)) if self.rows is None else self.rows
        wanted = base[first]
        if wanted.ndim == 0:
            return self._read(wanted[None])[(0, *rest)]
        return self._read(wanted)[(slice(None), *rest)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        values = self[:]
        return values if dtype is None else values.astype(dtype, copy=False)

    def _read(self, wanted: np.ndarray) -> np.ndarray:
        out = np.empty((len(wanted), *self.parts[0].shape[1:]), self.dtype)
        start = 0
        for k, part in enumerate(self.parts):
            at = np.flatnonzero((wanted >= start) & (wanted < start + len(part)))
            if len(at):
                out[at] = self._read_part(k, wanted[at] - start)
            start += len(part)
        return out

    def _read_part(self, k: int, rows: np.ndarray) -> np.ndarray:
        if not self.holds:
            return np.asarray(self.parts[k][rows])
        if k not in self._held:
            self._held.clear()  # before the next is read: one part in memory, not two
            self._held[k] = np.asarray(self.parts[k][:])
        return self._held[k][rows]
