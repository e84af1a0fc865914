"""Mean score of each region of interest, with interval, null and correction over regions.

The voxels of a region are measured together and are no independent samples: intervals draw rows
(stimuli, blocks of scans, runs), and the null permutes predictions as evaluation.encoding does.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from neurodecode.core.artifacts import Predictions, Responses, Scores
from neurodecode.core.checks import check_known
from neurodecode.core.errors import DataError
from neurodecode.core.progress import track
from neurodecode.core.stage import Stage
from neurodecode.core.tables import Table
from neurodecode.evaluation.held_out import Reader, Within, open_held_out
from neurodecode.evaluation.regions import find_regions
from neurodecode.evaluation.summary import digest_test_set
from neurodecode.evaluation.voxel_nulls import Plan, plan_null, tell_floor
from neurodecode.numerics.null_limits import Choice
from neurodecode.numerics.nulls import Null
from neurodecode.numerics.statistics import compute_p, control_fdr, read_interval
from neurodecode.numerics.voxel_bootstrap import bootstrap_scores
from neurodecode.numerics.voxel_scores import HeldOut, Metric
from neurodecode.numerics.voxel_test import iterate_null


class Rois(Stage):
    """Score of each region that the responses' space names: the mean or median over its voxels.

    Parameters
    ----------
    rois : tuple of str or None
        Names of regions; None takes all that there are.
    statistic : {"mean", "median"}
        Over the voxels of a region.
    metric : {"r", "r2"}
    within : {"fold", "run", "pooled"}
        Where correlations are taken; "pooled" must be asked for, as it is biased.
    unit : {"stimulus", "sample"}
        What is exchanged and resampled, of trials.
    null : {"auto", "exchange", "blocks", "circular_shift", "phases", "none"}
        As in evaluation.encoding.
    block_s : float or None
        Least length of a block of scans; None takes it from the autocorrelation.
    min_shift_s : float
        Circular shifts nearer to 0 are left out.
    n_permutations : int
    correction : {"max", "fdr", "fdr_by"}
        What ``q`` holds: family-wise p by the largest of the regions, each in units of its own
        null, or Benjamini-Hochberg, or Benjamini-Yekutieli.
    ceiling_min : float
        Voxels with a lower ceiling are left out of the region's mean ceiling.
    n_bootstrap : int
    seed : int
    """

    stage: ClassVar[str] = "evaluation.rois"
    scores: ClassVar[bool] = True
    example: ClassVar[dict[str, int]] = {"n_permutations": 9, "n_bootstrap": 20}

    rois: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    statistic: Literal["mean", "median"] = "mean"
    metric: Literal["r", "r2"] = "r"
    within: Within = "fold"
    unit: Literal["stimulus", "sample"] = "stimulus"
    null: Choice = "auto"
    block_s: PositiveFloat | None = None
    min_shift_s: NonNegativeFloat = 0.0
    n_permutations: NonNegativeInt = 1000
    correction: Literal["max", "fdr", "fdr_by"] = "max"
    ceiling_min: Annotated[float, Field(gt=0, lt=1)] = 0.1
    n_bootstrap: PositiveInt = 1000
    seed: int = 0

    def run(
        self, predictions: Predictions, responses: Responses, ceiling: Scores | None = None
    ) -> Scores:
        """Return one score per region."""
        reader = open_held_out(
            predictions, responses, within=self.within, unit=self.unit, where=self.stage
        )
        regions = self._find(reader, responses)
        plan = plan_null(
            reader, self.null, self.n_permutations, self.seed,
            block_s=self.block_s, min_shift_s=self.min_shift_s,
            family_wise=self.correction == "max",
        )  # fmt: skip
        rows: list[dict[str, Any]] = []
        nulls = []
        for name in track(list(regions), self.stage):
            row, null = self._score(reader, plan, name, regions[name], ceiling)
            rows.append(row)
            nulls.append(null)
        values, p = (np.array([row[key] for row in rows]) for key in ("value", "p"))
        q = self._correct(values, p, np.array(nulls)) if plan.null is not None else None
        notices = list(plan.notices)
        if plan.null is not None:
            notices.append(tell_floor(reader, plan.null)[0])
        if np.isnan([row["low"] for row in rows]).any():
            notices.append("Regions without an interval: too few independent parts to resample.")
        summary = {key: [row[key] for row in rows] for key in rows[0]}
        return Scores(
            values=values,
            over="items",
            items=Table({"id": list(regions), "n_voxels": [len(c) for c in regions.values()]}),
            metric=f"{self.statistic} " + ("correlation" if self.metric == "r" else "R²"),
            scale=self.metric,
            of="region",
            summary=Table({**summary, "q": np.full(len(rows), np.nan) if q is None else q}),
            ceiling=None if ceiling is None else np.array([row["ceiling"] for row in rows]),
            p=None if plan.null is None else p,
            q=q,
            notices=tuple(notices),
            test_set=digest_test_set(predictions.rows),
        )

    def _find(self, reader: Reader, responses: Responses) -> dict[str, np.ndarray]:
        found = find_regions(responses.space, np.arange(reader.n_voxels))
        if not found:
            raise DataError(
                f"{self.stage}: the space of the responses names no regions. Give responses with "
                "ROI masks, or score voxels (evaluation.encoding)."
            )
        for name in self.rois or ():
            check_known(name, list(found), what="region", where=self.stage)
        return {name: found[name] for name in self.rois or found}

    def _summarize(self, scores: np.ndarray) -> np.ndarray:
        """Return the statistic over voxels, which lie on the last axis."""
        known = np.isfinite(scores).all(axis=tuple(range(scores.ndim - 1)))
        if not known.any():
            return np.full((*scores.shape[:-1], 1), np.nan)
        over = np.mean if self.statistic == "mean" else np.median
        return np.asarray(over(scores[..., known], axis=-1, keepdims=True), np.float64)

    def _score(
        self, reader: Reader, plan: Plan, name: str, columns: np.ndarray, ceiling: Scores | None
    ) -> tuple[dict[str, Any], np.ndarray]:
        """Return the row of a region, and its null."""
        held = replace(reader.read(columns), units=plan.units)
        draws, observed, n_units = bootstrap_scores(
            held, self.metric, self._summarize, self.n_bootstrap, self.seed, by_part=plan.by_part
        )
        value, nan = float(observed[0]), float("nan")
        low, high = nan, nan
        if len(draws):
            low, high = read_interval(draws[:, 0] - np.nanmedian(draws[:, 0]) + value, n_units)
        null = np.full(1, nan)
        if plan.null is not None:
            null = self._permute(held, self.metric, plan.null)
        row: dict[str, Any] = {
            "name": name, "value": value, "low": low, "high": high,
            "chance": float(null.mean()) if plan.null is not None else 0.0, "n": len(columns),
            "n_units": n_units, "null_mean": float(null.mean()), "null_sd": float(null.std()),
            "p": compute_p(null, value),
        }  # fmt: skip
        if ceiling is not None:
            row |= self._read_ceiling(ceiling, reader, columns)
        return row, null

    def _permute(self, held: HeldOut, metric: Metric, null: Null) -> np.ndarray:
        scores = np.empty((null.n_permutations, held.predicted.shape[1]), np.float32)
        for columns, reached in iterate_null(held, metric, null):
            scores[:, columns] = reached
        return self._summarize(scores)[:, 0]

    def _read_ceiling(
        self, ceiling: Scores, reader: Reader, columns: np.ndarray
    ) -> dict[str, object]:
        if ceiling.scale != self.metric or len(ceiling.values) != reader.n_voxels:
            raise DataError(
                f"{self.stage}: the ceiling is {ceiling.scale} of {len(ceiling.values)} voxels, "
                f"the score {self.metric} of {reader.n_voxels}. r and r² never mix. Make the "
                f"ceiling in {self.metric}, from the same responses."
            )
        limits = np.asarray(ceiling.values, np.float64)[columns]
        kept = limits > self.ceiling_min
        mean = float(limits[kept].mean()) if kept.any() else float("nan")
        return {"ceiling": mean, "n_above_ceiling_min": int(kept.sum())}

    def _correct(self, values: np.ndarray, p: np.ndarray, nulls: np.ndarray) -> np.ndarray:
        if self.correction != "max":
            return control_fdr(p, dependent=self.correction == "fdr_by")
        mean, spread = nulls.mean(axis=1), nulls.std(axis=1)
        spread = np.where(spread > 0, spread, np.nan)
        known = np.isfinite(values) & np.isfinite(spread)
        largest = ((nulls[known] - mean[known, None]) / spread[known, None]).max(
            axis=0, initial=-np.inf
        )
        standard = (values - mean) / spread
        return np.array([compute_p(largest, z) for z in standard])
