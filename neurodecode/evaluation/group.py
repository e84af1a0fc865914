"""What holds across subjects: one-sample and paired tests per voxel or vertex, and per ROI.

Nichols and Holmes 2002 (sign flips, maximum statistic); Ince et al. 2021 (prevalence);
numerics/group_tests.py has the formulas. r is tested in Fisher's z, and given back as r.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field, PositiveInt

from neurodecode.core.artifacts import Scores
from neurodecode.core.digests import digest_json
from neurodecode.core.errors import DataError
from neurodecode.core.stage import Stage
from neurodecode.core.tables import Table
from neurodecode.evaluation.subject_scores import SubjectScores, read_subjects
from neurodecode.evaluation.summary import name_items
from neurodecode.numerics.group_tests import (
    GroupTest,
    compute_group_test,
    compute_t_p,
    estimate_prevalence,
)
from neurodecode.numerics.statistics import bootstrap_mean, control_fdr

FEW_SUBJECTS = 10
MOST_ROWS = 100  # items that get a row of the summary each


class Group(Stage):
    """Test scores across subjects, against chance or against other scores of the same subjects.

    Subjects are the independent unit, and their scores must lie on the same voxels, vertices or
    ROIs. With fewer than ten subjects a test across them finds little and says little about the
    population: the prevalence of the effect is given beside it, from the subjects' own p-values,
    and a notice says so. Regions that the space names are tested, too, each by the mean of its
    voxels.

    Parameters
    ----------
    test : {"sign_flip", "t"}
        Flips of the subjects' signs, all of them where they are few; or Student's t, which takes
        scores to be normal over subjects.
    alternative : {"auto", "greater", "two_sided"}
        "auto" is greater against chance, and two-sided against other scores.
    correction : {"fdr", "fdr_by", "max"}
        What ``q`` holds: Benjamini-Hochberg, Benjamini-Yekutieli, or family-wise p by the maximum
        t over voxels (sign flips only).
    chance : float
        What scores are compared with where no others are given.
    alpha : float
        Level at which a subject counts as significant on their own, for the prevalence.
    n_permutations : int
        Flips drawn where there are more.
    n_bootstrap : int
    seed : int
    """

    stage: ClassVar[str] = "evaluation.group"
    example: ClassVar[dict[str, int]] = {"n_permutations": 20, "n_bootstrap": 20}

    test: Literal["sign_flip", "t"] = "sign_flip"
    alternative: Literal["auto", "greater", "two_sided"] = "auto"
    correction: Literal["fdr", "fdr_by", "max"] = "fdr"
    chance: Annotated[float, Field(gt=-1, lt=1)] = 0.0
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    n_permutations: PositiveInt = 5000
    n_bootstrap: PositiveInt = 2000
    seed: int = 0

    def run(
        self, scores: Mapping[str, Scores], others: Mapping[str, Scores] | None = None
    ) -> Scores:
        """Return the mean over subjects of each voxel (or ROI), and its test.

        Parameters
        ----------
        scores : mapping of subject to Scores
            As ``gather: subject`` hands them over.
        others : mapping of subject to Scores, or None
            Of the same subjects: scores minus others are tested.
        """
        if self.test == "t" and self.correction == "max":
            raise DataError(
                f"{self.stage}: the maximum statistic needs flips of signs, and test: t makes "
                "none. Use test: sign_flip, or correction: fdr."
            )
        given = read_subjects(scores, others, self.chance, self.stage)
        found = self._test(given, given.values)
        p, q = self._correct(given, found, given.values)
        first, counted = given.first, self._count_subjects(given)
        names = {"voxel": np.arange(len(p))} if first.over == "voxels" else {
            "id": name_items(first.items)
        }  # fmt: skip
        return Scores(
            values=self._express(given, found.mean),
            over=first.over,
            items=Table({**names, "t": found.t, "p_max": found.p_max, **counted}),
            metric=f"difference in {first.metric}" if given.paired else first.metric,
            scale=first.scale,
            of=first.of,
            summary=self._summarize(given, q, counted),
            p=p,
            q=q,
            space=first.space,
            notices=self._tell(given, found),
            test_set=digest_json(sorted(scores[s].test_set for s in scores)),
        )

    def _test(self, given: SubjectScores, values: np.ndarray) -> GroupTest:
        return compute_group_test(
            values,
            alternative=self._side(given.paired),
            n_permutations=self.n_permutations,
            seed=self.seed,
        )

    def _side(self, paired: bool) -> Literal["greater", "two_sided"]:
        if self.alternative == "auto":
            return "two_sided" if paired else "greater"
        return self.alternative

    def _correct(
        self, given: SubjectScores, found: GroupTest, values: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        if self.correction == "max":
            return found.p, found.p_max
        p = found.p
        if self.test == "t":
            p = compute_t_p(values, self._side(given.paired))
        return p, control_fdr(p, dependent=self.correction == "fdr_by")

    def _express(self, given: SubjectScores, mean: np.ndarray) -> np.ndarray:
        """Return means over subjects in the unit of the scores."""
        if given.paired:
            return np.tanh(mean) if given.fisher else mean
        if given.fisher:
            return np.tanh(mean + np.arctanh(self.chance))
        return mean + self.chance

    def _count_subjects(self, given: SubjectScores) -> dict[str, np.ndarray]:
        if given.p is None:
            return {}
        hits = (given.p < self.alpha).sum(axis=0)
        most_likely, bound = estimate_prevalence(hits, len(given.subjects), self.alpha)
        known = np.isfinite(given.p).all(axis=0)
        return {
            "n_significant": hits,
            "prevalence": np.where(known, most_likely, np.nan),
            "prevalence_low": np.where(known, bound, np.nan),
        }

    def _summarize(
        self, given: SubjectScores, q: np.ndarray, counted: dict[str, np.ndarray]
    ) -> Table:
        """Return a row for the mean over voxels and for each region, and the shares found."""
        what = _name_parts(given.first)
        regions = {f"mean over {what}": np.ones(given.values.shape[1], bool)}
        if given.first.over == "voxels":
            rois = given.first.space.rois
            regions |= {name: np.asarray(roi, bool) for name, roi in rois.items()}
        elif given.values.shape[1] <= MOST_ROWS:
            names = name_items(given.first.items)
            regions |= {str(name): names == name for name in names}
        means = np.full((len(given.subjects), len(regions)), np.nan)
        for k, inside in enumerate(regions.values()):
            known = inside & np.isfinite(given.values).all(axis=0)
            if known.any():
                means[:, k] = given.values[:, known].mean(axis=1)
        found = self._test(given, means)
        p, corrected = self._correct(given, found, means)
        if len(regions) > 1:  # the mean over all is not one of the regions it is made of
            rest = self._correct(given, self._test(given, means[:, 1:]), means[:, 1:])[1]
            corrected = np.concatenate([p[:1], rest])
        intervals = [
            bootstrap_mean(column, np.arange(len(column)), n_bootstrap=self.n_bootstrap,
                           seed=self.seed)
            for column in means.T
        ]  # fmt: skip
        low, high = (self._express(given, np.array(side)) for side in zip(*intervals, strict=True))
        shares = {f"share with q < 0.05 ({self.correction})": q < 0.05}
        if "prevalence_low" in counted:
            shares["share shown by more than half of the population (prevalence, 95 %)"] = (
                counted["prevalence_low"] > 0.5
            )
        tested = np.isfinite(q)
        nan, chance = float("nan"), 0.0 if given.paired else self.chance
        blank, n = [nan] * len(shares), len(given.subjects)
        return Table(
            {
                "name": [*regions, *shares],
                "value": [
                    *self._express(given, means.mean(axis=0)),
                    *(
                        float(hit[tested].mean()) if tested.any() else nan
                        for hit in shares.values()
                    ),
                ],
                "low": [*low, *blank],
                "high": [*high, *blank],
                "chance": [*[chance] * len(regions), *[0.0] * len(shares)],
                "n": [*[n] * len(regions), *[int(tested.sum())] * len(shares)],
                "t": [*found.t, *blank],
                "p": [*p, *blank],
                "q": [*corrected, *blank],
            }
        )

    def _tell(self, given: SubjectScores, found: GroupTest) -> tuple[str, ...]:
        n = len(given.subjects)
        told = []
        if self.test == "sign_flip":
            how = "all flips of signs" if found.exact else "drawn flips of signs"
            told.append(f"{n} subjects, {how}: the smallest attainable p is {found.floor:.2g}.")
        if n < FEW_SUBJECTS:
            told.append(
                f"{n} subjects are too few for a test of the population. Look at each subject's "
                "own test, and at how many of them show the effect"
                + (" (prevalence)." if given.p is not None else "; these scores carry no p for it.")
            )
        missing = int((~np.isfinite(given.values).all(axis=0)).sum())
        if missing:
            what = _name_parts(given.first)
            told.append(f"No score in some subject, and no test: {missing} of the {what}.")
        return tuple(told)


def _name_parts(scores: Scores) -> str:
    """Return what the scores are of, in the plural."""
    if scores.over != "voxels":
        return f"{scores.of}s"
    return "regions" if scores.space.kind == "parcels" else "voxels"
