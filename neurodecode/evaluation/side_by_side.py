"""Predicted and measured responses side by side, for scores that compare several models. No stage.

Rows are joined by the samples' names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from neurodecode.core.artifacts import Predictions, Responses, Space
from neurodecode.core.checks import check_finite, find_rows
from neurodecode.core.errors import DataError
from neurodecode.core.tables import Table
from neurodecode.evaluation.held_out import check_predicted, find_parts
from neurodecode.evaluation.summary import find_units, read_folds

Within = Literal["fold", "run"]
Unit = Literal["auto", "stimulus", "sample", "run", "session"]


@dataclass(frozen=True, eq=False)
class SideBySide:
    """Rows that all predictions share.

    Parameters
    ----------
    predicted : dict of label to array, shape (n_rows, n_voxels) or (n_rows, n_bands, n_voxels)
    measured : array, shape (n_rows, n_voxels)
    parts, units : arrays of int, shape (n_rows,)
        Held-out part within which a score is taken, and unit of independence.
    table : Table, n_rows
    space : Space
    """

    predicted: dict[str, np.ndarray]
    measured: np.ndarray
    parts: np.ndarray
    units: np.ndarray
    table: Table
    space: Space


def read_side_by_side(
    predictions: Mapping[str, Predictions],
    responses: Responses,
    within: Within,
    unit: Unit,
    where: str,
) -> SideBySide:
    """Read predictions and the responses they are of.

    Parameters
    ----------
    unit : {"auto", "stimulus", "sample", "run", "session"}
        "auto" is the stimulus with all its presentations, or the run where rows are a time series
        or show no stimulus.

    Raises
    ------
    DataError
        Predictions of other rows or voxels, or of features.
    """
    first_label, first = next(iter(predictions.items()))
    names = _name_rows(first)
    predicted = {}
    for label, given in predictions.items():
        check_predicted(given, where, f"'{label}'")
        ours = _name_rows(given)
        if len(ours) != len(names) or set(ours.tolist()) != set(names.tolist()):
            raise DataError(
                f"{where}: '{label}' predicts {len(ours)} other rows than '{first_label}' "
                f"({len(names)}). Allowed: predictions of the same test rows. Give all models the "
                "same split."
            )
        rows = find_rows(ours, names, what="predicted row", where=where)
        predicted[label] = np.asarray(given.data)[rows]
        check_finite(predicted[label], what=f"predictions '{label}'", where=where)
    table, folds = first.rows, read_folds(first.rows)
    rows = find_rows(responses.samples["sample_id"], table["sample_id"], what="sample", where=where)
    measured: np.ndarray | None = None
    for fold in np.unique(folds):
        inside = np.flatnonzero(folds == fold)
        order = np.argsort(rows[inside], kind="stable")  # stored arrays: ascending rows
        block = responses.read(rows[inside][order], int(fold) if fold >= 0 else None)
        block = block.reshape(len(inside), -1)
        if measured is None:
            measured = np.empty((len(rows), block.shape[1]), block.dtype)
        if block.shape[1] != measured.shape[1]:
            raise DataError(
                f"{where}: each fold keeps other voxels. Allowed: one selection. Select by roi "
                "(preprocessing.select_voxels with by: roi)."
            )
        measured[inside[order]] = block
    if measured is None:
        raise DataError(f"{where}: there is nothing to score: no test rows. Check the split.")
    check_finite(measured, what="responses", where=where)
    for label, values in predicted.items():
        bands = values.shape[1:2] if "bands" in predictions[label].extractor else ()
        predicted[label] = values = values.reshape(len(values), *bands, -1)
        if values.shape[-1] != measured.shape[1]:
            raise DataError(
                f"{where}: '{label}' predicts {values.shape[-1]} voxels, the responses have "
                f"{measured.shape[1]}. Give the responses that the encoder was fitted to."
            )
    return SideBySide(
        predicted, measured, find_parts(table, within, where),
        _find_units(table, responses, unit, where), table, first.space,
    )  # fmt: skip


def _name_rows(predictions: Predictions) -> np.ndarray:
    """Return a name for each row: a sample may be tested in several folds."""
    folds = read_folds(predictions.rows).astype(str)
    return np.char.add(np.char.add(predictions.rows["sample_id"].astype(str), "/"), folds)


def _find_units(table: Table, responses: Responses, unit: Unit, where: str) -> np.ndarray:
    if unit == "auto":
        series = responses.t_r is not None or (table["stimulus_id"] == "").any()
        unit = "run" if series else "stimulus"
    return find_units(table, unit, where)
