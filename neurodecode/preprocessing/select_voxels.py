"""Keep some voxels: by reliability, by variance, by encoding score, or by region of interest.

With a split, each fold chooses on its training rows and the choice is applied when it is read.
What reliability and the encoding score are is said in numerics/voxel_selection.py. Choosing by the
encoding score looks at the stimuli's features, and so at what a decoder is to predict: over all
rows it is a leak that cannot be named as harmless, as selection by reliability can.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from neurodecode.core.artifacts import Features, Foldwise, Responses, Scores, Split
from neurodecode.core.checks import check_finite, check_known
from neurodecode.core.errors import DataError
from neurodecode.core.lineage import ContactKind
from neurodecode.core.progress import track
from neurodecode.core.rows import (
    check_foldwise,
    find_used_rows,
    group_samples,
    read_features,
)
from neurodecode.core.stage import Sight, Stage
from neurodecode.numerics.ridge import DEFAULT_ALPHAS
from neurodecode.numerics.voxel_selection import compute_reliability, score_by_encoding


class SelectVoxels(Stage):
    """Keep the voxels that are reliable, that vary, that features predict, or that lie in a region.

    Parameters
    ----------
    by : {"reliability", "variance", "encoding", "scores", "roi"}
        Reliability: mean correlation between repeats of the same stimulus, in [-1, 1]. Variance:
        in squared units of the responses as read. Encoding: how well ridge predicts the voxel
        from features, by inner cross-validation of the rows chosen on. Scores: what an earlier
        step has scored over these voxels, such as evaluation.encoding on other runs.
    n_voxels : int or None
        Keep the best so many.
    threshold : float or None
        Keep those that reach it. Give one of the two, and neither by roi.
    rois : tuple of str
        Names in the responses' space; voxels in any of them are kept.
    metric : {"r", "r2"}
        By encoding: Pearson's r within each inner fold, averaged by Fisher's z, or R² over the
        inner folds; r and r² never mix, and threshold is in this unit.
    alphas : tuple of float
        By encoding: the grid of the ridge, in units of the sum of squares of the features over
        the rows chosen on. Each voxel takes its best by the inner folds.
    n_inner_folds : int
        By encoding: two or more; fewer are made where there are fewer independent groups. They
        keep the split's unit together (without a split, the stimulus).
    seed : int
        By encoding: of the deal of groups to inner folds.
    """

    stage: ClassVar[str] = "preprocessing.select_voxels"
    contact: ClassVar[ContactKind] = "transductive"
    example: ClassVar = {"by": "variance", "n_voxels": 2}

    by: Literal["reliability", "variance", "encoding", "scores", "roi"] = "reliability"
    n_voxels: PositiveInt | None = None
    threshold: Annotated[float, Field(allow_inf_nan=False)] | None = None
    rois: tuple[str, ...] = ()
    metric: Literal["r", "r2"] = "r"
    alphas: Annotated[tuple[PositiveFloat, ...], Field(min_length=1)] = DEFAULT_ALPHAS
    n_inner_folds: Annotated[int, Field(ge=2)] = 5
    seed: int = 0

    @model_validator(mode="after")
    def _check_settings(self) -> Self:
        n_given = (self.n_voxels is not None) + (self.threshold is not None)
        if self.by == "roi" and (not self.rois or n_given):
            raise ValueError(
                "by: roi takes rois, and no n_voxels or threshold. Set rois: [name, ...] alone."
            )
        if self.by != "roi" and (self.rois or n_given != 1):
            raise ValueError(
                f"by: {self.by} takes n_voxels or threshold, and no rois. Set one of the two alone."
            )
        return self

    def contact_of(self) -> ContactKind:
        """Features and scores tell of the stimuli; reliability and variance of responses alone."""
        return "label" if self.by in ("encoding", "scores") else self.contact

    def sees(self) -> dict[str, Sight]:
        """By roi or scores a row depends on itself; else on all, or on a split's training rows."""
        beside: dict[str, dict[str, Sight]] = {
            "encoding": {"features": "training"}, "scores": {"scores": "all"},
        }  # fmt: skip
        own: Sight = "row" if self.by in ("roi", "scores") else "training"
        return {"responses": own, **beside.get(self.by, {})}

    def run(
        self,
        responses: Responses,
        split: Split | None = None,
        features: Features | None = None,
        scores: Scores | None = None,
    ) -> Responses:
        """Keep voxels.

        Parameters
        ----------
        responses : Responses
            (n_samples, n_voxels).
        split : Split or None
            Chooses on each fold's training rows; without, on all rows. Not looked at by roi and by
            scores.
        features : Features or None
            By encoding, and only then: of every stimulus shown in the rows chosen on. Tokens are
            laid side by side.
        scores : Scores or None
            By scores, and only then: one value per voxel. Voxels without one are never kept.

        Returns
        -------
        responses : Responses
            With fewer columns and the space in step; with a split, all columns and a selection
            per fold that ``read`` applies.
        """
        if len(responses.data.shape) > 2:
            raise DataError(
                f"{self.stage}: responses have shape {tuple(responses.data.shape)}. Allowed: "
                "(n_samples, n_voxels). Average over time first."
            )
        for name, given in (("features", features), ("scores", scores)):
            wanted = {"features": "encoding", "scores": "scores"}[name]
            if (given is not None) != (self.by == wanted):
                raise DataError(
                    f"{self.stage}: by: {self.by} {'needs' if given is None else 'takes no'} "
                    f"{name}. {'Add' if given is None else 'Leave out'} {name}:, or set by: "
                    f"{wanted if given is not None else 'reliability'}."
                )
        if self.by == "roi":
            return take_columns(responses, self._find_rois(responses))
        if scores is not None:
            values = _read_scores(scores, responses, self.stage)
            return take_columns(responses, self._keep(values, self.stage))
        if split is None:
            if responses.foldwise is not None:
                raise DataError(
                    f"{self.stage}: the responses were preprocessed within each fold's training "
                    "part. Hand this step the split, too."
                )
            rows = np.arange(len(responses.data))
            groups = group_samples(responses.samples, "stimulus", self.stage)
            values = self._score(responses, features, rows, None, groups, self.stage)
            return take_columns(responses, self._keep(values, self.stage))
        check_foldwise(responses, split, self.stage)
        n_columns = responses.data.shape[1]
        steps = responses.foldwise or Foldwise.identity(split.n_folds, n_columns, split.digest)
        selected = np.zeros((split.n_folds, n_columns), bool)
        groups = np.zeros(len(split.samples), np.int64)
        if features is not None:
            used = find_used_rows(split)
            groups[used] = group_samples(split.samples.take(used), split.unit, self.stage)
        for fold in track(list(split.folds()), self.stage, split.n_folds):
            where = f"{self.stage}: fold {fold.number}"
            inside = groups[fold.train]
            values = self._score(responses, features, fold.train, fold.number, inside, where)
            before = np.flatnonzero(np.asarray(steps.selected[fold.number]))
            selected[fold.number, before[self._keep(values, where)]] = True
        return replace(responses, foldwise=replace(steps, selected=selected))

    def _score(
        self,
        responses: Responses,
        features: Features | None,
        rows: np.ndarray,
        fold: int | None,
        groups: np.ndarray,
        where: str,
    ) -> np.ndarray:
        """Return what each voxel is judged by, shape (n_voxels,)."""
        if len(rows) < 2:
            raise DataError(
                f"{where}: {len(rows)} rows to choose on. Allowed: two or more. Change the split."
            )
        block = responses.read(rows, fold=fold)
        check_finite(block, what="responses", where=where)
        if self.by == "variance":
            return np.asarray(block, np.float64).var(axis=0)
        samples = responses.samples.take(rows)
        if features is not None:
            described = read_features(features, samples, where).reshape(len(rows), -1)
            return score_by_encoding(
                described, block, groups, alphas=self.alphas,
                n_folds=self.n_inner_folds, metric=self.metric, seed=self.seed,
            )  # fmt: skip
        ids = samples["stimulus_id"].astype(str)
        shown = ids != ""
        subjects = samples["subject"][shown].astype(str).tolist()
        pairs = zip(subjects, ids[shown].tolist(), strict=True)
        names = np.array(["/".join(pair) for pair in pairs], str)
        return compute_reliability(block[shown], names, where)

    def _keep(self, values: np.ndarray, where: str) -> np.ndarray:
        """Return the columns that are kept, ascending; those without a value never are."""
        defined = np.isfinite(values)
        ranked = np.where(defined, values, -np.inf)
        if self.threshold is not None:
            chosen = np.flatnonzero(ranked >= self.threshold)
            if not len(chosen):
                raise DataError(
                    f"{where}: no voxel reaches a {self.by} of {self.threshold}; the best has "
                    f"{ranked.max():.3g}. Lower threshold, or set n_voxels."
                )
            return chosen
        n_wanted = int(self.n_voxels or 0)
        if n_wanted > defined.sum():
            raise DataError(
                f"{where}: n_voxels is {n_wanted}, the responses have {len(values)} voxels, "
                f"{int(defined.sum())} of them with a value. Lower n_voxels."
            )
        return np.sort(np.argsort(-ranked, kind="stable")[:n_wanted])

    def _find_rois(self, responses: Responses) -> np.ndarray:
        there = responses.space.rois
        inside = np.zeros(responses.data.shape[1], bool)
        for name in self.rois:
            check_known(name, list(there), what="roi", where=self.stage)
            inside |= np.asarray(there[name], bool)
        if not inside.any():
            raise DataError(
                f"{self.stage}: the rois {list(self.rois)} hold no voxel of these responses. Name "
                "others, or keep more voxels upstream."
            )
        return np.flatnonzero(inside)


def _read_scores(scores: Scores, responses: Responses, where: str) -> np.ndarray:
    if scores.over != "voxels" or len(scores.values) != responses.data.shape[1]:
        raise DataError(
            f"{where}: the scores are {len(scores.values)} values over {scores.over}, the "
            f"responses have {responses.data.shape[1]} voxels. Allowed: one value per voxel. Score "
            "the same voxels (evaluation.encoding, evaluation.noise_ceiling)."
        )
    return np.asarray(scores.values, np.float64)


def take_columns(responses: Responses, columns: np.ndarray) -> Responses:
    """Return some columns of responses, with their space and foldwise numbers in step."""
    steps = responses.foldwise
    if steps is not None:
        steps = replace(
            steps,
            centre=np.asarray(steps.centre)[:, columns],
            scale=np.asarray(steps.scale)[:, columns],
            selected=np.asarray(steps.selected)[:, columns],
        )
        empty = np.flatnonzero(~np.asarray(steps.selected).any(axis=1))
        if len(empty):
            raise DataError(
                f"preprocessing.select_voxels: no voxel is left in {len(empty)} folds (first: "
                f"{empty[0]}), whose earlier selection lies elsewhere. Select by roi first."
            )
    return replace(
        responses,
        data=np.asarray(responses.data)[:, columns],
        space=responses.space.take_columns(columns),
        foldwise=steps,
    )
