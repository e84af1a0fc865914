"""Feature spaces side by side: joined by sample, each a named range of columns (a band)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from neurodecode.core.artifacts import Features, Predictions
from neurodecode.core.checks import check_known
from neurodecode.core.errors import DataError
from neurodecode.core.rows import read_features
from neurodecode.core.tables import Table

Edges = dict[str, tuple[int, int]]


def read_bands(
    features: Mapping[str, Features], samples: Table, where: str, wanted: Sequence[str] = ()
) -> tuple[np.ndarray, Edges]:
    """Return the features of each sample, bands side by side, in memory.

    One input with bands of its own gives these; of several inputs each is a band by its label.

    Parameters
    ----------
    features : mapping of label to Features
        Tokens are laid side by side.
    samples : Table, n_rows
    where : str
        Stage that asks, for messages.
    wanted : sequence of str
        The bands to keep, in this order; none keeps all.

    Returns
    -------
    values : array, shape (n_rows, n_features)
    bands : dict of str to (first column, one after the last)
    """
    found: dict[str, np.ndarray] = {}
    for label, given in features.items():
        values = read_features(given, samples, where).reshape(len(samples), -1)
        for name, (first, last) in name_bands(label, given, values.shape[1], len(features)).items():
            found[name] = values[:, first:last]
    for name in wanted:
        check_known(name, list(found), what="band", where=where)
    kept = {name: found[name] for name in wanted or found}
    edges = np.cumsum([0, *(v.shape[1] for v in kept.values())]).tolist()
    bands = dict(zip(kept, itertools.pairwise(edges), strict=True))
    return np.concatenate(list(kept.values()), axis=1), bands


def name_bands(
    label: str, features: Features | Predictions, n_columns: int, n_inputs: int
) -> Edges:
    """Return the bands that one input contributes, with the names they go by."""
    if n_inputs > 1 or not features.bands:
        return {label: (0, n_columns)}
    edges = [(name, int(first), int(last)) for name, (first, last) in features.bands.items()]
    own = {name: (first, last) for name, first, last in sorted(edges, key=lambda edge: edge[1])}
    ends = [0, *(last for _, last in own.values())]
    if [first for first, _ in own.values()] != ends[:-1] or ends[-1] != n_columns:
        raise DataError(
            f"bands: those of '{label}' are columns {list(own.values())[:6]} of {n_columns}. "
            "Allowed: bands that follow each other and cover all columns. Write them so when the "
            "features are made."
        )
    return own
