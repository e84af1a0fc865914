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

    One input with bands of its own gives these; of several inputs each is a band by its label, or
    its bands by ``label/band``.

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
    # by column: a stored mapping comes back sorted by name
    ordered = sorted(features.bands.items(), key=lambda band: tuple(band[1]))
    own = {name: (int(a), int(b)) for name, (a, b) in ordered}
    if len(own) < 2 and n_inputs > 1:
        return {label: (0, n_columns)}
    if not own:
        return {label: (0, n_columns)}
    edges = [0, *(last for _, last in own.values())]
    if [first for first, _ in own.values()] != edges[:-1] or edges[-1] != n_columns:
        raise DataError(
            f"bands: those of '{label}' are columns {list(own.values())[:6]} of {n_columns}. "
            "Allowed: bands that follow each other and cover all columns. Write them so when the "
            "features are made."
        )
    return own if n_inputs == 1 else {f"{label}/{name}": edge for name, edge in own.items()}
