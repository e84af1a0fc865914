"""Arrays put side by side without being read: what block-wise steps are assembled from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurodecode.core.artifacts import Array


@dataclass(frozen=True, eq=False)
class JoinedArray:
    """Arrays side by side along their second axis, read when sliced.

    Parameters
    ----------
    parts : sequence of array, each of shape (n_rows, n_columns_of_the_part, ...)
    """

    parts: tuple[Array, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the whole."""
        first = self.parts[0].shape
        return (first[0], sum(part.shape[1] for part in self.parts), *first[2:])

    @property
    def dtype(self) -> np.dtype:
        """Type of the elements."""
        return np.dtype(self.parts[0].dtype)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Any:
        first, rest = (key[0], key[1:]) if isinstance(key, tuple) else (key, ())
        if first is Ellipsis or first is None:
            return np.asarray(self)[key]
        if isinstance(first, int | np.integer):
            return np.concatenate([np.asarray(part[first]) for part in self.parts])[rest]
        parts = [np.asarray(part[first]) for part in self.parts]
        return np.concatenate(parts, axis=1)[(slice(None), *rest)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        values = self[:]
        return values if dtype is None else values.astype(dtype, copy=False)


def join_columns(parts: Sequence[Array]) -> Array:
    """Return arrays side by side along their second axis: unread if any of them is.

    Examples
    --------
    >>> join_columns([np.zeros((3, 2)), np.ones((3, 1))]).tolist()
    [[0.0, 0.0, 1.0], [0.0, 0.0, 1.0], [0.0, 0.0, 1.0]]
    """
    if len(parts) == 1:
        return parts[0]
    if all(isinstance(part, np.ndarray) for part in parts):
        return np.concatenate([np.asarray(part) for part in parts], axis=1)
    return JoinedArray(tuple(parts))
