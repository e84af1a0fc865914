"""Training examples of a diffusion model: which image goes with which condition.

One example per training stimulus where the conditions are those of stimuli; one per row of nested
predictions (role "training"), so that a sample estimated several times over gives several.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurodecode.core.artifacts import Features, Predictions, Split, Stimuli, read_images
from neurodecode.core.checks import check_finite, find_rows
from neurodecode.core.errors import DataError
from neurodecode.reconstruction.diffusion_inputs import name_rows, read_estimates


@dataclass(frozen=True)
class Examples:
    """Training examples of one model, row by row.

    Parameters
    ----------
    images : array of float32 in [0, 1], shape (n, height, width, n_colours)
    embeddings : array of float32, shape (n, n_conditions), or None
    estimates : array like images, or None
    """

    images: np.ndarray
    embeddings: np.ndarray | None
    estimates: np.ndarray | None


def read_examples(
    where: str,
    stimuli: Stimuli,
    features: Features | None = None,
    estimates: Features | None = None,
    split: Split | None = None,
    fold: int = 0,
) -> Examples:
    """Return the training examples of one fold, or of all stimuli where there is no split.

    Raises
    ------
    DataError
        Predictions are of test rows or of another split, or estimates of another shape.
    """
    if stimuli.of != "image":
        raise DataError(f"{where}: these are {stimuli.of} stimuli. Give images.")
    given = [source for source in (estimates, features) if source is not None]
    nested = [source for source in given if _is_nested(source, where, split)]
    base = nested[0].items if nested else None
    rows = np.zeros(0, np.int64)
    if split is None:
        ids = np.asarray(stimuli.items["id"])
    elif base is not None:
        rows = np.flatnonzero(base["fold"] == fold)
        rows = rows[np.isin(base["row"][rows], split.fold(fold).train)]
        ids = base["id"][rows]
    else:
        trained = split.samples["stimulus_id"][split.fold(fold).train]
        ids = np.unique(trained[trained != ""])
    if not len(ids):
        raise DataError(
            f"{where}: fold {fold} has no training examples. Give nested predictions of this split."
        )

    def find(given: Features) -> np.ndarray:
        if base is None or all(given is not p for p in nested):
            return find_rows(given.items["id"], ids, what="stimulus", where=where)
        if given is nested[0]:
            return rows
        names, wanted = name_rows(given.items), name_rows(base.take(rows))
        return find_rows(names, wanted, what="fold/row", where=f"{where}: features")

    unique, back = np.unique(ids, return_inverse=True)
    return Examples(
        images=read_images(stimuli.select(unique))[back],
        embeddings=None if features is None else _read_embeddings(features, find(features), where),
        estimates=None
        if estimates is None
        else _read_shown(estimates, find(estimates), stimuli, where),
    )


def _read_embeddings(features: Features, rows: np.ndarray, where: str) -> np.ndarray:
    if len(features.data.shape) != 2:
        raise DataError(
            f"{where}: features have shape {tuple(features.data.shape)}. Give one vector per "
            "stimulus, (n_items, n_features)."
        )
    embeddings = np.asarray(features.data)[rows].astype(np.float32)
    check_finite(embeddings, what="features", where=where)
    return embeddings


def _read_shown(estimates: Features, rows: np.ndarray, stimuli: Stimuli, where: str) -> np.ndarray:
    shown = read_estimates(estimates, where, rows)
    check_finite(shown, what="estimates", where=where)
    wanted = tuple(stimuli.data.shape[1:])
    if shown.shape[1:] != wanted:
        raise DataError(
            f"{where}: estimates are images of shape {shown.shape[1:]}, stimuli of {wanted}. "
            "Decode pixels of the stimuli's own size."
        )
    return shown


def _is_nested(given: Features, where: str, split: Split | None) -> bool:
    """Tell whether an input is nested predictions, and refuse predictions of test rows."""
    if not isinstance(given, Predictions):
        return False
    if split is None:
        raise DataError(
            f"{where}: predictions are given, but no split. Hand this step the split they were "
            "made with, so that each fold's model learns from its own."
        )
    if given.role != "training":
        raise DataError(
            f"{where}: these are predictions of test rows. Give those of the training rows, made "
            "within each fold (the output 'training' of decoding.ridge with nested: true)."
        )
    if given.split not in ("", split.digest):
        raise DataError(
            f"{where}: the predictions were made with another split than the one given. Hand both "
            "the same split."
        )
    return True
