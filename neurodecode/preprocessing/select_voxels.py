"""Keep some voxels: by reliability over repeats, by variance, or by region of interest.

Reliability is the mean Pearson correlation, across stimuli, between any two repeats of them
(split-half reliability without averaging; as in Tarhan and Konkle 2020, who correlate halves).
With a split, each fold chooses on its training rows and the choice is applied when it is read.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, PositiveInt, model_validator

from neurodecode.core.artifacts import Foldwise, Responses, Split
from neurodecode.core.checks import check_finite, check_known
from neurodecode.core.errors import DataError
from neurodecode.core.lineage import ContactKind
from neurodecode.core.progress import track
from neurodecode.core.rows import check_foldwise
from neurodecode.core.stage import Sight, Stage

MIN_STIMULI = 3  # a correlation across two is ±1 whatever the voxel does


class SelectVoxels(Stage):
    """Keep the voxels that are reliable, that vary, or that lie in a region.

    Parameters
    ----------
    by : {"reliability", "variance", "roi"}
        Reliability: mean correlation between repeats of the same stimulus, in [-1, 1]. Variance:
        in squared units of the responses as read.
    n_voxels : int or None
        Keep the best so many.
    threshold : float or None
        Keep those that reach it. Give one of the two, and neither by roi.
    rois : tuple of str
        Names in the responses' space; voxels in any of them are kept.
    """

    stage: ClassVar[str] = "preprocessing.select_voxels"
    contact: ClassVar[ContactKind] = "transductive"
    example: ClassVar = {"by": "variance", "n_voxels": 2}

    by: Literal["reliability", "variance", "roi"] = "reliability"
    n_voxels: PositiveInt | None = None
    threshold: Annotated[float, Field(allow_inf_nan=False)] | None = None
    rois: tuple[str, ...] = ()

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

    def sees(self) -> dict[str, Sight]:
        """By roi a row depends on itself; else on all rows, or on the training rows of a split."""
        return {"responses": "row" if self.by == "roi" else "training"}

    def run(self, responses: Responses, split: Split | None = None) -> Responses:
        """Keep voxels.

        Parameters
        ----------
        responses : Responses
            (n_samples, n_voxels).
        split : Split or None
            Chooses on each fold's training rows; without, on all rows. Not looked at by roi.

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
        if self.by == "roi":
            return take_columns(responses, self._find_rois(responses))
        if split is None:
            if responses.foldwise is not None:
                raise DataError(
                    f"{self.stage}: the responses were preprocessed within each fold's training "
                    "part. Hand this step the split, too."
                )
            chosen = self._choose(responses, np.arange(len(responses.data)), None, self.stage)
            return take_columns(responses, chosen)
        check_foldwise(responses, split, self.stage)
        n_columns = responses.data.shape[1]
        steps = responses.foldwise or Foldwise.identity(split.n_folds, n_columns, split.digest)
        selected = np.zeros((split.n_folds, n_columns), bool)
        for fold in track(list(split.folds()), self.stage, split.n_folds):
            where = f"{self.stage}: fold {fold.number}"
            chosen = self._choose(responses, fold.train, fold.number, where)
            before = np.flatnonzero(np.asarray(steps.selected[fold.number]))
            selected[fold.number, before[chosen]] = True
        return replace(responses, foldwise=replace(steps, selected=selected))

    def _choose(
        self, responses: Responses, rows: np.ndarray, fold: int | None, where: str
    ) -> np.ndarray:
        if len(rows) < 2:
            raise DataError(f"{where}: {len(rows)} rows to choose on. Allowed: two or more.")
        block = responses.read(rows, fold=fold)
        check_finite(block, what="responses", where=where)
        if self.by == "variance":
            values = np.asarray(block, np.float64).var(axis=0)
        else:
            samples = responses.samples.take(rows)
            ids = samples["stimulus_id"].astype(str)
            shown = ids != ""
            subjects = samples["subject"][shown].astype(str).tolist()
            pairs = zip(subjects, ids[shown].tolist(), strict=True)
            names = np.array(["/".join(pair) for pair in pairs], str)
            values = compute_reliability(block[shown], names, where)
        if self.threshold is not None:
            chosen = np.flatnonzero(values >= self.threshold)
            if not len(chosen):
                raise DataError(
                    f"{where}: no voxel reaches a {self.by} of {self.threshold}; the best has "
                    f"{values.max():.3g}. Lower threshold, or set n_voxels."
                )
            return chosen
        n_wanted = int(self.n_voxels or 0)
        if n_wanted > len(values):
            raise DataError(
                f"{where}: n_voxels is {n_wanted}, the responses have {len(values)} voxels. Lower "
                "n_voxels."
            )
        return np.sort(np.argsort(-values, kind="stable")[:n_wanted])

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


def compute_reliability(responses: np.ndarray, ids: np.ndarray, where: str = "") -> np.ndarray:
    """Return each voxel's mean correlation, across stimuli, between two repeats of them.

    Parameters
    ----------
    responses : array, shape (n_samples, n_voxels)
    ids : array of str, shape (n_samples,)
        Stimulus of each sample; the order of rows numbers the repeats.

    Returns
    -------
    reliability : array of float64, shape (n_voxels,)
        Mean over all pairs of repeats that three stimuli or more have; 0 for constant voxels.

    Raises
    ------
    DataError
        Fewer than three stimuli are repeated.

    Examples
    --------
    >>> ids = np.array(["a", "b", "c", "a", "b", "c"])
    >>> voxels = np.array([[1.0, 1], [2, 2], [3, 3], [1, 3], [2, 2], [3, 1]])
    >>> compute_reliability(voxels, ids).round(6).tolist()
    [1.0, -1.0]
    """
    _, item = np.unique(ids, return_inverse=True)
    item = item.ravel()
    order = np.argsort(item, kind="stable")
    starts = np.flatnonzero(np.r_[True, item[order][1:] != item[order][:-1]])
    counts = np.diff(np.r_[starts, len(order)])
    n_repeats = int(counts.max(initial=0))
    total, n_pairs = np.zeros(responses.shape[1]), 0
    for a, b in combinations(range(n_repeats), 2):
        both = starts[counts > b]
        if len(both) < MIN_STIMULI:
            continue
        total += _correlate_columns(responses[order[both + a]], responses[order[both + b]])
        n_pairs += 1
    if not n_pairs:
        raise DataError(
            f"{where or 'reliability'}: {int((counts > 1).sum())} of {len(counts)} stimuli are "
            f"shown more than once. Allowed: {MIN_STIMULI} repeated stimuli or more. Select by "
            "variance or roi instead, or split so that the training part holds repeats."
        )
    return total / n_pairs


def _correlate_columns(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    a = np.asarray(a, np.float64) - a.mean(axis=0, dtype=np.float64)
    b = np.asarray(b, np.float64) - b.mean(axis=0, dtype=np.float64)
    length = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    return (a * b).sum(axis=0) / np.where(length > 0, length, np.inf)
