"""Means over regions of values per voxel, with bootstrap intervals. No stage."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from neurodecode.core.artifacts import Space
from neurodecode.core.checks import check_known
from neurodecode.core.errors import DataError
from neurodecode.core.tables import Table
from neurodecode.numerics.statistics import read_interval
from neurodecode.numerics.variance_partitioning import UnitSums, bootstrap_regions, count_units

Regions = dict[str, np.ndarray]
BOOTSTRAP_P = (
    "p of means over voxels are the share of bootstrap draws at 0 or below: approximate, and too "
    "small by up to a factor of two or so where folds train each other's models."
)


def list_regions(space: Space, n_voxels: int, rois: Sequence[str], where: str) -> Regions:
    """Return masks over voxels: all of them under "", and the regions asked for by name."""
    regions = {"": np.ones(n_voxels, bool)}
    for name in rois:
        check_known(name, list(space.rois), what="roi", where=where)
        regions[name] = np.asarray(space.rois[name], bool)
        if not regions[name].any():
            raise DataError(
                f"{where}: the roi '{name}' holds none of these voxels. Name another, or keep more "
                "voxels upstream."
            )
    return regions


def summarize_regions(
    compute: Callable[[np.ndarray | None], np.ndarray],
    sums: UnitSums,
    claims: Sequence[str],
    regions: Regions,
    n_bootstrap: int,
    seed: int,
) -> Table:
    """Return a summary with a row for each claim in each region.

    Parameters
    ----------
    compute : callable
        Gives values (n_claims, n_voxels) for counts of units, or for None.
    claims : sequence of str
    regions : dict of name to mask
        "" is left out of the claims' names.

    Returns
    -------
    summary : Table
        With ``p``, one-sided for a mean above zero: the share of draws at zero or below, as
        (1 + b) / (1 + n).
    """
    draws = bootstrap_regions(compute, sums, list(regions.values()), n_bootstrap, seed)
    values, n_units = compute(None), count_units(sums)
    rows = []
    for r, (region, mask) in enumerate(regions.items()):
        for c, claim in enumerate(claims):
            own = values[c][mask]
            known = own[np.isfinite(own)]
            drawn = draws[:, r, c]
            low, high = read_interval(drawn, n_units)
            below = int((drawn[np.isfinite(drawn)] <= 0).sum())
            rows.append(
                {
                    "name": f"mean {claim}, {region}" if region else f"mean {claim}",
                    "value": float(known.mean()) if len(known) else float("nan"),
                    "low": low, "high": high, "chance": 0.0, "n": len(known), "n_units": n_units,
                    "p": (1 + below) / (1 + len(drawn)) if n_units > 1 else float("nan"),
                }
            )  # fmt: skip
    return Table({name: [row[name] for row in rows] for name in rows[0]})
