"""The best score that any model can reach, given the noise between repeats of a stimulus.

The three conventions of the field (ncsnr, split-half, explainable variance) estimate one quantity,
the share of the variance of one presentation that repeats have in common, and are written out in
numerics/noise_ceilings.py; ceilings of means of repeats and intervals are those of
numerics/ceiling_intervals.py. What subjects have in common is another quantity, and another stage
(evaluation.inter_subject).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import PositiveFloat, PositiveInt, model_validator

from neurodecode.core.artifacts import Array, Responses, Scores
from neurodecode.core.checks import check_finite
from neurodecode.core.errors import DataError
from neurodecode.core.lineage import ContactKind
from neurodecode.core.progress import track
from neurodecode.core.stage import Stage
from neurodecode.core.tables import Table
from neurodecode.evaluation.ceiling_summary import Ceilings, MeanOverVoxels, summarize
from neurodecode.evaluation.repeats import find_shown, keep_repeated
from neurodecode.evaluation.summary import digest_test_set
from neurodecode.numerics.ceiling_intervals import (
    compute_normal_interval,
    differentiate_step_up,
    jackknife,
    step_up,
    sum_blocks,
    take_root,
)
from neurodecode.numerics.noise_ceilings import MIN_STIMULI, estimate_reliability
from neurodecode.numerics.statistics import control_fdr

BLOCK_BYTES = 1 << 26
FEW_BLOCKS = 10


class NoiseCeiling(Stage):
    """Ceiling of each voxel from repeated presentations, with its interval.

    The ceiling is that of a score against the mean of so many repeats, over stimuli of the kind
    shown; it holds for r² or r as said, never for both. Where there is no signal the estimate is
    negative as often as positive. It stays so unless asked, since a mean over voxels of estimates
    clipped at zero is too high; the summary never clips.

    Parameters
    ----------
    method : {"ncsnr", "split_half", "explainable_variance"}
        Analysis of variance; mean correlation over all pairs of repeats, stepped up by Spearman and
        Brown's formula; or signal power over total power. All take stimuli with unequal numbers of
        repeats. The first counts a shift between first and later repeats as noise, the others do
        not.
    scale : {"r2", "r"}
        Unit of the score that it limits.
    n_averaged : int or None
        Repeats averaged in what is scored: 1 for single presentations; None for the mean of all
        repeats there are.
    match : {"stimulus", "position"}
        Repeats are presentations of one stimulus; or, in time series, the scans at one position of
        runs that show the same. Remove drift within runs first: what runs share of it looks
        like signal.
    same : str
        By position: the column of the sample table that names what a run shows; "" where all runs
        show the same. Runs whose content comes once are left out.
    block_s : float
        By position: seconds of a run that are left out together by the jackknife; longer than the
        autocorrelation of signal and noise.
    interval : {"jackknife", "normal"}
        Over stimuli, whatever the distribution; or exact for normal signal and noise, as
        reliabilities are often reported, and too narrow for others. By position: jackknife. With
        unequal numbers of repeats normal is for ncsnr alone.
    level : float
        Of the intervals.
    negative : {"keep", "zero"}
        What the map holds for estimates below zero. In units of r, "keep" gives minus the root of
        their size.
    """

    stage: ClassVar[str] = "evaluation.noise_ceiling"
    version: ClassVar[int] = 2
    contact: ClassVar[ContactKind] = "transductive"  # responses alone: no features, no scores

    method: Literal["ncsnr", "split_half", "explainable_variance"] = "ncsnr"
    scale: Literal["r2", "r"] = "r2"
    n_averaged: PositiveInt | None = 1
    match: Literal["stimulus", "position"] = "stimulus"
    same: str = ""
    block_s: PositiveFloat = 30.0
    interval: Literal["jackknife", "normal"] = "jackknife"
    level: PositiveFloat = 0.95
    negative: Literal["keep", "zero"] = "keep"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.level >= 1:
            raise ValueError("level is no probability. Allowed: above 0 and below 1, such as 0.95.")
        if self.same and self.match == "stimulus":
            raise ValueError(
                "same is set, but repeats are matched by stimulus. Set match: position, too."
            )
        if self.match == "position" and self.interval == "normal":
            raise ValueError(
                "interval: normal takes rows as independent, and those of a time series are not. "
                "Set interval: jackknife."
            )
        return self

    def run(self, responses: Responses) -> Scores:
        """Return one ceiling per voxel.

        Returns
        -------
        scores : Scores
            Items hold ``low`` and ``high``, ``reliability`` (the ceiling of r² for one
            presentation, not clipped) and ``ncsnr``; p and q test against a ceiling of zero. Rows
            of the summary are means over voxels, of all and of each roi, with the reliability of
            one presentation beside them.
        """
        shown = find_shown(responses, self.match, self.same, self.block_s, self.stage)
        rows, stimulus, blocks = keep_repeated(shown)
        n_stimuli, n_blocks = len(blocks), int(blocks.max(initial=-1)) + 1
        what = "stimuli" if self.match == "stimulus" else "stretches of time"
        if n_blocks < MIN_STIMULI:
            raise DataError(
                f"{self.stage}: {n_blocks} {what} were shown more than once. Allowed: "
                f"{MIN_STIMULI} or more; a ceiling needs repeats."
            )
        if self.interval == "normal" and self.method != "ncsnr":
            n_of_each = np.bincount(stimulus)
            if n_of_each.min() < n_of_each.max():
                raise DataError(
                    f"{self.stage}: stimuli have {n_of_each.min()} to {n_of_each.max()} repeats, "
                    f"for which {self.method} knows no normal interval. Set interval: jackknife, "
                    "or method: ncsnr."
                )
        data = responses.read(rows).reshape(len(rows), -1)
        check_finite(data, what="responses", where=self.stage)
        found, means = self._estimate(data, stimulus, blocks, responses.space.rois)
        notices = [f"From {n_stimuli} repeated stimuli, {len(rows)} presentations."]
        if self.match == "position":
            notices = [
                f"From {n_stimuli} time points shown in {len(rows) / n_stimuli:.3g} runs; "
                f"intervals leave out {n_blocks} stretches of {self.block_s:g} s in turn."
            ]
        if n_blocks < FEW_BLOCKS:
            notices.append(f"Intervals from {n_blocks} {what} are not to be relied upon.")
        constant = int(np.isnan(found.reliability).sum())
        if constant:
            notices.append(f"{constant} voxels are constant and have no ceiling.")
        opposed = int(np.isnan(found.values).sum()) - constant
        if opposed:
            notices.append(f"{opposed} voxels have no ceiling: their repeats are opposed.")
        below = int((found.values < 0).sum())
        if below:
            told = "set to 0 in the map, not in the summary" if self.negative == "zero" else "kept"
            notices.append(f"{below} voxels have an estimate below zero, {told}.")
        q = control_fdr(found.p)
        values = np.maximum(found.values, 0) if self.negative == "zero" else found.values
        return Scores(
            values=values,
            over="voxels",
            items=Table(
                {"voxel": np.arange(len(values)), "low": found.low, "high": found.high,
                 "reliability": found.reliability, "ncsnr": found.ncsnr}
            ),
            metric=f"noise ceiling ({self.method})",
            scale=self.scale,
            summary=summarize(found, means, q, self.scale, self.level, n_blocks),
            p=found.p,
            q=q,
            space=responses.space,
            notices=tuple(notices),
            test_set=digest_test_set(responses.samples.take(rows)),
        )  # fmt: skip

    def _estimate(
        self, data: np.ndarray, stimulus: np.ndarray, blocks: np.ndarray, rois: Mapping[str, Array]
    ) -> tuple[Ceilings, Sequence[MeanOverVoxels]]:
        """Return the ceilings of all voxels, some at a time, and their means over voxels."""
        k = self.n_averaged or float(1 / (1 / np.bincount(stimulus)).mean())
        means = MeanOverVoxels.list_for(rois, data.shape[1])
        parts: list[Ceilings] = []
        width = max(1, BLOCK_BYTES // (8 * len(data)))
        for start in track(range(0, data.shape[1], width), self.stage):
            block = data[:, start : start + width].astype(np.float64)
            found = estimate_reliability(block, stimulus, self.method)
            influence = sum_blocks(found.influence, blocks)
            if self.interval == "normal":
                bounds = compute_normal_interval(
                    block, stimulus, found.rho, self.method, self.level
                )
            else:
                bounds = jackknife(found.rho, influence, found.n_harmonic, self.level)
            ceiling = step_up(found.rho, k)
            scaled = influence * differentiate_step_up(found.rho, k)
            for mean in means:
                mean.add(start, ceiling, scaled, found.rho, influence)
            low, high = (step_up(bound, k) for bound in (bounds.low, bounds.high))
            low = np.where(np.isnan(low) & ~np.isnan(ceiling), -np.inf, low)
            if self.scale == "r":
                ceiling, low, high = take_root(ceiling), take_root(low), take_root(high)
            parts.append(Ceilings(ceiling, low, high, found.rho, found.ncsnr, bounds.p))
        for mean in means:
            mean.n_repeats, mean.k = found.n_harmonic, k
        return Ceilings.join(parts), means
