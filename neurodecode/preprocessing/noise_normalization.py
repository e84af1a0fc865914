"""Multivariate noise normalisation: channels (or voxels) whitened by the covariance of their noise.

    X_w = X Σ^(-1/2)

Guggenmos, Sterzer and Cichy 2018, NeuroImage 173, section 2.4. Noise is what differs between
repeats of one condition: a trial minus the mean of the trials of its stimulus in that session. Σ is
shrunk after Ledoit and Wolf 2004 and taken for each session of each subject. Of epochs it is taken
at each time point and averaged over them (their "time"), or within each epoch, over its time
points, and averaged over epochs (their "epoch"). ``window_s`` before the onset gives their
"baseline".

We depart in one thing: residuals of all conditions are pooled before they are shrunk, and divided
by their degrees of freedom (n_trials - n_conditions), where they shrink the covariance of each
condition and average. With two repeats a condition's own covariance has rank one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import model_validator

from neurodecode.core.artifacts import Responses, Split
from neurodecode.core.checks import check_finite
from neurodecode.core.errors import DataError
from neurodecode.core.lineage import ContactKind
from neurodecode.core.progress import track
from neurodecode.core.rows import check_foldwise, group_samples
from neurodecode.core.stage import Sight, Stage
from neurodecode.numerics.covariance import compute_whitening, shrink_covariance


class NoiseNormalization(Stage):
    """Whiten responses by the covariance of their noise, session by session.

    Parameters
    ----------
    per : {"training", "session"}
        The covariance of the training rows in each session, which takes a split of one fold (a
        whitening differs by fold, and is not kept per fold); or of all rows of the session, test
        rows among them, as published for THINGS-EEG2 (Gifford et al. 2022): transductive, and
        refused by the leakage check unless the file names it (allow_transductive).
    method : {"time", "epoch"}
        Of epochs: the covariance over trials at each time point, averaged over time points, or
        over the time points of each epoch, averaged over epochs. Responses without a time axis
        take "time".
    window_s : (float, float) or None
        Of epochs: the time points to take the covariance from, seconds from the onset, both ends
        included; None takes all.
    form : {"multivariate", "univariate"}
        Univariate divides each channel by the deviation of its own noise, and shrinks nothing.
    """

    stage: ClassVar[str] = "preprocessing.noise_normalization"
    contact: ClassVar[ContactKind] = "transductive"

    per: Literal["training", "session"] = "training"
    method: Literal["time", "epoch"] = "time"
    window_s: tuple[float, float] | None = None
    form: Literal["multivariate", "univariate"] = "multivariate"

    @model_validator(mode="after")
    def _check_window(self) -> Self:
        if self.window_s is not None and not self.window_s[0] <= self.window_s[1]:
            raise ValueError(
                "window_s ends before it begins. Give its first time first, in seconds."
            )
        return self

    def sees(self) -> dict[str, Sight]:
        """A row depends on those of its session, or on the training rows."""
        return {"responses": self.per}

    def run(self, responses: Responses, split: Split | None = None) -> Responses:
        """Whiten responses.

        Parameters
        ----------
        responses : Responses
            (n_samples, n_voxels) or (n_samples, n_channels, n_times). Some stimuli are repeated
            within a session (not needed by method: epoch). Voxels: some thousands at most, since
            the covariance has n_voxels² entries; select some first.
        split : Split or None
            Needed per training, and not taken per session.

        Returns
        -------
        responses : Responses
            In units of "noise sd": noise has variance 1 and, if multivariate, no correlations.
            What was done per fold before is applied for good.
        """
        data, fitted, responses = self._choose_rows(responses, split)
        check_finite(data, what="responses", where=self.stage)
        times = self._find_times(responses, data)
        sessions = group_samples(responses.samples, "session", self.stage)
        out = np.empty(data.shape, data.dtype if data.dtype.kind == "f" else np.float32)
        for session in track(list(np.unique(sessions)), self.stage):
            rows = np.flatnonzero(sessions == session)
            first = responses.samples.take(rows[:1])
            where = f"{self.stage}: sub-{first['subject'][0]}/ses-{first['session'][0]}"
            used = rows[fitted[rows]]
            shown = responses.samples["stimulus_id"][used].astype(str)
            covariance = self._estimate(data[used][..., times], shown, where)
            if self.form == "univariate":
                whitening = np.diag(1 / np.sqrt(np.diag(covariance)))
            else:
                whitening = compute_whitening(covariance, where)
            out[rows] = np.einsum("ij,nj...->ni...", whitening, data[rows])
        return replace(responses, data=out, units="noise sd")

    def _choose_rows(
        self, responses: Responses, split: Split | None
    ) -> tuple[np.ndarray, np.ndarray, Responses]:
        """Return the data as read, which rows the covariance is taken from, and the responses."""
        if (split is not None) != (self.per == "training"):
            raise DataError(
                f"{self.stage}: per: {self.per} "
                f"{'needs the' if split is None else 'takes no'} split. "
                f"{'Add' if split is None else 'Leave out'} split:, or set per: "
                f"{'session' if split is None else 'training'}."
            )
        if split is None:
            if responses.foldwise is not None:
                raise DataError(
                    f"{self.stage}: the responses were preprocessed within each fold's training "
                    "part. Normalise noise first, or set per: training and hand it the split."
                )
            return np.asarray(responses.data), np.ones(len(responses.data), bool), responses
        check_foldwise(responses, split, self.stage)
        if split.n_folds != 1:
            raise DataError(
                f"{self.stage}: the split has {split.n_folds} folds, each with a whitening of its "
                "own. Allowed: one fold (evaluation.split with test_fraction or test_where). Or "
                "set per: session and name it (allow_transductive)."
            )
        fitted = np.zeros(len(responses.data), bool)
        fitted[split.fold(0).train] = True
        data = responses.read(None, fold=0)
        if responses.foldwise is not None:
            space = responses.space.take_columns(responses.columns(0))
            responses = replace(responses, data=data, space=space, foldwise=None)
        return data, fitted, responses

    def _find_times(self, responses: Responses, data: np.ndarray) -> np.ndarray | slice:
        if data.ndim == 2:
            if self.method == "epoch" or self.window_s is not None:
                raise DataError(
                    f"{self.stage}: responses have shape {data.shape}, without a time axis. "
                    "Allowed for method: epoch and window_s: (n_samples, n_channels, n_times). "
                    "Leave both out."
                )
            return slice(None)
        if self.window_s is None:
            return slice(None)
        if responses.sfreq is None or responses.tmin is None:
            raise DataError(
                f"{self.stage}: window_s needs epochs with sfreq and tmin, and these have none. "
                "Leave window_s out."
            )
        seconds = responses.tmin + np.arange(data.shape[2]) / responses.sfreq
        slack = 1e-6 / responses.sfreq
        low, high = self.window_s[0] - slack, self.window_s[1] + slack
        inside = np.flatnonzero((seconds >= low) & (seconds <= high))
        if not len(inside):
            raise DataError(
                f"{self.stage}: window_s {self.window_s} holds no time point; epochs last from "
                f"{seconds[0]:g} to {seconds[-1]:g} s. Choose a window inside."
            )
        return inside

    def _estimate(self, data: np.ndarray, shown: np.ndarray, where: str) -> np.ndarray:
        """Return the covariance of the noise, (n_channels, n_channels).

        Parameters
        ----------
        data : array, shape (n_trials, n_channels) or (n_trials, n_channels, n_times)
        shown : array of str, shape (n_trials,)
        """
        if self.method == "epoch":
            if not len(data) or data.shape[2] < 2:
                raise DataError(
                    f"{where}: {len(data)} epochs of {data.shape[2]} time points to take the "
                    "covariance from. Allowed: one epoch, two time points or more."
                )
            centred = data - data.mean(axis=2, keepdims=True, dtype=np.float64)
            _check_variance(centred, where)
            return _average([self._shrink(epoch.T) for epoch in centred])
        names, condition, count = np.unique(shown, return_inverse=True, return_counts=True)
        kept = np.flatnonzero(((count > 1) & (names != ""))[condition])
        condition = np.unique(condition[kept], return_inverse=True)[1]
        if not len(kept):
            raise DataError(
                f"{where}: none of the {int((names != '').sum())} stimuli is shown more than once "
                f"in the {len(shown)} rows to take noise from. Allowed: repeated stimuli. Take "
                "method: epoch, or split so that the training part holds repeats."
            )
        n_conditions = int(condition.max()) + 1
        residuals = data[kept].astype(np.float64)
        means = np.zeros((n_conditions, *residuals.shape[1:]))
        np.add.at(means, condition, residuals)
        counts = np.bincount(condition).reshape(-1, *[1] * (residuals.ndim - 1))
        residuals -= (means / counts)[condition]
        _check_variance(residuals, where)
        free = len(kept) / (len(kept) - n_conditions)
        if residuals.ndim == 2:
            return free * self._shrink(residuals)
        return free * _average([self._shrink(trials) for trials in np.moveaxis(residuals, 2, 0)])

    def _shrink(self, centred: np.ndarray) -> np.ndarray:
        if self.form == "univariate":
            return np.diag((np.asarray(centred, np.float64) ** 2).mean(axis=0))
        return shrink_covariance(centred)[0]


def _average(covariances: list[np.ndarray]) -> np.ndarray:
    return np.asarray(sum(covariances) / len(covariances))


def _check_variance(noise: np.ndarray, where: str) -> None:
    """Raise DataError for channels without noise, which no whitening can bring to variance 1."""
    variance = (noise**2).mean(axis=(0, *range(2, noise.ndim)))
    silent = np.flatnonzero(variance <= 1e-12 * variance.max())
    if len(silent):
        raise DataError(
            f"{where}: {len(silent)} of {len(variance)} channels or voxels have no noise (first: "
            f"{silent[:5].tolist()}). Allowed: columns that vary. Mask them first "
            "(preprocessing.select_voxels)."
        )
