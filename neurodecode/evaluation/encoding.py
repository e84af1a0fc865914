"""How well an encoding model predicts held-out responses, voxel by voxel.

r is taken within each held-out fold (or run) and averaged by Fisher's z: correlations of pooled
out-of-fold predictions are biased below zero. R² is 1 minus the residual over the total sum of
squares, both summed over the held-out parts, each about its own mean; it can be negative. r and R²
never mix.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field, NonNegativeInt, PositiveInt

from neurodecode.core.artifacts import Predictions, Responses, Scores
from neurodecode.core.checks import check_finite, find_rows
from neurodecode.core.errors import DataError
from neurodecode.core.stage import Stage
from neurodecode.core.tables import Table
from neurodecode.evaluation.summary import (
    check_testable,
    digest_test_set,
    find_units,
    read_folds,
)
from neurodecode.numerics.statistics import (
    compute_p,
    control_fdr,
    correct_by_maximum,
    count_orders,
    list_exchangeable,
)
from neurodecode.numerics.voxel_scores import (
    HeldOut,
    bootstrap_median,
    permute_scores,
    score_voxels,
)


class Encoding(Stage):
    """Score predicted responses against measured ones.

    p-values exchange the predictions of whole units (a stimulus with all its presentations) within
    each held-out part. Rows of a time series cannot be exchanged; there is no p-value then, and
    controls with shuffled blocks give the null. Intervals resample units within each part, or the
    parts themselves where they hold fewer than three units or where rows are a time series.

    Parameters
    ----------
    metric : {"r", "r2"}
    within : {"fold", "run", "pooled"}
        Where correlations are taken; "pooled" must be asked for, as it is biased.
    unit : {"stimulus", "sample"}
        What is exchanged and resampled.
    null : {"auto", "exchange", "none"}
        "auto" exchanges unless the responses carry a ``t_r``.
    n_permutations : int
        The smallest p is 1 / (n_permutations + 1).
    correction : {"fdr", "max"}
        What ``q`` holds: Benjamini-Hochberg, or family-wise by the maximum statistic.
    ceiling_min : float
        Voxels with a lower ceiling are left out of the share of the ceiling that is reached.
    n_bootstrap : int
    seed : int
    """

    stage: ClassVar[str] = "evaluation.encoding"
    scores: ClassVar[bool] = True
    example: ClassVar[dict[str, int]] = {"n_permutations": 9, "n_bootstrap": 20}

    metric: Literal["r", "r2"] = "r"
    within: Literal["fold", "run", "pooled"] = "fold"
    unit: Literal["stimulus", "sample"] = "stimulus"
    null: Literal["auto", "exchange", "none"] = "auto"
    n_permutations: NonNegativeInt = 1000
    correction: Literal["fdr", "max"] = "fdr"
    ceiling_min: Annotated[float, Field(gt=0, lt=1)] = 0.1
    n_bootstrap: PositiveInt = 1000
    seed: int = 0

    def run(
        self, predictions: Predictions, responses: Responses, ceiling: Scores | None = None
    ) -> Scores:
        """Return one score per voxel."""
        check_testable(predictions, self.stage)
        held, notices = self._read(predictions, responses), []
        values = score_voxels(held, self.metric)
        if self.within == "pooled":
            notices.append("Scores pool the rows of all folds: r is then biased below zero.")
        series = self.null == "none" or (self.null == "auto" and responses.t_r is not None)
        median = float(np.nanmedian(values)) if np.isfinite(values).any() else float("nan")
        low, high = bootstrap_median(held, self.metric, self.n_bootstrap, self.seed, by_part=series)
        if np.isnan(low):
            notices.append("No interval: there are too few independent parts to resample.")
        first = _row(
            "median " + self.metric, median, low, high, 0.0, int(np.isfinite(values).sum())
        )
        columns: dict[str, np.ndarray] = {"voxel": np.arange(len(values))}
        rows, p, q = [first], None, None
        if (
            series
            or not self.n_permutations
            or count_orders(list_exchangeable(held.units, held.parts)) < 2
        ):
            why = "rows of a time series cannot be exchanged" if series else "none were asked for"
            notices.append(
                f"No p-values: {why}. Chance is taken as 0; add shuffled_brain controls for its "
                "true value."
            )
        else:
            p, q, columns["p_max"] = self._test(held, values, first, notices)
            found = float(np.mean(q[np.isfinite(q)] < 0.05)) if np.isfinite(q).any() else np.nan
            name = f"share of voxels with q < 0.05 ({self.correction})"
            rows.append(_row(name, found, np.nan, np.nan, 0.0, int(np.isfinite(q).sum())))
        ceilings = None
        if ceiling is not None:
            ceilings = self._read_ceiling(ceiling, values)
            rows.append(self._compare_to_ceiling(values, ceilings))
        undefined = int(np.isnan(values).sum())
        if undefined:
            notices.append(f"{undefined} voxels have no score: constant, or not selected.")
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

    def _read(self, predictions: Predictions, responses: Responses) -> HeldOut:
        """Read both sides row by row, joined by the samples' names."""
        if predictions.of != "responses":
            raise DataError(
                f"{self.stage}: these are predicted features. Give predicted responses (an "
                "encoding step), or score them with evaluation.identification."
            )
        table = predictions.rows
        rows = find_rows(
            responses.samples["sample_id"], table["sample_id"], what="sample", where=self.stage
        )
        predicted = np.asarray(predictions.data).reshape(len(table), -1)
        check_finite(predicted, what="predictions", where=self.stage)
        folds = read_folds(table)
        n_columns = int(np.prod(responses.data.shape[1:]))
        measured = np.full((len(rows), n_columns), np.nan)
        aligned = np.full((len(rows), n_columns), np.nan)
        for fold in np.unique(folds):
            inside = np.flatnonzero(folds == fold)
            number = int(fold) if fold >= 0 else None
            order = np.argsort(rows[inside], kind="stable")  # stored arrays: ascending rows
            block = responses.read(rows[inside][order], number).reshape(len(inside), -1)
            columns = responses.columns(number) if len(responses.data.shape) == 2 else slice(None)
            check_finite(block, what="responses", where=self.stage)
            self._check_columns(predicted.shape[1], block.shape[1], n_columns)
            guess = predicted[inside][order]
            if predicted.shape[1] != block.shape[1]:
                guess = guess[:, columns]
            for into, values in ((measured, block), (aligned, guess)):
                into[np.ix_(inside[order], np.arange(n_columns)[columns])] = values
        parts = self._find_parts(table, folds)
        units = find_units(table, self.unit, self.stage) if self.unit == "sample" or (
            (table["stimulus_id"] != "").all()
        ) else np.arange(len(table))  # fmt: skip
        return HeldOut(aligned, measured, parts, units)

    def _check_columns(self, n_predicted: int, n_read: int, n_all: int) -> None:
        if n_predicted not in (n_read, n_all):
            raise DataError(
                f"{self.stage}: predictions have {n_predicted} columns, responses {n_read} of "
                f"{n_all} in this fold. Give the responses that the encoder was fitted to."
            )

    def _find_parts(self, table: Table, folds: np.ndarray) -> np.ndarray:
        if self.within == "pooled":
            parts = np.zeros(len(table), np.int64)
        elif self.within == "fold":
            parts = np.unique(folds, return_inverse=True)[1]
        else:
            runs = find_units(table, "run", self.stage)  # the model differs by fold, too
            parts = np.unique(np.stack([folds, runs]), axis=1, return_inverse=True)[1].ravel()
        least = int(np.bincount(parts).min())
        if least < 3:
            raise DataError(
                f"{self.stage}: a held-out {self.within} holds {least} rows. Allowed: 3 or more "
                f"for a score within each {self.within}. Use fewer folds, within: run or fold, or "
                "set within: pooled, which is biased."
            )
        return parts

    def _test(
        self, held: HeldOut, values: np.ndarray, first: dict[str, object], notices: list[str]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return p, q and family-wise p per voxel; add the null of the median to the summary."""
        found = permute_scores(held, self.metric, self.n_permutations, self.seed, values)
        p = np.where(
            np.isfinite(values), (1 + found.n_at_least) / (1 + self.n_permutations), np.nan
        )
        p_max = correct_by_maximum(found.maxima, values)
        n_orders = count_orders(list_exchangeable(held.units, held.parts))
        floor = max(1 / (1 + self.n_permutations), 1 / n_orders)
        notices.append(f"The smallest attainable p is {floor:.2g}.")
        first["chance"] = first["null_mean"] = float(found.medians.mean())
        first["null_sd"] = float(found.medians.std())
        first["p"] = compute_p(found.medians, float(first["value"]))  # type: ignore[arg-type]
        return p, control_fdr(p) if self.correction == "fdr" else p_max, p_max

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
