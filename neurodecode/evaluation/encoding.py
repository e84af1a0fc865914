"""How well an encoding model predicts held-out responses, voxel by voxel.

r is taken within each held-out fold (or run) and averaged by Fisher's z: correlations of pooled
out-of-fold predictions are biased below zero. R² is 1 minus the residual over the total sum of
squares, both summed over the held-out parts, each about its own mean; it can be negative. r and R²
never mix.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from neurodecode.core.artifacts import Predictions, Responses, Scores
from neurodecode.core.errors import DataError
from neurodecode.core.stage import Stage
from neurodecode.core.tables import Table
from neurodecode.evaluation.held_out import Reader, Within, open_held_out
from neurodecode.evaluation.neighbours import EXTENT, link_space
from neurodecode.evaluation.summary import digest_test_set
from neurodecode.evaluation.voxel_nulls import Plan, plan_null, tell_floor
from neurodecode.numerics.clusters import correct_by_clusters, make_statistic
from neurodecode.numerics.null_limits import Choice
from neurodecode.numerics.nulls import Null
from neurodecode.numerics.statistics import compute_p, control_fdr
from neurodecode.numerics.voxel_bootstrap import bootstrap_median
from neurodecode.numerics.voxel_scores import score_voxels
from neurodecode.numerics.voxel_test import VoxelTest, compute_voxel_test

MOST_FOR_INTERVAL = 25_000  # voxels, evenly spaced, that the interval of the median is from
MOST_MAPS_BYTES = 1 << 31

Correction = Literal["fdr", "fdr_by", "max", "cluster_size", "cluster_mass", "tfce"]


class Encoding(Stage):
    """Score predicted responses against measured ones, with a null, p-values and corrections.

    Voxels are read and tested in blocks. Trials exchange the predictions of whole units (a
    stimulus with all its presentations) within each held-out part. Of a time series (responses
    with a ``t_r``) predictions are permuted in blocks, shifted, or turned in phase within each
    stretch of scans; numerics/null_limits.py says where each of them holds, and one that does not
    is refused. Where none holds, "auto" gives no p-values and says why. Null scores are widened by
    the square root of 2 where there are several folds, which train each other's models
    (numerics/voxel_scores.py). Intervals hold predictions fixed: they resample units
    within each part (of a time series blocks of scans), or the parts themselves where they hold
    fewer than three units.

    Parameters
    ----------
    metric : {"r", "r2"}
    within : {"fold", "run", "pooled"}
        Where correlations are taken; "pooled" must be asked for, as it is biased.
    unit : {"stimulus", "sample"}
        What is exchanged and resampled, of trials.
    null : {"auto", "exchange", "blocks", "circular_shift", "phases", "none"}
        "auto" exchanges trials, and of a time series takes the first of phases, blocks and
        circular shifts that holds.
    block_s : float or None
        Least length of a block of scans; None takes it from the autocorrelation.
    min_shift_s : float
        Circular shifts nearer to 0 are left out.
    n_permutations : int
        Counted, the smallest p is 1 / (n_permutations + 1).
    tail : {"pareto", "counted"}
        Small p-values from a generalised Pareto fit of each voxel's null, where it fits
        (numerics/tails.py), or counted only.
    correction : {"fdr", "fdr_by", "max", "cluster_size", "cluster_mass", "tfce"}
        What ``q`` holds: Benjamini-Hochberg, Benjamini-Yekutieli, or family-wise p by the maximum
        statistic, by clusters, or by threshold-free cluster enhancement.
    cluster_p : float
        Voxels below this p form clusters.
    ceiling_min : float
        Voxels with a lower ceiling are left out of the share of the ceiling that is reached.
    n_bootstrap : int
    seed : int
    """

    stage: ClassVar[str] = "evaluation.encoding"
    scores: ClassVar[bool] = True
    example: ClassVar[dict[str, int]] = {"n_permutations": 9, "n_bootstrap": 20}

    metric: Literal["r", "r2"] = "r"
    within: Within = "fold"
    unit: Literal["stimulus", "sample"] = "stimulus"
    null: Choice = "auto"
    block_s: PositiveFloat | None = None
    min_shift_s: NonNegativeFloat = 0.0
    n_permutations: NonNegativeInt = 1000
    tail: Literal["pareto", "counted"] = "pareto"
    correction: Correction = "fdr"
    cluster_p: Annotated[float, Field(gt=0, le=0.05)] = 0.001
    ceiling_min: Annotated[float, Field(gt=0, lt=1)] = 0.1
    n_bootstrap: PositiveInt = 1000
    seed: int = 0

    def run(
        self, predictions: Predictions, responses: Responses, ceiling: Scores | None = None
    ) -> Scores:
        """Return one score per voxel."""
        reader = open_held_out(
            predictions, responses, within=self.within, unit=self.unit, where=self.stage
        )
        notices: list[str] = []
        if self.within == "pooled":
            notices.append("Scores pool the rows of all folds: r is then biased below zero.")
        plan = plan_null(
            reader, self.null, self.n_permutations, self.seed,
            block_s=self.block_s, min_shift_s=self.min_shift_s,
            family_wise=not self.correction.startswith("fdr"),
        )  # fmt: skip
        notices += plan.notices
        null = plan.null
        found = self._test(reader, null) if null is not None else None
        values = self._score(reader) if found is None else found.scores
        first = self._summarize(reader, values, plan, found, notices)
        rows = [first]
        columns: dict[str, np.ndarray] = {"voxel": np.arange(len(values))}
        p = q = None
        if found is not None and null is not None:
            p, q = found.p, self._correct(found, responses)
            columns["null_mean"] = found.null_mean
            if plan.family_wise:
                columns["p_max"] = found.p_max
            notices += tell_floor(reader, null, found)
            share = float(np.mean(q[np.isfinite(q)] < 0.05)) if np.isfinite(q).any() else np.nan
            name = f"share of voxels with q < 0.05 ({self.correction})"
            rows.append(_row(name, share, np.nan, np.nan, 0.0, int(np.isfinite(q).sum())))
        ceilings = None
        if ceiling is not None:
            ceilings = self._read_ceiling(ceiling, values)
            rows.append(self._compare_to_ceiling(values, ceilings))
        undefined = int(np.isnan(values).sum())
        if undefined:
            notices.append(
                f"No score for {undefined} of {len(values)} voxels: constant, or not selected."
            )
        return Scores(
            values=values,
            over="voxels",
            items=Table(columns),
            metric="correlation" if self.metric == "r" else "R²",
            scale=self.metric,
            summary=Table({name: [row[name] for row in rows] for name in first}),
            ceiling=ceilings,
            p=p,
            q=q,
            space=responses.space,
            notices=tuple(notices),
            test_set=digest_test_set(predictions.rows),
        )

    def _score(self, reader: Reader) -> np.ndarray:
        values = np.full(reader.n_voxels, np.nan)
        for columns, held in reader.iterate():
            values[columns] = score_voxels(held, self.metric)
        return values

    def _test(self, reader: Reader, null: Null) -> VoxelTest:
        maps = self.correction in ("cluster_size", "cluster_mass", "tfce")
        size = 4 * self.n_permutations * reader.n_voxels
        if maps and size > MOST_MAPS_BYTES:
            raise DataError(
                f"{self.stage}: {self.correction} keeps the null maps of {reader.n_voxels} voxels "
                f"and {self.n_permutations} permutations, {size / 1e9:.1f} GB. Allowed: "
                f"{MOST_MAPS_BYTES / 1e9:.1f} GB. Lower n_permutations, or use correction: max."
            )
        # A tail may be fitted to draws, not to the few values that a handful of orders can give.
        n_distinct = null.count_distinct(reader.list_segments(), reader.units)
        return compute_voxel_test(
            reader.iterate(), reader.n_voxels, self.metric, null,
            tail=self.tail == "pareto" and n_distinct >= self.n_permutations, keep_maps=maps,
        )  # fmt: skip

    def _correct(self, found: VoxelTest, responses: Responses) -> np.ndarray:
        if self.correction == "max":
            return found.p_max
        if found.maps is None:
            return control_fdr(found.p, dependent=self.correction == "fdr_by")
        from scipy.stats import norm

        space = responses.space
        statistic = make_statistic(
            self.correction,  # type: ignore[arg-type]
            link_space(space, len(found.scores), self.stage),
            threshold=float(norm.isf(self.cluster_p)),
            extent=EXTENT[space.kind],
        )
        # Voxels whose null is wider (smooth responses, few parts) would make the largest clusters.
        spread = found.maps.std(axis=0, dtype=np.float64)
        spread = np.where(spread > 0, spread, np.nan)
        maps = ((null_map - found.null_mean) / spread for null_map in found.maps)
        return correct_by_clusters((found.scores - found.null_mean) / spread, maps, statistic)

    def _summarize(
        self,
        reader: Reader,
        values: np.ndarray,
        plan: Plan,
        found: VoxelTest | None,
        notices: list[str],
    ) -> dict[str, object]:
        """Return the row of the median, with its interval and its null."""
        median = float(np.nanmedian(values)) if np.isfinite(values).any() else float("nan")
        low, high = self._bootstrap(reader, plan)
        if np.isnan(low):
            notices.append("No interval: there are too few independent parts to resample.")
        row = _row("median " + self.metric, median, low, high, 0.0, int(np.isfinite(values).sum()))
        if found is not None:
            row["chance"] = row["null_mean"] = float(found.medians.mean())
            row["null_sd"] = float(found.medians.std())
            row["p"] = compute_p(found.medians, median)
        return row

    def _bootstrap(self, reader: Reader, plan: Plan) -> tuple[float, float]:
        held = replace(reader.read(reader.choose(MOST_FOR_INTERVAL)), units=plan.units)
        return bootstrap_median(
            held, self.metric, self.n_bootstrap, self.seed, by_part=plan.by_part
        )

    def _read_ceiling(self, ceiling: Scores, values: np.ndarray) -> np.ndarray:
        if ceiling.scale != self.metric or ceiling.over != "voxels":
            raise DataError(
                f"{self.stage}: the ceiling is {ceiling.scale} over {ceiling.over}, the score "
                f"{self.metric} over voxels. r and r² never mix. Make the ceiling in {self.metric}."
            )
        if len(ceiling.values) != len(values):
            raise DataError(
                f"{self.stage}: the ceiling has {len(ceiling.values)} voxels, the score "
                f"{len(values)}. Make it from the same responses."
            )
        return np.asarray(ceiling.values, np.float64)

    def _compare_to_ceiling(self, values: np.ndarray, ceilings: np.ndarray) -> dict[str, object]:
        kept = (ceilings > self.ceiling_min) & np.isfinite(values)
        share = float(np.median(values[kept] / ceilings[kept])) if kept.any() else float("nan")
        name = f"median share of the ceiling, voxels with ceiling > {self.ceiling_min:g}"
        return _row(name, share, np.nan, np.nan, 0.0, int(kept.sum()))


def _row(
    name: str, value: float, low: float, high: float, chance: float, n: int
) -> dict[str, object]:
    nan = float("nan")
    return {
        "name": name, "value": value, "low": low, "high": high, "chance": chance, "n": n,
        "null_mean": nan, "null_sd": nan, "p": nan,
    }  # fmt: skip
