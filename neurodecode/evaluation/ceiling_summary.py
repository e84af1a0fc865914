"""Means of ceilings over voxels, with their interval: no stage.

Voxels share their stimuli, so that their errors go together. The interval of a mean over voxels is
therefore a jackknife over stimuli, too: what leaving one out does to the mean is the mean of what
it does to the voxels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields

import numpy as np

from neurodecode.core.artifacts import Array
from neurodecode.core.tables import Table
from neurodecode.numerics.ceiling_intervals import jackknife, take_root


@dataclass(frozen=True)
class Ceilings:
    """Ceilings of voxels in the unit asked for, (n_voxels,) each."""

    values: np.ndarray
    low: np.ndarray
    high: np.ndarray
    reliability: np.ndarray
    ncsnr: np.ndarray
    p: np.ndarray

    @classmethod
    def join(cls, parts: Sequence[Ceilings]) -> Ceilings:
        """Return the ceilings of several blocks of voxels."""
        return cls(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)))


@dataclass
class MeanOverVoxels:
    """Mean ceiling of r² of some voxels, summed up block by block.

    Parameters
    ----------
    name : str
    inside : array of bool, shape (n_voxels,)
    """

    name: str
    inside: np.ndarray
    n_repeats: float = 1.0
    k: float = 1.0
    n: int = 0
    totals: np.ndarray = field(default_factory=lambda: np.zeros(2))
    changes: np.ndarray | None = None

    @classmethod
    def list_for(cls, rois: Mapping[str, Array], n_voxels: int) -> list[MeanOverVoxels]:
        """Return one for all voxels, and one for each roi."""
        regions = [cls(name, np.asarray(roi, bool)) for name, roi in rois.items()]
        return [cls("", np.ones(n_voxels, bool)), *regions]

    def add(
        self,
        start: int,
        ceiling: np.ndarray,
        scaled: np.ndarray,
        reliability: np.ndarray,
        influence: np.ndarray,
    ) -> None:
        """Add the voxels from ``start`` on.

        Parameters
        ----------
        ceiling, reliability : array, shape (n_voxels,)
        scaled, influence : array, shape (n_blocks, n_voxels)
            What leaving out a block takes from each of these.
        """
        used = self.inside[start : start + len(ceiling)] & np.isfinite(ceiling)
        self.n += int(used.sum())
        self.totals += np.array([ceiling[used].sum(), reliability[used].sum()])
        more = np.stack([scaled[:, used].sum(axis=1), influence[:, used].sum(axis=1)])
        self.changes = more if self.changes is None else self.changes + more


def summarize(
    found: Ceilings,
    means: Sequence[MeanOverVoxels],
    q: np.ndarray,
    scale: str,
    level: float,
    n_blocks: int,
) -> Table:
    """Return the summary of ceilings: means over voxels, the median, how many are above zero."""
    what = "mean ceiling of r2" if scale == "r2" else "root of the mean ceiling of r2"
    rows = []
    for mean in means:
        if not mean.n or mean.changes is None:
            continue
        values = mean.totals / mean.n
        bounds = [
            jackknife(values[[i]], mean.changes[i][:, None] / mean.n, ratio, level)
            for i, ratio in enumerate((mean.n_repeats / mean.k, mean.n_repeats))
        ]
        row = {
            "name": what + (f" in {mean.name}" if mean.name else ""),
            "value": values[0], "low": bounds[0].low[0], "high": bounds[0].high[0],
            "chance": 0.0, "n": mean.n, "n_units": n_blocks, "p": bounds[0].p[0],
            "reliability": values[1], "reliability_low": bounds[1].low[0],
            "reliability_high": bounds[1].high[0],
        }  # fmt: skip
        if scale == "r":
            for name in ("value", "low", "high"):
                row[name] = float(take_root(np.array(row[name])))
        rows.append(row)
    known = np.isfinite(found.values)
    rest = {"low": np.nan, "high": np.nan, "chance": 0.0, "n_units": n_blocks, "p": np.nan}
    rest |= {"reliability": np.nan, "reliability_low": np.nan, "reliability_high": np.nan}
    if known.any():
        name, middle = f"median of the voxels' ceilings of {scale}", np.median(found.values[known])
        rows.append({**rest, "name": name, "value": middle, "n": int(known.sum())})
    tested = np.isfinite(q)
    if tested.any():
        name, share = "share of voxels with a ceiling above 0 (q < 0.05)", q[tested] < 0.05
        rows.append({**rest, "name": name, "value": share.mean(), "n": int(tested.sum())})
    names = ("name", "value", "low", "high", "chance", "n", "n_units", "p", "reliability",
             "reliability_low", "reliability_high")  # fmt: skip
    return Table({name: [row[name] for row in rows] for name in names})
