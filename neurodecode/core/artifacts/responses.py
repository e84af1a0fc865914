"""Measured brain activity, and what happened meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from neurodecode.core.artifacts.base import Array, Artifact, check_rows, dims, take
from neurodecode.core.artifacts.space import Foldwise, Space
from neurodecode.core.errors import DataError
from neurodecode.core.tables import Table


@dataclass(frozen=True, kw_only=True, eq=False)
class Responses(Artifact):
    """Measured brain activity.

    Parameters
    ----------
    data : array, shape (n_samples, n_voxels) or (n_samples, n_channels, n_times)
    samples : Table
        See make_samples: subject, session, run, onset_s, stimulus_id, repeat, sample_id.
    space : Space
    units : str
        "a.u.", "z", "percent", "V", ...
    t_r : float or None
        Repetition time, seconds.
    sfreq : float or None
        Sampling frequency, hertz;  tmin : seconds from onset to the first time point.
    foldwise : Foldwise or None
        Preprocessing fitted on the training part of each fold.
    """

    rows_field: ClassVar[str] = "data"
    data: Array = dims("sample", "voxel")
    samples: Table
    space: Space = field(default_factory=Space)
    units: str = "a.u."
    t_r: float | None = None
    sfreq: float | None = None
    tmin: float | None = None
    foldwise: Foldwise | None = None

    def __post_init__(self) -> None:
        check_rows(self, self.data, self.samples)

    def read(
        self, rows: Any = None, fold: int | None = None, columns: slice | None = None
    ) -> np.ndarray:
        """Return rows as an array in memory, as one fold sees them.

        Parameters
        ----------
        rows : array of int, slice or None
            None reads all rows.
        fold : int or None
            Needed where the responses were preprocessed per fold.
        columns : slice or None
            Of ``data``; of them, those that the fold keeps are returned. None reads all.
        """
        return self.as_seen(self.read_raw(rows, columns), fold, columns)

    def read_raw(self, rows: Any = None, columns: slice | None = None) -> np.ndarray:
        """Return rows as they are stored, before what is done to them per fold."""
        key = slice(None) if rows is None else rows
        return np.asarray(self.data[key] if columns is None else self.data[key, columns])

    def as_seen(
        self, block: np.ndarray, fold: int | None, columns: slice | None = None
    ) -> np.ndarray:
        """Return what ``read_raw`` gave as one fold sees it."""
        if self.foldwise is None:
            return block
        if fold is None:
            raise DataError(
                "responses: they were preprocessed within each fold's training part and so differ "
                "by fold, but are read without one. Hand this step the split, too."
            )
        steps, part = self.foldwise, slice(None) if columns is None else columns
        kept = np.flatnonzero(np.asarray(steps.selected[fold])[part])
        centre = np.asarray(steps.centre[fold])[part][kept]
        scale = np.asarray(steps.scale[fold])[part][kept]
        return ((block[:, kept] - centre) / scale).astype(block.dtype, copy=False)

    def columns(self, fold: int | None = None) -> np.ndarray:
        """Return the indices of the columns that ``read`` gives for a fold."""
        if self.foldwise is None or fold is None:
            return np.arange(self.data.shape[1])
        return np.flatnonzero(np.asarray(self.foldwise.selected[fold]))

    def take(self, rows: Any) -> Responses:
        """Return the responses of some samples."""
        return replace(
            self,
            data=take(self.data, rows),
            samples=self.samples.take(rows),
            lineage=self.lineage.take(rows),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Events(Artifact):
    """What happened when: onset (s), duration (s), trial_type, stimulus_id."""

    table: Table
