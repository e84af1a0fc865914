"""What subjects have in common: each correlated with the mean of the others, voxel by voxel.

This is not the noise ceiling. What it estimates is written out in numerics/inter_subject.py: it
counts signal of a subject's own as noise, and grows with the number of subjects.
"""

from __future__ import annotations

from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import PositiveFloat, model_validator

from neurodecode.core.artifacts import Responses, Scores
from neurodecode.core.checks import check_finite, check_known
from neurodecode.core.errors import DataError
from neurodecode.core.lineage import ContactKind
from neurodecode.core.progress import track
from neurodecode.core.stage import Stage
from neurodecode.core.tables import Table
from neurodecode.evaluation.repeats import find_shown
from neurodecode.evaluation.summary import digest_test_set
from neurodecode.numerics.ceiling_intervals import sum_blocks
from neurodecode.numerics.inter_subject import (
    MIN_SAMPLES,
    Agreement,
    average_agreement,
    correlate_with_others,
)
from neurodecode.numerics.statistics import average_fisher_z, control_fdr

BLOCK_BYTES = 1 << 26


class InterSubject(Stage):
    """Correlation of each subject with the mean of the others.

    The mean over subjects is taken by Fisher's z. Intervals leave out stimuli (or stretches of
    time): they hold for these subjects and say nothing of others.

    Parameters
    ----------
    subject : str
        The one whose correlation is wanted; "" gives the mean over subjects.
    match : {"stimulus", "position"}
        Subjects are compared on the stimuli that all of them saw, each averaged over its repeats;
        or, in time series, on the scans at one position of runs that show the same.
    same : str
        By position: the column of the sample table that names what a run shows. "run" pairs runs
        of one session and name, "" takes all runs to show the same; runs that show the same are
        averaged.
    block_s : float
        By position: seconds that are left out together by the jackknife.
    level : float
        Of the intervals.
    """

    stage: ClassVar[str] = "evaluation.inter_subject"
    contact: ClassVar[ContactKind] = "transductive"  # responses alone: no features, no scores

    subject: str = ""
    match: Literal["stimulus", "position"] = "stimulus"
    same: str = "run"
    block_s: PositiveFloat = 30.0
    level: PositiveFloat = 0.95

    @model_validator(mode="after")
    def _check_level(self) -> Self:
        if self.level >= 1:
            raise ValueError("level is no probability. Allowed: above 0 and below 1, such as 0.95.")
        return self

    def run(self, responses: dict[str, Responses]) -> Scores:
        """Return one correlation per voxel.

        Parameters
        ----------
        responses : mapping of subject to Responses
            Two subjects or more, in one space (gather: subject), each (n_samples, n_voxels).

        Returns
        -------
        scores : Scores
            Of scale r. Items hold ``low`` and ``high``, and ``r/SUBJECT`` of each subject.

        Raises
        ------
        DataError
            Spaces differ, or too little was shown to all of them.
        """
        if len(responses) < 2:
            raise DataError(
                f"{self.stage}: there is one subject ({', '.join(responses)}). Allowed: two or "
                "more. Gather them (gather: subject)."
            )
        if self.subject:
            check_known(self.subject, list(responses), what="subject", where=self.stage)
        _check_columns(responses, self.stage)
        means, blocks, rows = self._average(responses)
        n_blocks = int(blocks.max()) + 1
        labels = list(responses)
        chosen = [labels.index(self.subject)] if self.subject else list(range(len(labels)))
        n_voxels = next(iter(means.values())).shape[1]
        parts, changes = [], np.zeros(n_blocks)
        width = max(1, BLOCK_BYTES // (8 * len(labels) * len(blocks)))
        for start in track(range(0, n_voxels, width), self.stage):
            stacked = np.stack([means[name][:, start : start + width] for name in labels])
            found = correlate_with_others(stacked)
            some = Agreement(found.r[chosen], found.influence[chosen])
            mean, bounds = average_agreement(some, blocks, self.level)
            change = sum_blocks(some.influence.mean(axis=0), blocks)
            changes += change[:, np.isfinite(mean)].sum(axis=1)
            parts.append(np.stack([mean, bounds.low, bounds.high, bounds.p, *found.r]))
        values, low, high, p, *r = np.concatenate(parts, axis=1)
        columns = {f"r/{name}": one for name, one in zip(labels, r, strict=True)}
        return Scores(
            values=values,
            over="voxels",
            items=Table({"voxel": np.arange(n_voxels), "low": low, "high": high, **columns}),
            metric="correlation with the mean of the other subjects",
            scale="r",
            summary=self._summarize(values, columns, changes, n_blocks),
            p=p,
            q=control_fdr(p),
            space=next(iter(responses.values())).space,
            notices=(
                f"{len(labels)} subjects on {len(blocks)} shared "
                f"{'stimuli' if self.match == 'stimulus' else 'time points'}. This is not a noise "
                "ceiling: signal of a subject's own counts as noise.",
            ),
            test_set=digest_test_set(rows),
        )

    def _average(
        self, responses: dict[str, Responses]
    ) -> tuple[dict[str, np.ndarray], np.ndarray, Table]:
        """Return each subject's means of what all saw, the blocks of these, and all rows used."""
        shown = {
            name: find_shown(given, self.match, self.same, self.block_s, f"{self.stage}: '{name}'")
            for name, given in responses.items()
        }
        shared = sorted(set.intersection(*({*s.names.tolist()} for s in shown.values())))
        first = next(iter(shown.values()))
        where = dict(zip(first.names.tolist(), first.blocks.tolist(), strict=True))
        blocks = np.unique([where[name] for name in shared], return_inverse=True)[1]
        if len(np.unique(blocks)) < MIN_SAMPLES:
            numbers = ", ".join(f"{name} {len(np.unique(s.names))}" for name, s in shown.items())
            raise DataError(
                f"{self.stage}: {len(np.unique(blocks))} stimuli or stretches of time were shown "
                f"to all subjects (each alone: {numbers}). Allowed: {MIN_SAMPLES} or more. Check "
                "match and same, or lower block_s."
            )
        means, used = {}, []
        for name, given in responses.items():
            kept = np.flatnonzero(np.isin(shown[name].names, shared))
            rows, code = shown[name].rows[kept], np.searchsorted(shared, shown[name].names[kept])
            data = given.read(rows)
            check_finite(data, what="responses", where=f"{self.stage}: '{name}'")
            order = np.argsort(code, kind="stable")
            starts = np.searchsorted(code[order], np.arange(len(shared)))
            totals = np.add.reduceat(data[order].astype(np.float64), starts, axis=0)
            means[name] = totals / np.bincount(code)[:, None]
            used.append(given.samples.take(rows)["sample_id"])
        return means, blocks, Table({"sample_id": np.concatenate(used)})

    def _summarize(
        self,
        values: np.ndarray,
        of_subjects: dict[str, np.ndarray],
        changes: np.ndarray,
        n_blocks: int,
    ) -> Table:
        """Return means over voxels by Fisher's z; the first, over subjects, with its interval."""
        from scipy.stats import t

        spread = ((changes - changes.mean()) ** 2).sum() * (n_blocks - 1) / n_blocks
        error = np.sqrt(spread) / max(1, int(np.isfinite(values).sum()))
        reach = t.ppf((1 + self.level) / 2, n_blocks - 1) * error
        mean = float(average_fisher_z(values))
        rows = [
            (f"mean r of {self.subject or 'subjects'} with the others", values, mean,
             np.tanh(np.arctanh(mean) - reach), np.tanh(np.arctanh(mean) + reach)),
            *((f"mean {name}", r, average_fisher_z(r), np.nan, np.nan)
              for name, r in of_subjects.items()),
        ]  # fmt: skip
        names, maps, means, lows, highs = zip(*rows, strict=True)
        counts = [int(np.isfinite(one).sum()) for one in maps]
        return Table(
            {"name": names, "value": means, "low": lows, "high": highs,
             "chance": np.zeros(len(names)), "n": counts}
        )  # fmt: skip


def _check_columns(responses: dict[str, Responses], where: str) -> None:
    first_name, first = next(iter(responses.items()))
    for name, given in responses.items():
        if len(given.data.shape) != 2:
            raise DataError(
                f"{where}: '{name}' has shape {tuple(given.data.shape)}. Allowed: (n_samples, "
                "n_voxels). Average over time first."
            )
        ours, theirs = first.space, given.space
        unlike = given.data.shape[1] != first.data.shape[1] or (ours.kind, ours.mesh) != (
            theirs.kind, theirs.mesh,
        )  # fmt: skip
        for what in ("vertices", "mask", "affine", "names"):
            a, b = getattr(ours, what), getattr(theirs, what)
            unlike |= (a is None) != (b is None) or (
                a is not None and not np.array_equal(np.asarray(a), np.asarray(b))
            )
        if unlike:
            n, n_first = given.data.shape[1], first.data.shape[1]
            raise DataError(
                f"{where}: '{name}' has {n} columns ({theirs.kind} {theirs.mesh}) that do not "
                f"correspond to the {n_first} of '{first_name}' ({ours.kind} {ours.mesh}). Bring "
                "them into one space first (a common surface, parcels)."
            )
