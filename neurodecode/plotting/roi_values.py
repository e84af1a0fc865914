"""The value of each region, read from scores of regions or averaged over voxels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurodecode.core.artifacts import Scores
from neurodecode.core.errors import DataError
from neurodecode.plotting.map_values import find_chance


@dataclass(frozen=True)
class RoiValue:
    """One region; None where a number is absent.

    Parameters
    ----------
    value : float or None
    low, high : float or None
        95 % interval.
    chance, ceiling, q : float or None
    n : int
        Voxels.
    of_voxels : bool
        Whether the interval is over voxels, not over independent units.
    """

    value: float | None
    low: float | None
    high: float | None
    chance: float | None
    ceiling: float | None
    q: float | None
    n: int
    of_voxels: bool


def read_regions(
    scores: Scores, statistic: str, n_bootstrap: int, seed: int, where: str
) -> dict[str, RoiValue]:
    """Return the regions of scores, by name, in the order in which they come.

    Raises
    ------
    DataError
        The scores name no regions.
    """
    if scores.over == "items":
        return _read_items(scores, where)
    if scores.space.kind == "parcels" and scores.space.names is not None:
        return _read_parcels(scores)
    if not scores.space.rois:
        raise DataError(
            f"{where}: the scores are over voxels of a space that names no regions. Give responses "
            "with ROI masks, or scores of regions (evaluation.rois)."
        )
    values, chance = np.asarray(scores.values, np.float64), find_chance(scores)
    limits = None if scores.ceiling is None else np.asarray(scores.ceiling, np.float64)
    found = {}
    for name, roi in scores.space.rois.items():
        inside = np.asarray(roi, bool) & np.isfinite(values)
        known = values[inside]
        if not len(known):
            continue
        low, high = _bootstrap(known, statistic, n_bootstrap, seed)
        ceiling = None if limits is None else _average(limits[inside], statistic)
        found[name] = RoiValue(
            _average(known, statistic), low, high, chance, ceiling, None, len(known), True
        )
    if not found:
        raise DataError(
            f"{where}: none of the {len(scores.space.rois)} regions holds a voxel with a score. "
            "Give scores of voxels that lie in them."
        )
    return found


def _average(values: np.ndarray, statistic: str) -> float | None:
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    return float(np.mean(values) if statistic == "mean" else np.median(values))


def _bootstrap(
    values: np.ndarray, statistic: str, n_bootstrap: int, seed: int
) -> tuple[float | None, float | None]:
    """Return the percentile interval over resampled voxels; none for fewer than three."""
    if len(values) < 3:
        return None, None
    rng = np.random.default_rng(seed)
    over = np.mean if statistic == "mean" else np.median
    # in pieces: thousands of voxels times thousands of resamples would not fit
    drawn = np.concatenate([
        over(values[rng.integers(0, len(values), (len(part), len(values)))], axis=1)
        for part in np.array_split(np.arange(n_bootstrap), -(-n_bootstrap * len(values) // 2**22))
    ])  # fmt: skip
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(low), float(high)


def _read_parcels(scores: Scores) -> dict[str, RoiValue]:
    chance = find_chance(scores)
    return {
        str(name): RoiValue(
            _find(scores.values, k), None, None, chance, _find(scores.ceiling, k),
            _find(scores.q, k), 1, True,
        )
        for k, name in enumerate(np.asarray(scores.space.names))
    }  # fmt: skip


def _read_items(scores: Scores, where: str) -> dict[str, RoiValue]:
    table = scores.summary
    names = [str(name) for name in table["name"]]
    ids = [str(i) for i in scores.items["id"]] if "id" in scores.items else []
    if scores.of != "region" or not set(names) & set(ids):
        raise DataError(
            f"{where}: these are scores of {scores.of}s ({scores.metric}), not of regions. Give "
            "scores of voxels whose space names regions, or those of evaluation.rois; draw others "
            "with plotting.scores_chart."
        )
    columns = {c: table[c] for c in ("value", "low", "high", "chance", "n")}
    found = {}
    for row, name in enumerate(names):
        if name not in ids:
            continue  # a claim about all of them
        item = ids.index(name)
        number = {c: _find(column, row) for c, column in columns.items()}
        found[name] = RoiValue(
            number["value"], number["low"], number["high"], number["chance"],
            _find(scores.ceiling, item), _find(scores.q, item), int(number["n"] or 0), False,
        )  # fmt: skip
    return found


def _find(values: object, row: int) -> float | None:
    """Return a number of a column, None where there is none."""
    if values is None:
        return None
    number = float(np.asarray(values)[row])
    return number if np.isfinite(number) else None
