"""Rows of samples joined to features, grouped by what must stay together, and put in predictions.

Joins are by identity: a sample's ``stimulus_id`` is looked up among the features' ids. Where these
describe scans (their items have a ``sample_id``), it is the sample itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neurodecode.core.artifacts import Features, Predictions, Responses, Split
from neurodecode.core.checks import find_rows, list_names
from neurodecode.core.errors import DataError
from neurodecode.core.tables import Table


def find_used_rows(split: Split) -> np.ndarray:
    """Return the rows that train, validate or test in any fold, ascending."""
    return np.flatnonzero((np.asarray(split.roles) > 0).any(axis=0))


def check_foldwise(responses: Responses, split: Split, where: str) -> None:
    """Raise DataError unless the split fits the responses and what was done to them per fold."""
    split.check_covers(responses, where)
    steps = responses.foldwise
    if steps is not None and (
        len(steps.selected) != split.n_folds or steps.split not in ("", split.digest)
    ):
        raise DataError(
            f"{where}: its 'split' has {split.n_folds} folds, but its 'responses' were "
            f"preprocessed in the {len(steps.selected)} folds of another split. Give it the split "
            "that the step which chose or scaled the voxels reads."
        )


def read_features(features: Features | Predictions, samples: Table, where: str) -> np.ndarray:
    """Return the features of each sample's stimulus, or of the sample itself, in memory.

    Parameters
    ----------
    features : Features, or Predictions of features
        Features of scans have a column ``sample_id``; any others are those of stimuli.
    samples : Table, n_rows
    where : str
        Stage that asks, for messages.

    Returns
    -------
    values : array, shape (n_rows, n_features) or (n_rows, n_tokens, n_dims)

    Raises
    ------
    DataError
        A sample without a stimulus, or a stimulus or scan without features.
    """
    if isinstance(features, Features) and "sample_id" in features.items:
        known, wanted = features.items["sample_id"], samples["sample_id"]
        rows = find_rows(known, wanted, what="scan", where=where)
        order = np.argsort(rows, kind="stable")  # stored arrays: ascending rows
        values = np.asarray(features.data[rows[order]])
        return values[np.argsort(order, kind="stable")]
    ids = samples["stimulus_id"].astype(str)
    blank = np.flatnonzero(ids == "")
    if len(blank):
        raise DataError(
            f"{where}: {len(blank)} of {len(ids)} samples in the split show no stimulus "
            f"(stimulus_id is '', first at row {blank[0]} of those used). Allowed: samples with a "
            "stimulus that has features. Bring the features to the scans (alignment.hrf), leave "
            "these samples out of the split, or give one response per stimulus (its beta)."
        )
    if isinstance(features, Predictions):
        rows = find_rows(features.items["id"], ids, what="stimulus", where=where)
        wanted, back = np.unique(rows, return_inverse=True)
        return np.asarray(features.data[wanted])[back]
    return features.read_for(ids)


def group_samples(samples: Table, unit: str, where: str) -> np.ndarray:
    """Return which samples must stay on one side when training rows are split again.

    Parameters
    ----------
    unit : str
        A split's unit of independence. "sample" and "stimulus" keep all samples of one item
        together: those that share a stimulus id, a source or a content digest. "run",
        "session" and "subject" keep these together; any other unit ("category", "time_block",
        "column:NAME") is the column of its name, which a split's own table has.

    Returns
    -------
    groups : array of int, shape (n_samples,)
    """
    places = ("subject", "session", "run")
    if unit in places:
        labels = samples["subject"].astype(str)
        for name in places[1 : places.index(unit) + 1]:
            labels = np.char.add(np.char.add(labels, "/"), samples[name].astype(str))
        return _number(labels)
    if unit not in ("sample", "stimulus"):
        unit = unit.removeprefix("column:")
        if unit not in samples:
            raise DataError(
                f"{where}: the split keeps each {unit} together, but the samples have no column "
                f"'{unit}'. Columns: {list_names(list(samples))}. Add it to the sample table, or "
                "split by another unit."
            )
        return _number(samples[unit])
    names = _number(samples[next(c for c in ("stimulus_id", "id", "sample_id") if c in samples)])
    columns = [names]
    for name in ("source", "digest"):
        if name in samples:
            numbers, known = _number(samples[name]), samples[name] != ""
            columns.append(_number(np.where(known, numbers, len(samples) + names)))
    groups = columns[0]
    while True:  # items linked by either column take the smallest number among them
        before = groups
        for numbers in columns:
            smallest = np.full(len(samples), len(samples))
            np.minimum.at(smallest, numbers, groups)
            groups = smallest[numbers]
        if np.array_equal(groups, before):
            return groups


def find_neighbours(runs: np.ndarray, onset_s: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the other rows that lie just before or after some rows, in the same run.

    Parameters
    ----------
    runs : array of int, shape (n_samples,)
    onset_s : array of float, shape (n_samples,)
        Rows of a run are ordered by their onset where all of them have one, else as they lie.
    rows : array of int

    Examples
    --------
    >>> runs, unknown = np.array([0, 0, 0, 1, 1]), np.full(5, np.nan)
    >>> find_neighbours(runs, unknown, np.array([0, 3]))
    array([1, 4])
    """
    timed = np.isfinite(onset_s).all()
    place = onset_s if timed else np.arange(len(runs), dtype=np.float64)
    order = np.lexsort((place, runs))
    chosen = np.zeros(len(runs), bool)
    chosen[rows] = True
    first, second = order[:-1], order[1:]
    beside = runs[first] == runs[second]
    near = np.zeros(len(runs), bool)
    near[first[beside & chosen[second]]] = True
    near[second[beside & chosen[first]]] = True
    return np.flatnonzero(near & ~chosen)


def list_predicted_rows(samples: Table, rows: Sequence[np.ndarray]) -> Table:
    """Return the row table of predictions.

    Parameters
    ----------
    rows : sequence of array of int
        Rows of ``samples`` that each fold predicts.
    """
    every = np.concatenate([np.asarray(r, np.int64) for r in rows])
    folds = np.repeat(np.arange(len(rows)), [len(r) for r in rows])
    return samples.take(every).with_columns(row=every, fold=folds)


def _number(values: np.ndarray) -> np.ndarray:
    return np.unique(values, return_inverse=True)[1].ravel()
