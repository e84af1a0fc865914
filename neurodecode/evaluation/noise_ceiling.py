"""The best score that any model can reach, given the noise between repeats of a stimulus.

ncsnr        noise variance is the variance between repeats, signal variance what remains of the
             total; with ncsnr their ratio of standard deviations, the ceiling of r² for the mean
             of k repeats is ncsnr² / (ncsnr² + 1 / k) (Allen et al. 2022, Nature Neuroscience;
             for stimuli with unequal k the mean of 1 / k stands for 1 / k).
split_half   rho_k = k r / (1 + (k - 1) r), with r the mean correlation between repeats over all
             pairs: the Spearman-Brown formula without the bias of unequal halves. rho_k is the
             ceiling of r², its square root that of r.
"""

from __future__ import annotations

from itertools import combinations
from typing import ClassVar, Literal

import numpy as np
from pydantic import PositiveInt

from neurodecode.core.artifacts import Responses, Scores
from neurodecode.core.checks import check_finite
from neurodecode.core.errors import DataError
from neurodecode.core.lineage import ContactKind
from neurodecode.core.stage import Stage
from neurodecode.core.tables import Table
from neurodecode.evaluation.summary import digest_test_set
from neurodecode.numerics.statistics import bootstrap_counts, correlate_columns, read_interval


class NoiseCeiling(Stage):
    """Ceiling of each voxel from repeated presentations.

    Negative estimates of signal variance give a ceiling of zero. Ceilings from few stimuli are
    wide; the summary holds the interval of their median over stimuli.

    Parameters
    ----------
    method : {"ncsnr", "split_half"}
    scale : {"r2", "r"}
        Unit of the score that it limits.
    n_averaged : int or None
        Repeats averaged in what is scored: 1 for single presentations; None for the mean of all
        repeats there are.
    n_bootstrap : int
    seed : int
    """

    stage: ClassVar[str] = "evaluation.noise_ceiling"
    contact: ClassVar[ContactKind] = "transductive"  # responses alone: no features, no scores

    method: Literal["ncsnr", "split_half"] = "ncsnr"
    scale: Literal["r2", "r"] = "r2"
    n_averaged: PositiveInt | None = 1
    n_bootstrap: PositiveInt = 200
    seed: int = 0

    def run(self, responses: Responses) -> Scores:
        """Return one ceiling per voxel."""
        shown = responses.samples["stimulus_id"]
        kept = np.flatnonzero(shown != "")
        names, stimulus = np.unique(shown[kept], return_inverse=True)
        repeated = np.bincount(stimulus, minlength=len(names)) > 1
        if repeated.sum() < 3:
            raise DataError(
                f"{self.stage}: {int(repeated.sum())} stimuli were shown more than once. Allowed: "
                "3 or more; a ceiling needs repeats."
            )
        rows = kept[repeated[stimulus]]
        data = responses.read(rows).reshape(len(rows), -1).astype(np.float64)
        check_finite(data, what="responses", where=self.stage)
        group = np.unique(shown[rows], return_inverse=True)[1]
        values = self._compute(data, group)
        rng = np.random.default_rng(self.seed)
        n = int(group.max()) + 1
        members = [np.flatnonzero(group == g) for g in range(n)]
        medians = []
        for counts in bootstrap_counts(n, self.n_bootstrap, rng):
            drawn = np.repeat(np.arange(n), counts)
            again = np.concatenate([members[g] for g in drawn])
            number = np.repeat(np.arange(n), [len(members[g]) for g in drawn])
            medians.append(float(np.median(self._compute(data[again], number))))
        low, high = read_interval(np.array(medians), n)
        return Scores(
            values=values,
            over="voxels",
            items=Table({"voxel": np.arange(len(values))}),
            metric=f"noise ceiling ({self.method})",
            scale=self.scale,
            summary=Table(
                {"name": [f"median ceiling of {self.scale}"], "value": [float(np.median(values))],
                 "low": [low], "high": [high], "chance": [0.0], "n": [len(values)],
                 "n_units": [n]}
            ),
            space=responses.space,
            notices=(f"From {n} repeated stimuli, {len(rows)} presentations.",),
            test_set=digest_test_set(responses.samples.take(rows)),
        )  # fmt: skip

    def _compute(self, data: np.ndarray, group: np.ndarray) -> np.ndarray:
        sizes = np.bincount(group)
        per_score = 1 / self.n_averaged if self.n_averaged else float((1 / sizes).mean())
        if self.method == "ncsnr":
            squared = compute_ncsnr(data, group) ** 2
            ceiling = squared / (squared + per_score)
        else:
            r = np.maximum(correlate_repeats(data, group), 0)
            k = 1 / per_score
            ceiling = k * r / (1 + (k - 1) * r)
        return ceiling if self.scale == "r2" else np.sqrt(ceiling)


def compute_ncsnr(data: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Standard deviation of the signal over that of the noise.

    The variance between stimulus means holds noise, too: a share of 1 / k of it is taken off.

    Parameters
    ----------
    data : array, shape (n_presentations, n_voxels)
    group : array of int, shape (n_presentations,)
        Stimulus of each.

    Returns
    -------
    ncsnr : array, shape (n_voxels,)
        Zero or more.
    """
    sizes = np.bincount(group)[:, None]
    sums = np.zeros((len(sizes), data.shape[1]))
    np.add.at(sums, group, data)
    means = sums / sizes
    within = ((data - means[group]) ** 2).sum(axis=0) / (sizes - 1).sum()
    between = means.var(axis=0, ddof=1) - within * (1 / sizes).mean()
    return np.sqrt(np.maximum(between, 0) / np.where(within > 0, within, np.inf))


def correlate_repeats(data: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Mean correlation between repeats, over all pairs of repeats that share three stimuli."""
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], group[order])
    repeat = np.empty(len(group), np.int64)
    repeat[order] = np.arange(len(group)) - starts
    total, n_pairs = np.zeros(data.shape[1]), 0
    for first, second in combinations(range(int(repeat.max()) + 1), 2):
        a, b = np.flatnonzero(repeat == first), np.flatnonzero(repeat == second)
        a, b = a[np.isin(group[a], group[b])], b[np.isin(group[b], group[a])]
        a, b = a[np.argsort(group[a])], b[np.argsort(group[b])]
        if len(a) >= 3:
            total += np.nan_to_num(correlate_columns(data[a], data[b]))  # constant: no signal
            n_pairs += 1
    return total / max(1, n_pairs)
