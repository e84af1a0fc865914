"""Z-score responses, voxel by voxel, within runs or sessions, or on the training part of each fold.

Per run is the habit of the field: it removes what differs between runs, and lets every row see the
others of its run. Per session is that of NSD's single-trial betas (Allen et al. 2022, Nature
Neuroscience 25, 116-126): it removes session effects and keeps what differs between runs. On the
training part, the numbers are those of the training rows of a fold and are applied when that fold
is read; test rows have no part in them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from neurodecode.core.artifacts import Foldwise, Responses, Split
from neurodecode.core.checks import check_finite
from neurodecode.core.errors import DataError
from neurodecode.core.lineage import ContactKind
from neurodecode.core.progress import track
from neurodecode.core.rows import check_foldwise, group_samples
from neurodecode.core.stage import Sight, Stage
from neurodecode.numerics.moments import find_constant

MIN_SAMPLES = 3


class Zscore(Stage):
    """Centre each voxel and divide it by its standard deviation.

    Parameters
    ----------
    per : {"run", "session", "training"}
        Within each run of each session and subject; within each session, which removes session
        effects; or by the training rows of each fold, which takes the split.
    scale : {"deviation", "mean", "none"}
        Divide by the standard deviation, or by a hundredth of the mean (percent signal change), or
        centre only.
    ddof : int
        The deviation divides by n - ddof.
    """

    stage: ClassVar[str] = "preprocessing.zscore"
    contact: ClassVar[ContactKind] = "transductive"

    per: Literal["run", "session", "training"] = "run"
    scale: Literal["deviation", "mean", "none"] = "deviation"
    ddof: Annotated[int, Field(ge=0, le=1)] = 0

    def sees(self) -> dict[str, Sight]:
        """A row depends on those of its run or session, or on the training rows."""
        return {"responses": self.per}

    def run(self, responses: Responses, split: Split | None = None) -> Responses:
        """Z-score responses.

        Parameters
        ----------
        responses : Responses
        split : Split or None
            Needed per training, and not looked at per run or session.

        Returns
        -------
        responses : Responses
            In units of "z" or "percent"; centred only, in their own. Per training they carry
            foldwise numbers and the data are untouched.
        """
        if self.scale != "deviation" and responses.foldwise is not None:
            raise DataError(
                f"{self.stage}: scale: {self.scale} needs values as they were measured, but they "
                "were preprocessed per fold. Put this step before that one."
            )
        if self.per != "training":
            return self._zscore_parts(responses, self.per)
        if split is None:
            raise DataError(
                f"{self.stage}: per: training needs the split whose training rows it is fitted on. "
                "Add split: to this step, or set per: run."
            )
        return self._zscore_folds(responses, split)

    def _zscore_parts(self, responses: Responses, per: str) -> Responses:
        """Scale within each run or session."""
        samples = responses.samples
        groups = group_samples(samples, per, self.stage)
        kept = np.ones(responses.data.shape[1], bool)
        steps = responses.foldwise
        if steps is not None:
            kept = np.array(np.asarray(steps.selected).any(axis=0))
            # Centring and scaling by column, done before, cancel within a run; selection stays.
            blank = Foldwise.identity(len(steps.selected), len(kept), steps.split)
            steps = replace(blank, selected=steps.selected)
        out = np.empty(responses.data.shape, _choose_dtype(responses))
        for group in track(list(np.unique(groups)), self.stage):
            rows = np.flatnonzero(groups == group)
            first = rows[0]
            name = f"sub-{samples['subject'][first]}/ses-{samples['session'][first]}"
            if per == "run":
                name += f"/run-{samples['run'][first]}"
            if len(rows) < MIN_SAMPLES:
                raise DataError(
                    f"{self.stage}: {name} has {len(rows)} samples. Allowed: {MIN_SAMPLES} or more "
                    f"per {per}. Drop the {per}, or set per: training."
                )
            block = np.asarray(responses.data[rows])
            mean, deviation = compute_zscoring(block, self.ddof)
            out[rows] = (block - mean) / self._divide_by(mean, deviation, kept, name)
        return replace(responses, data=out, units=self._name_units(responses), foldwise=steps)

    def _divide_by(
        self, mean: np.ndarray, deviation: np.ndarray, kept: np.ndarray, name: str
    ) -> np.ndarray:
        """Return what centred voxels are divided by, each above 0."""
        where = f"{self.stage}: {name}"
        if self.scale == "none":
            return np.ones_like(mean)
        if self.scale == "deviation":
            _check_deviation(deviation, kept, where)
            return np.where(deviation > 0, deviation, 1.0)
        low = np.flatnonzero((mean <= 0).reshape(len(kept), -1).any(axis=1) & kept)
        if len(low):
            raise DataError(
                f"{where}: {len(low)} of {int(kept.sum())} voxels have a mean of 0 or less (first: "
                f"{low[:5].tolist()}), of which nothing is a percentage. Take responses whose mean "
                "was left in (preprocessing.detrend with keep_mean: true), or set scale: deviation."
            )
        return np.where(mean > 0, mean / 100, 1.0)

    def _name_units(self, responses: Responses) -> str:
        return {"deviation": "z", "mean": "percent", "none": responses.units}[self.scale]

    def _zscore_folds(self, responses: Responses, split: Split) -> Responses:
        if len(responses.data.shape) > 2:
            raise DataError(
                f"{self.stage}: responses have shape {tuple(responses.data.shape)}. Allowed per "
                "training: (n_samples, n_voxels). Set per: run, or average over time first."
            )
        check_foldwise(responses, split, self.stage)
        n_columns = responses.data.shape[1]
        steps = responses.foldwise or Foldwise.identity(split.n_folds, n_columns, split.digest)
        centre = np.zeros((split.n_folds, n_columns))
        scale = np.ones((split.n_folds, n_columns))
        for fold in track(list(split.folds()), self.stage, split.n_folds):
            where = f"{self.stage}: fold {fold.number}"
            if len(fold.train) < MIN_SAMPLES:
                raise DataError(
                    f"{where} has {len(fold.train)} training rows. Allowed: {MIN_SAMPLES} or more. "
                    "Change the split."
                )
            mean, deviation = compute_zscoring(np.asarray(responses.data[fold.train]), self.ddof)
            selected = np.asarray(steps.selected[fold.number])
            divisor = self._divide_by(mean, deviation, selected, f"fold {fold.number}")
            # The numbers were taken on stored values; restate them for values as read so far.
            before = np.asarray(steps.scale[fold.number])
            centre[fold.number] = (mean - np.asarray(steps.centre[fold.number])) / before
            scale[fold.number] = divisor / before
        data = responses.data
        if np.dtype(data.dtype).kind != "f":
            data = np.asarray(data).astype(np.float32)  # integers would round the z-scores read
        units = self._name_units(responses)
        return replace(responses, data=data, units=units, foldwise=steps.then(centre, scale))


def compute_zscoring(block: np.ndarray, ddof: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return each column's mean and standard deviation, in float64.

    Parameters
    ----------
    block : array, shape (n_samples, ...)
    ddof : int

    Returns
    -------
    mean, deviation : array of float64, shape (...)
        Deviation is 0 for columns that are constant but for rounding.

    Examples
    --------
    >>> mean, deviation = compute_zscoring(np.array([[1.0, 5.0], [3.0, 5.0]]))
    >>> mean.tolist(), deviation.tolist()
    ([2.0, 5.0], [1.0, 0.0])
    """
    check_finite(block, what="responses", where="preprocessing.zscore")
    first = np.asarray(block[0], np.float64)
    mean = first + (block - first).mean(axis=0)
    variance = ((block - mean) ** 2).sum(axis=0) / (len(block) - ddof)
    return mean, np.where(find_constant(variance, mean, len(block)), 0.0, np.sqrt(variance))


def _check_deviation(deviation: np.ndarray, kept: np.ndarray, where: str) -> None:
    constant = np.flatnonzero((deviation == 0).reshape(len(kept), -1).any(axis=1) & kept)
    if len(constant):
        raise DataError(
            f"{where}: {len(constant)} of {int(kept.sum())} voxels are constant (first: "
            f"{constant[:5].tolist()}). Allowed: voxels that vary. Drop them first "
            "(preprocessing.select_voxels with by: variance and threshold: 1e-12, say)."
        )


def _choose_dtype(responses: Responses) -> np.dtype:
    dtype = np.dtype(responses.data.dtype)
    return dtype if dtype.kind == "f" and dtype.itemsize >= 4 else np.dtype(np.float32)
