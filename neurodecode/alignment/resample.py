"""Features that have times of their own (words, frames, sound) at the times of the scans.

Lanczos filtering as for the words of stories (Huth et al. 2016, Nature 532:453; LeBel et al. 2023,
Scientific Data 10:555), linear interpolation, or sums and means over a window. The weights are in
numerics/resampling.py.
"""

from __future__ import annotations

from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import PositiveFloat, PositiveInt, model_validator

from neurodecode.alignment.timing import PLACES, check_timed, iterate_runs
from neurodecode.core.artifacts import Events, Features, Responses, make_scan_items
from neurodecode.core.errors import DataError
from neurodecode.core.stage import Sight, Stage
from neurodecode.core.tables import Table
from neurodecode.numerics.resampling import (
    make_box_weights,
    make_lanczos_weights,
    make_linear_weights,
)


class Resample(Stage):
    """Bring features to the scans, within each run.

    The features' times are the onsets of the events that show their items; without events, the
    ``onset_s`` of the items themselves.

    Parameters
    ----------
    method : {"lanczos", "linear", "box"}
        "lanczos" for words and other things that come when they come; "linear" for slow signals
        that are sampled evenly; "box" for sums or means over a window about each scan.
    n_lobes : int
        Of the Lanczos window.
    cutoff_hz : float or None
        Of the Lanczos filter; half the scans' frequency if None, and no more than that.
    width_s : float or None
        Of the window of "box"; the t_r if None.
    normalize : bool
        Means in place of sums ("lanczos" and "box"): for what goes on all the time. Without, two
        words in a scan count twice.
    centre_s : float
        Added to each scan's time: t_r / 2 looks at the middle of scans whose onset_s is their
        start.
    allow_empty_runs : bool
        Runs without items are rows of zeros, in place of a mistake.
    """

    stage: ClassVar[str] = "alignment.resample"

    method: Literal["lanczos", "linear", "box"] = "lanczos"
    n_lobes: PositiveInt = 3
    cutoff_hz: PositiveFloat | None = None
    width_s: PositiveFloat | None = None
    normalize: bool = False
    centre_s: float = 0.0
    allow_empty_runs: bool = False

    @model_validator(mode="after")
    def _check_method(self) -> Self:
        for name, method in (("cutoff_hz", "lanczos"), ("width_s", "box")):
            if getattr(self, name) is not None and self.method != method:
                raise ValueError(f"{name} belongs to method: {method}. Leave it out.")
        return self

    def sees(self) -> dict[str, Sight]:
        """Of the responses only the times are used; features are moved in time by fixed weights."""
        return {"responses": "row", "features": "time"}

    def run(
        self, features: Features, responses: Responses, events: Events | None = None
    ) -> Features:
        """Return features of scans, (n_scans, n_features), in the order of the samples."""
        check_timed(responses, self.stage)
        samples = responses.samples
        t_r = float(responses.t_r)  # type: ignore[arg-type]
        if self.cutoff_hz is not None and self.cutoff_hz > 0.5 / t_r * (1 + 1e-9):
            raise DataError(
                f"{self.stage}: cutoff_hz {self.cutoff_hz:g} lies above half the scans' frequency "
                f"({0.5 / t_r:g} Hz at a t_r of {t_r:g} s). Give a lower one, or leave it out."
            )
        timed, values = self._find_times(features, events)
        data = np.zeros((len(samples), values.shape[1]), np.float32)
        runs = iterate_runs(timed, samples, self.stage, allow_empty=self.allow_empty_runs)
        for name, scans, shown in runs:
            if len(shown):
                order = shown[np.argsort(timed["onset"][shown], kind="stable")]
                old = timed["onset"][order]
                new = samples["onset_s"][scans] + self.centre_s
                data[scans] = self._weigh(old, new, t_r, name) @ values[order]
        return Features(
            data=data,
            items=make_scan_items(samples),
            extractor={**features.extractor, "resampled": self.method},
            bands=dict(features.bands),
        )

    def _find_times(self, features: Features, events: Events | None) -> tuple[Table, np.ndarray]:
        """Return a table with an onset for each row of values."""
        if events is not None:
            shown = np.flatnonzero(events.table["stimulus_id"].astype(str) != "")
            timed = events.table.take(shown)
            values = features.read_for(timed["stimulus_id"].astype(str))
        else:
            if "onset_s" not in features.items:
                raise DataError(
                    f"{self.stage}: the features' items have no onset_s. Hand this step the events "
                    "that show them, too."
                )
            items = features.items
            kept = {name: items[name] for name in PLACES if name in items}
            timed = Table({"onset": items["onset_s"], **kept})
            values = np.asarray(features.data)
        if not len(timed) or not np.isfinite(timed["onset"].astype(np.float64)).all():
            raise DataError(
                f"{self.stage}: {len(timed)} items, some without a finite onset. Allowed: one or "
                "more, each with its onset in seconds. Correct the events."
            )
        timed = timed.with_columns(onset=timed["onset"].astype(np.float64))
        return timed, values.reshape(len(values), -1).astype(np.float64)

    def _weigh(self, old: np.ndarray, new: np.ndarray, t_r: float, run: str) -> np.ndarray:
        if self.method == "lanczos":
            sfreq = 2 * self.cutoff_hz if self.cutoff_hz is not None else 1 / t_r
            return make_lanczos_weights(old, new, sfreq, self.n_lobes, normalize=self.normalize)
        if self.method == "box":
            return make_box_weights(old, new, self.width_s or t_r, normalize=self.normalize)
        if (np.diff(old) <= 0).any():
            raise DataError(
                f"{self.stage}: run {run} has several items at one time, between which nothing "
                "can be interpolated. Use method: lanczos or box, or give each its own onset."
            )
        return make_linear_weights(old, new)
