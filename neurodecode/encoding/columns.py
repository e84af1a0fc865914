"""Which voxels all folds predict. No stage."""

from __future__ import annotations

import numpy as np

from neurodecode.core.artifacts import Responses
from neurodecode.core.errors import DataError


def find_columns(responses: Responses, where: str) -> np.ndarray:
    """Return the columns that every fold keeps.

    Raises
    ------
    DataError
        Folds keep different ones.
    """
    if responses.foldwise is None:
        return np.arange(responses.data.shape[1])
    selected = np.asarray(responses.foldwise.selected)
    if (selected != selected[0]).any():
        counts = selected.sum(axis=1).tolist()
        raise DataError(
            f"{where}: each fold keeps other voxels ({counts[:5]} in the first folds), so "
            "that predictions of one voxel would not exist in every fold. Allowed: one selection. "
            "Encode all voxels and select when scoring, or select by roi "
            "(preprocessing.select_voxels with by: roi)."
        )
    return np.flatnonzero(selected[0])
