"""Predictions and responses of held-out rows, side by side, read in blocks of voxels. No stage.

Rows are joined by the samples' names. Of a time series the stretches are found within which scans
follow each other: one fold, one run, no scan missing between.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from neurodecode.core.artifacts import Array, Predictions, Responses
from neurodecode.core.checks import check_finite, find_rows
from neurodecode.core.errors import DataError
from neurodecode.core.progress import track
from neurodecode.core.tables import Table
from neurodecode.evaluation.summary import check_testable, find_units, read_folds
from neurodecode.numerics.autocorrelation import Memory, find_segments, measure_memory
from neurodecode.numerics.voxel_scores import HeldOut

Within = Literal["fold", "run", "pooled"]
READ_BYTES = 1 << 29  # of predictions and responses in memory at once
SAMPLE_BYTES = 1 << 29
ROWS_BYTES = 1 << 26  # of whole rows, where a file holds them so
MOST_MEASURED = 2000  # voxels, evenly spaced, whose autocorrelation is measured


@dataclass(frozen=True)
class Reader:
    """What predictions and responses have in common, and how to read it.

    Parameters
    ----------
    predictions : Predictions
    responses : Responses
    rows : array of int, shape (n_rows,)
        The responses' row of each row of the predictions.
    parts, units : arrays of int, shape (n_rows,)
        As HeldOut has them.
    segments : list of arrays of int, or None
        Of a time series.
    where : str
        Stage that asks, for messages.
    """

    predictions: Predictions
    responses: Responses
    rows: np.ndarray
    parts: np.ndarray
    units: np.ndarray
    segments: list[np.ndarray] | None
    where: str

    @property
    def n_voxels(self) -> int:
        """Columns of the responses, before any selection by fold."""
        return int(np.prod(self.responses.data.shape[1:]))

    @property
    def tests_twice(self) -> bool:
        """Whether a sample is tested in several folds, which makes its rows dependent."""
        return len(np.unique(self.rows)) < len(self.rows)

    @property
    def is_crossed(self) -> bool:
        """Whether there are several folds, which train each other's models."""
        return len(np.unique(read_folds(self.predictions.rows))) > 1

    def list_segments(self) -> list[np.ndarray]:
        """Return the rows within which predictions may move: stretches of time, or parts."""
        if self.segments is not None:
            return self.segments
        return [np.flatnonzero(self.parts == k) for k in range(int(self.parts.max()) + 1)]

    def read(self, columns: slice | np.ndarray) -> HeldOut:
        """Return some columns of all rows; NaN in folds that did not select them."""
        shape = (len(self.rows), len(np.arange(self.n_voxels)[columns]))
        measured, predicted = np.full(shape, np.nan), np.full(shape, np.nan)
        folds = read_folds(self.predictions.rows)
        for fold in np.unique(folds):
            inside = np.flatnonzero(folds == fold)
            number = int(fold) if fold >= 0 else None
            order = inside[np.argsort(self.rows[inside], kind="stable")]  # as they are stored
            kept, block = self._read_measured(self.rows[order], columns, number)
            guess = self._read_predicted(order, columns, number)
            check_finite(block, what="responses", where=self.where)
            check_finite(guess, what="predictions", where=self.where)
            measured[np.ix_(order, kept)], predicted[np.ix_(order, kept)] = block, guess
        return HeldOut(predicted, measured, self.parts, self.units, self.segments)

    def list_blocks(self) -> list[slice]:
        """Return blocks of columns, in their order, that fit in memory."""
        size = max(1, READ_BYTES // (16 * len(self.rows)))
        return [slice(a, min(a + size, self.n_voxels)) for a in range(0, self.n_voxels, size)]

    def iterate(self) -> Iterator[tuple[slice, HeldOut]]:
        """Yield all columns, block by block."""
        for columns in track(self.list_blocks(), self.where):
            yield columns, self.read(columns)

    def choose(self, most: int = MOST_MEASURED) -> np.ndarray:
        """Return evenly spaced columns, as many as asked for where they fit in memory."""
        most = max(1, min(most, SAMPLE_BYTES // (16 * len(self.rows))))
        return np.arange(0, self.n_voxels, max(1, -(-self.n_voxels // most)))

    def measure_memory(self) -> Memory:
        """Return how long the time series remember.

        A score weighs its parts alike, so that stretches count as the shortest part's do. Where no
        voxel was selected in every fold, parts are measured on their own, and the slowest decides.
        """
        assert self.segments is not None
        held = self.read(self.choose())
        by_part: dict[int, list[np.ndarray]] = {}
        for rows in self.segments:
            by_part.setdefault(int(self.parts[rows[0]]), []).append(rows)
        known = np.isfinite(held.measured).all(axis=0)
        groups = [self.segments] if known.any() else list(by_part.values())
        found = [_measure(held, segments) for segments in groups]
        shortest = min(float(np.mean([len(r) for r in rows])) for rows in by_part.values())
        slowest = max(found, key=lambda memory: memory.tau)
        return replace(slowest, length=min(slowest.length, shortest))

    def _read_measured(
        self, rows: np.ndarray, columns: slice | np.ndarray, fold: int | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return which of the columns a fold selected, and their values as the fold sees them."""
        wanted = np.arange(self.n_voxels)[columns]
        steps = self.responses.foldwise
        if steps is None or fold is None:
            return np.arange(len(wanted)), _read(self.responses.data, rows, wanted)
        kept = np.flatnonzero(np.asarray(steps.selected[fold])[wanted])
        block = _read(self.responses.data, rows, wanted[kept])
        centre = np.asarray(steps.centre[fold])[wanted[kept]]
        scale = np.asarray(steps.scale[fold])[wanted[kept]]
        return kept, ((block - centre) / scale).astype(block.dtype, copy=False)

    def _read_predicted(
        self, rows: np.ndarray, columns: slice | np.ndarray, fold: int | None
    ) -> np.ndarray:
        wanted = np.arange(self.n_voxels)[columns]
        n_predicted = int(np.prod(self.predictions.data.shape[1:]))
        steps = self.responses.foldwise
        selected = np.arange(self.n_voxels)
        if steps is not None and fold is not None:
            selected = np.flatnonzero(np.asarray(steps.selected[fold]))
        if n_predicted not in (len(selected), self.n_voxels):
            raise DataError(
                f"{self.where}: predictions have {n_predicted} columns, responses "
                f"{len(selected)} of {self.n_voxels} in this fold. Give the responses that the "
                "encoder was fitted to."
            )
        wanted = wanted[np.isin(wanted, selected)]
        if n_predicted != self.n_voxels:
            wanted = np.searchsorted(selected, wanted)
        return _read(self.predictions.data, rows, wanted)


def _measure(held: HeldOut, segments: list[np.ndarray]) -> Memory:
    """Return the memory of the voxels that were selected in all of some stretches."""
    known = np.isfinite(held.measured[np.concatenate(segments)]).all(axis=0)
    if not known.any():
        return Memory(1.0, 0.0, float(np.mean([len(rows) for rows in segments])))
    return measure_memory(held.predicted[:, known], held.measured[:, known], segments)


def open_held_out(
    predictions: Predictions,
    responses: Responses,
    *,
    within: Within,
    unit: str,
    where: str,
    least: int = 3,
) -> Reader:
    """Join predictions of responses with the responses measured.

    Parameters
    ----------
    within : {"fold", "run", "pooled"}
        Where a score is taken.
    unit : {"stimulus", "sample"}
        Unit of independence of trials.
    least : int
        Rows that a part must hold.
    """
    check_predicted(predictions, where)
    table = predictions.rows
    rows = find_rows(responses.samples["sample_id"], table["sample_id"], what="sample", where=where)
    folds = read_folds(table)
    parts = find_parts(table, within, where, least)
    shown = (table["stimulus_id"] != "").all()
    units = find_units(table, unit, where) if unit == "sample" or shown else np.arange(len(table))
    segments = None
    if responses.t_r is not None:
        runs = find_units(responses.samples, "run", where)
        places = _number_scans(runs, responses.samples["onset_s"], responses.t_r)
        split_by = np.unique(np.stack([parts, folds]), axis=1, return_inverse=True)[1].ravel()
        segments = find_segments(split_by, runs[rows], places[rows])
    return Reader(predictions, responses, rows, parts, units, segments, where)


def check_predicted(predictions: Predictions, where: str, label: str = "these") -> None:
    """Raise DataError for what is no prediction of held-out responses."""
    check_testable(predictions, where)
    if predictions.of != "responses":
        raise DataError(
            f"{where}: {label} are predicted features. Give predicted responses (an "
            "encoding step), or score them with evaluation.identification."
        )


def find_parts(table: Table, within: Within, where: str, least: int = 3) -> np.ndarray:
    """Return the held-out part of each row, as whole numbers.

    Parameters
    ----------
    table : Table
        Of predicted rows.
    within : {"fold", "run", "pooled"}
        Where a score is taken.
    least : int
        Rows that a part must hold.

    Raises
    ------
    DataError
        A part holds fewer.
    """
    folds = read_folds(table)
    if within == "pooled":
        parts = np.zeros(len(table), np.int64)
    elif within == "fold":
        parts = np.unique(folds, return_inverse=True)[1]
    else:
        runs = find_units(table, "run", where)  # the model differs by fold, too
        parts = np.unique(np.stack([folds, runs]), axis=1, return_inverse=True)[1].ravel()
    fewest = int(np.bincount(parts).min())
    if fewest < least:
        raise DataError(
            f"{where}: a held-out {within} holds {fewest} rows. Allowed: {least} or more "
            f"for a score within each {within}. Use fewer folds, or set within to another part."
        )
    return parts


def _number_scans(runs: np.ndarray, onset_s: np.ndarray, t_r: float) -> np.ndarray:
    """Number the scans of each run in the order of time; a scan that is missing keeps its number.

    Runs without onsets are numbered as their rows lie.
    """
    places = np.zeros(len(runs), np.int64)
    for run in np.unique(runs):
        rows = np.flatnonzero(runs == run)
        times = onset_s[rows]
        if np.isfinite(times).all():
            places[rows] = np.round((times - times.min()) / t_r).astype(np.int64)
        else:
            places[rows] = np.arange(len(rows))
    return places


def _read(data: Array, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return some rows and columns; of a stored array never more than some rows at once."""
    shape = tuple(data.shape)
    width = math.prod(shape[1:])
    if not len(columns):
        return np.empty((len(rows), 0), data.dtype)
    if isinstance(data, np.ndarray):
        return data.reshape(shape[0], width)[np.ix_(rows, columns)]
    at_once = max(1, ROWS_BYTES // (8 * width))
    first, last = int(columns[0]), int(columns[-1]) + 1
    found = np.empty((len(rows), len(columns)), data.dtype)
    for start in range(0, len(rows), at_once):
        some = rows[start : start + at_once]
        if len(shape) == 2:
            block = np.asarray(data[some, first:last])
            found[start : start + at_once] = block[:, columns - first]
        else:
            block = np.asarray(data[some]).reshape(len(some), -1)
            found[start : start + at_once] = block[:, columns]
    return found
