"""Copies of features at several lags, so that a linear model learns the haemodynamic response.

A finite impulse response per feature and voxel (Dale 1999, Human Brain Mapping 8:109; Nishimoto et
al. 2011): the encoder's weights at the delays are the response. Delayed copies start with zeros at
the start of every run.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field, field_validator

from neurodecode.alignment.timing import check_scans, name_runs, widen_bands
from neurodecode.core.artifacts import Features
from neurodecode.core.errors import DataError
from neurodecode.core.stage import Sight, Stage

UNEVEN = 0.05  # of a scan


class Delays(Stage):
    """Set copies of each feature, one per delay, beside each other.

    Parameters
    ----------
    delays : tuple of int
        In scans; 1 to 4 cover 2 to 8 s at a t_r of 2 s. Negative ones look ahead.
    """

    stage: ClassVar[str] = "alignment.delays"

    delays: Annotated[tuple[int, ...], Field(min_length=1)] = (1, 2, 3, 4)

    @field_validator("delays")
    @classmethod
    def _check_once(cls, delays: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(delays)) < len(delays):
            raise ValueError(f"{list(delays)} names a delay twice. Name each once.")
        return delays

    def sees(self) -> dict[str, Sight]:
        """Features are moved in time by fixed weights, within their run."""
        return {"features": "time"}

    def run(self, features: Features) -> Features:
        """Return (n_scans, n_features * n_delays): all delays of a feature, then the next.

        Raises
        ------
        DataError
            Features of stimuli, or scans that are not evenly spaced in their run.
        """
        check_scans(features, self.stage)
        runs, onset_s = name_runs(features.items), features.items["onset_s"]
        data = np.asarray(features.data).reshape(len(runs), -1)
        delayed = np.zeros((*data.shape, len(self.delays)), data.dtype)
        for run in dict.fromkeys(runs.tolist()):
            rows = np.flatnonzero(runs == run)
            rows = rows[np.argsort(onset_s[rows], kind="stable")]
            self._check_even(run, onset_s[rows])
            delayed[rows] = delay_rows(data[rows], self.delays)
        names = [str(n) for n in features.extractor.get("columns", [])]
        columns = names if len(names) == data.shape[1] else [str(k) for k in range(data.shape[1])]
        return Features(
            data=delayed.reshape(len(runs), -1),
            items=features.items,
            extractor={
                **features.extractor,
                "delays": list(self.delays),
                "columns": [f"{name} (delay {d})" for name in columns for d in self.delays],
            },
            bands=widen_bands(dict(features.bands), data.shape[1], len(self.delays), "features"),
        )

    def _check_even(self, run: str, onset_s: np.ndarray) -> None:
        gaps = np.diff(onset_s)
        if not len(gaps):
            return
        t_r = float(np.median(gaps))
        uneven = ~(np.abs(gaps - t_r) <= UNEVEN * t_r)
        if uneven.any():
            at = int(np.flatnonzero(uneven)[0])
            raise DataError(
                f"{self.stage}: the scans of run {run} are not evenly spaced ({gaps[at]:g} s after "
                f"{onset_s[at]:g} s, {t_r:g} s elsewhere), so that a delay in scans has no one "
                "length. Keep the scans that were left out, or convolve (alignment.hrf)."
            )


def delay_rows(values: np.ndarray, delays: tuple[int, ...]) -> np.ndarray:
    """Return copies of the rows of one run, each later by a delay, zeros where nothing is known.

    Parameters
    ----------
    values : array, shape (n_scans, n_features)
    delays : tuple of int

    Returns
    -------
    delayed : array, shape (n_scans, n_features, n_delays)

    Examples
    --------
    >>> delay_rows(np.array([[1], [2], [3]]), (1, -1))[:, 0].tolist()
    [[0, 2], [1, 3], [2, 0]]
    """
    n = len(values)
    delayed = np.zeros((*values.shape, len(delays)), values.dtype)
    for k, delay in enumerate(delays):
        if abs(delay) >= n:
            continue
        if delay >= 0:
            delayed[delay:, :, k] = values[: n - delay]
        else:
            delayed[:delay, :, k] = values[-delay:]
    return delayed
