"""Regions of a space among some of its columns, and means over them. No stage."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neurodecode.core.artifacts import Space


def find_regions(space: Space, columns: np.ndarray) -> dict[str, np.ndarray]:
    """Return, for each region that the space names, which of the columns lie in it.

    Parameters
    ----------
    columns : array of int
        Of the responses. A region that holds none of them is left out.

    Returns
    -------
    regions : dict of str to array of int
        Places in ``columns``.
    """
    found = {name: np.flatnonzero(np.asarray(roi)[columns]) for name, roi in space.rois.items()}
    return {name: places for name, places in found.items() if len(places)}


def average_regions(values: np.ndarray, regions: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the median over all values and the mean over each region; NaN where there is none."""
    known = np.isfinite(values)
    median = np.median(values[known]) if known.any() else np.nan
    means = []
    for places in regions.values():
        inside = values[places][known[places]]
        means.append(inside.mean() if len(inside) else np.nan)
    return np.array([median, *means])
