"""Which of two encoders predicts the same responses better, voxel by voxel and by region?

Unlike evaluation.compare, which sees two scores, this sees both predictions, and so can swap them
block by block and draw runs or blocks of both together (numerics/encoder_comparison.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np
from pydantic import PositiveFloat, PositiveInt

from neurodecode.core.artifacts import Predictions, Responses, Scores
from neurodecode.core.checks import find_rows
from neurodecode.core.errors import DataError
from neurodecode.core.stage import Stage
from neurodecode.core.tables import Table
from neurodecode.evaluation.held_out import Reader, Within, open_held_out
from neurodecode.evaluation.regions import average_regions, find_regions
from neurodecode.evaluation.summary import digest_test_set, read_folds
from neurodecode.evaluation.voxel_nulls import Plan, plan_null, widen_null
from neurodecode.numerics.encoder_comparison import (
    Pair,
    bootstrap_differences,
    compute_summary_p,
    compute_swap_test,
    draw_swaps,
)
from neurodecode.numerics.statistics import control_fdr

MOST_SUMMARIZED = 25_000  # voxels, evenly spaced, that medians and regions are from
FEWEST_UNITS = 6  # to swap: 2 of 64 swaps are the smallest p of 0.03


class CompareEncoders(Stage):
    """Difference in r or R² between two encoders, first minus second, tested in pairs.

    Both must predict the same rows in the same folds. Under the null they are as good as each
    other: their predictions are swapped in blocks of scans (trials: whole stimuli), two-sided.
    Intervals draw blocks or runs, the same for both.

    Parameters
    ----------
    metric : {"r", "r2"}
    within : {"fold", "run", "pooled"}
        Where correlations are taken.
    unit : {"stimulus", "sample"}
        What is swapped and drawn, of trials.
    block_s : float or None
        Least length of a block of scans; None takes it from the autocorrelation.
    correction : {"fdr", "fdr_by", "max"}
        What ``q`` holds: Benjamini-Hochberg, Benjamini-Yekutieli, or family-wise p by the largest
        absolute difference.
    labels : tuple of two str
        What the two are called in the summary.
    n_permutations, n_bootstrap : int
    seed : int
    """

    stage: ClassVar[str] = "evaluation.compare_encoders"
    scores: ClassVar[bool] = True
    example: ClassVar[dict[str, int]] = {"n_permutations": 9, "n_bootstrap": 20}

    metric: Literal["r", "r2"] = "r"
    within: Within = "fold"
    unit: Literal["stimulus", "sample"] = "stimulus"
    block_s: PositiveFloat | None = None
    correction: Literal["fdr", "fdr_by", "max"] = "fdr"
    labels: tuple[str, str] = ("first", "second")
    n_permutations: PositiveInt = 2000
    n_bootstrap: PositiveInt = 1000
    seed: int = 0

    def run(self, first: Predictions, second: Predictions, responses: Responses) -> Scores:
        """Return one difference per voxel."""
        order = self._match(first, second)
        ours, theirs = (
            open_held_out(p, responses, within=self.within, unit=self.unit, where=self.stage)
            for p in (first, second.take(order))
        )
        if ours.tests_twice:
            raise DataError(
                f"{self.stage}: some samples are tested in several folds, and their rows cannot be "
                "swapped apart from each other. Give a split that tests each sample once."
            )
        plans = [plan_null(r, "none", 0, self.seed, block_s=self.block_s) for r in (ours, theirs)]
        plan = min(
            plans, key=lambda one: len(np.unique(one.units))
        )  # the longer blocks do for both
        n_units = len(np.unique(plan.units))
        swaps = draw_swaps(n_units, self.n_permutations, self.seed)
        stretch, crossed = widen_null(ours)
        found = compute_swap_test(
            _iterate_pairs(ours, theirs, plan), ours.n_voxels, self.metric, swaps, stretch
        )
        q = found.p_max if self.correction == "max" else (
            control_fdr(found.p, dependent=self.correction == "fdr_by")
        )  # fmt: skip
        summary, told = self._summarize(ours, theirs, plan, (swaps, stretch), responses)
        floor = (2 if len(swaps) == 2 ** min(n_units, 62) else 1) / len(swaps)  # all, or drawn
        notices = [
            f"Predictions were swapped in {n_units} {self._name_units(ours)}: the smallest "
            f"attainable p is {floor:.2g}.",
            *crossed,
        ]
        if n_units < FEWEST_UNITS:
            notices.append(f"{n_units} are too few to find a difference at p < 0.05.")
        return Scores(
            values=found.difference,
            over="voxels",
            items=Table({"voxel": np.arange(len(q)), "p_max": found.p_max}),
            metric="difference in " + ("correlation" if self.metric == "r" else "R²"),
            scale=self.metric,
            summary=summary,
            p=found.p,
            q=q,
            space=responses.space,
            notices=(*notices, *told),
            test_set=digest_test_set(first.rows),
        )

    def _match(self, first: Predictions, second: Predictions) -> np.ndarray:
        """Return the second's rows in the first's order, or raise DataError where they differ."""
        names = []
        for one in (first, second):
            folds = read_folds(one.rows).astype(str)
            names.append(np.char.add(np.char.add(one.rows["sample_id"].astype(str), "/"), folds))
        ours, theirs = names
        shared = len(np.intersect1d(ours, theirs))
        if shared < max(len(ours), len(theirs)):
            samples = len(np.intersect1d(first.rows["sample_id"], second.rows["sample_id"]))
            raise DataError(
                f"{self.stage}: the encoders predict {len(ours)} and {len(theirs)} rows; "
                f"{samples} samples are shared, and {shared} of them are tested in the same fold. "
                "Allowed: the same rows in the same folds. Give both encoders one split."
            )
        if first.data.shape[1:] != second.data.shape[1:]:
            raise DataError(
                f"{self.stage}: the encoders predict {first.data.shape[1:]} and "
                f"{second.data.shape[1:]} voxels. Fit both to the same responses."
            )
        return find_rows(theirs, ours, what="row", where=self.stage)

    def _name_units(self, reader: Reader) -> str:
        return "blocks of scans" if reader.segments is not None else f"units ({self.unit})"

    def _summarize(
        self,
        ours: Reader,
        theirs: Reader,
        plan: Plan,
        swaps: tuple[np.ndarray, float],
        responses: Responses,
    ) -> tuple[Table, list[str]]:
        """Return the median difference and the mean of each region, with interval and p."""
        columns = ours.choose(MOST_SUMMARIZED)
        pair = _make_pair(ours, theirs, plan, columns)
        regions = find_regions(responses.space, columns)

        def summarize(differences: np.ndarray) -> np.ndarray:
            return average_regions(differences, regions)

        observed, p = compute_summary_p(pair, self.metric, summarize, *swaps)
        intervals = bootstrap_differences(
            pair, self.metric, summarize, self.n_bootstrap, self.seed, by_part=plan.by_part
        )
        told = []
        if np.isnan(intervals[0][0]):
            told.append("No interval: there are too few independent parts to resample.")
        if len(columns) < ours.n_voxels:
            told.append(f"Median and regions are from {len(columns)} evenly spaced voxels.")
        low, high = zip(*intervals, strict=True)
        known = np.isfinite(pair.compare(self.metric))
        q, between = np.full(len(p), np.nan), f"{self.labels[0]} − {self.labels[1]}"
        q[1:] = control_fdr(p[1:])
        return Table(
            {
                "name": [f"median: {between}", *(f"{name}: {between}" for name in regions)],
                "value": observed, "low": low, "high": high, "chance": np.zeros(len(p)),
                "n": [int(known.sum()), *(int(known[i].sum()) for i in regions.values())],
                "p": p, "q": q,
            }
        ), told  # fmt: skip


def _make_pair(ours: Reader, theirs: Reader, plan: Plan, columns: slice | np.ndarray) -> Pair:
    first, second = (replace(r.read(columns), units=plan.units) for r in (ours, theirs))
    return Pair(first, second)


def _iterate_pairs(ours: Reader, theirs: Reader, plan: Plan) -> Iterator[tuple[slice, Pair]]:
    for columns in ours.list_blocks():
        yield columns, _make_pair(ours, theirs, plan, columns)
