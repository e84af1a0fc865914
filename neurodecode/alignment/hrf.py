"""What was shown, as the haemodynamic response to it at every scan.

Each event becomes the response that one of its length would evoke (numerics/hrf.py), and a column
of features is the sum over the events of a run, each times the feature's value for what it showed.
Responses of different events add up (Boynton et al. 1996, J. Neuroscience 16:4207). Nothing is
fitted, and nothing crosses the edge of a run.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, NonNegativeFloat, PositiveFloat, model_validator

from neurodecode.alignment.timing import check_timed, iterate_runs, widen_bands
from neurodecode.core.artifacts import Events, Features, Responses, make_scan_items
from neurodecode.core.checks import check_known, list_names
from neurodecode.core.errors import DataError
from neurodecode.core.stage import Sight, Stage
from neurodecode.core.tables import Table
from neurodecode.numerics import hrf as haemodynamics


class Hrf(Stage):
    """Turn events into features of scans: conditions, or what describes the stimuli shown.

    Without ``features``, each kind of event is a column of its own. With them, the columns are
    those of the features; events that show no stimulus are left out.

    Parameters
    ----------
    model : {"spm", "glover", "double_gamma", "none"}
        "double_gamma" takes delay_s and the others below; "none" is the stimulation itself, for
        delays to be learned (alignment.delays) or for events that contain the delay already.
    derivatives : {"none", "time", "time_and_dispersion"}
        Further columns beside each, for responses that come earlier or are wider.
    delay_s, undershoot_s, dispersion_s, ratio : float
        Of "double_gamma": delays of response and undershoot, the scale of both, and the
        undershoot's area relative to the response's.
    shift_s : float
        Added to every onset; see evaluation.lag_check.
    duration_s : float or None
        In place of the events' own durations; 0 for impulses.
    by : str or None
        Without features: the column of the events that names the condition. None takes all events
        for one, as a nuisance regressor of whether anything is shown does.
    conditions : tuple of str
        Without features: which of them, in this order; all, sorted, if empty.
    amplitude : str or None
        Column of numbers by which each event is multiplied.
    allow_empty_runs : bool
        Runs without events are rows of zeros, in place of a mistake.
    """

    stage: ClassVar[str] = "alignment.hrf"

    model: Literal["spm", "glover", "double_gamma", "none"] = "spm"
    derivatives: Literal["none", "time", "time_and_dispersion"] = "none"
    delay_s: PositiveFloat = 6.0
    undershoot_s: PositiveFloat = 16.0
    dispersion_s: PositiveFloat = 1.0
    ratio: Annotated[float, Field(ge=0, lt=1)] = 1 / 6
    shift_s: float = 0.0
    duration_s: NonNegativeFloat | None = None
    by: str | None = "trial_type"
    conditions: tuple[str, ...] = ()
    amplitude: str | None = None
    allow_empty_runs: bool = False

    @model_validator(mode="after")
    def _check_model(self) -> Self:
        if self.model == "none" and self.derivatives != "none":
            raise ValueError("model: none has no derivatives. Leave derivatives out.")
        fields = type(self).model_fields
        own = [
            name
            for name in ("delay_s", "undershoot_s", "dispersion_s", "ratio")
            if getattr(self, name) != fields[name].default
        ]
        if own and self.model != "double_gamma":
            raise ValueError(f"{' and '.join(own)}: only for model: double_gamma. Set that model.")
        return self

    def sees(self) -> dict[str, Sight]:
        """Of the responses only the times are used; features are moved in time by fixed weights."""
        return {"responses": "row", "features": "time"}

    def run(
        self, events: Events, responses: Responses, features: Features | None = None
    ) -> Features:
        """Return features of scans.

        Parameters
        ----------
        events : Events
            onset, duration (s), and the columns named in the settings.
        responses : Responses
            A time series; says when the scans were.
        features : Features or None
            Of the stimuli that the events name in ``stimulus_id``.

        Returns
        -------
        features : Features, (n_scans, n_columns)
            In the order of the responses' samples.
        """
        check_timed(responses, self.stage)
        events = self._choose_events(events, features)
        table, samples = events.table, responses.samples
        values, names, bands = self._describe(table, features)
        kernels = self._list_kernels()
        data = np.zeros((len(samples), values.shape[1], len(kernels)), np.float32)
        onsets = table["onset"].astype(np.float64) + self.shift_s
        durations = (
            table["duration"].astype(np.float64)
            if self.duration_s is None
            else np.full(len(table), self.duration_s)
        )
        self._check_times(onsets, durations)
        runs = iterate_runs(events, samples, self.stage, allow_empty=self.allow_empty_runs)
        for name, scans, shown in runs:
            if not len(shown):
                continue
            times = samples["onset_s"][scans]
            self._check_reached(name, times, onsets[shown])
            for k, kernel in enumerate(kernels):
                weights = kernel(times, onsets[shown], durations[shown])
                data[scans, :, k] = weights @ values[shown]
        suffixes = ("", " (time derivative)", " (dispersion derivative)")[: len(kernels)]
        return Features(
            data=data.reshape(len(samples), -1),
            items=make_scan_items(samples),
            extractor={
                "name": self.stage,
                "model": self.model,
                "columns": [name + suffix for name in names for suffix in suffixes],
                "of": dict(features.extractor) if features is not None else self.by or "events",
            },
            bands=widen_bands(bands, values.shape[1], len(kernels), "conditions"),
        )

    def _choose_events(self, events: Events, features: Features | None) -> Events:
        table = events.table
        if features is not None:
            if "stimulus_id" not in table:
                raise DataError(
                    f"{self.stage}: the events name no stimuli (no column 'stimulus_id'), so that "
                    "features cannot be looked up. Add the column, or leave features out."
                )
            rows = np.flatnonzero(table["stimulus_id"].astype(str) != "")
            if not len(rows):
                raise DataError(
                    f"{self.stage}: none of the {len(table)} events shows a stimulus "
                    "(stimulus_id is ''). Name the stimuli, or leave features out."
                )
        else:
            kinds = self._read_kinds(table)
            for name in self.conditions:
                check_known(name, sorted(set(kinds)), what="condition", where=self.stage)
            kept = np.isin(kinds, self.conditions) if self.conditions else kinds != ""
            rows = np.flatnonzero(kept)
            if not len(rows):
                raise DataError(
                    f"{self.stage}: none of the {len(table)} events names a condition in "
                    f"'{self.by}'. Name another column with by, or give features of the stimuli."
                )
        return Events(table=table.take(rows), lineage=events.lineage)

    def _read_kinds(self, table: Table) -> np.ndarray:
        if self.by is None:
            return np.full(len(table), "events")
        check_known(self.by, list(table), what="column of the events", where=self.stage)
        return table[self.by].astype(str)

    def _describe(
        self, table: Table, features: Features | None
    ) -> tuple[np.ndarray, list[str], dict[str, tuple[int, int]]]:
        """Return a row of values for each event, the columns' names, and their bands."""
        if features is None:
            kinds = self._read_kinds(table)
            names = list(self.conditions) or sorted(set(kinds))
            values = (kinds[:, None] == np.array(names)).astype(np.float64)
            bands: dict[str, tuple[int, int]] = {}
        else:
            read = features.read_for(table["stimulus_id"].astype(str))
            values = read.reshape(len(read), -1).astype(np.float64)
            known = features.extractor.get("columns", [])
            plain = [str(k) for k in range(values.shape[1])]
            names = [str(n) for n in known] if len(known) == values.shape[1] else plain
            bands = dict(features.bands) or {"features": (0, values.shape[1])}
        if self.amplitude is not None:
            check_known(self.amplitude, list(table), what="column of the events", where=self.stage)
            amplitude = table[self.amplitude]
            if amplitude.dtype.kind not in "iuf" or not np.isfinite(amplitude).all():
                raise DataError(
                    f"{self.stage}: column '{self.amplitude}' of the events holds values that are "
                    "no finite numbers. Correct them, or leave amplitude out."
                )
            values = values * amplitude.astype(np.float64)[:, None]
        return values, names, bands

    def _list_kernels(self) -> list:
        if self.model == "none":
            return [lambda t, o, d: haemodynamics.respond_to_events(t, o, d, None)]
        hrf = haemodynamics.MODELS.get(self.model) or haemodynamics.Hrf(
            self.delay_s, self.undershoot_s, self.dispersion_s, self.dispersion_s, self.ratio
        )
        functions = (
            haemodynamics.respond_to_events,
            haemodynamics.differentiate_time,
            haemodynamics.differentiate_dispersion,
        )
        count = {"none": 1, "time": 2, "time_and_dispersion": 3}[self.derivatives]
        return [lambda t, o, d, f=f: f(t, o, d, hrf) for f in functions[:count]]

    def _check_times(self, onsets: np.ndarray, durations: np.ndarray) -> None:
        wrong = ~np.isfinite(onsets) | ~np.isfinite(durations) | (durations < 0)
        if wrong.any():
            first = int(np.flatnonzero(wrong)[0])
            raise DataError(
                f"{self.stage}: {int(wrong.sum())} of {len(onsets)} events have no finite onset or "
                f"a duration below 0 (first: event {first}, onset {onsets[first]:g} s, duration "
                f"{durations[first]:g} s). Correct them, or give duration_s."
            )

    def _check_reached(self, name: str, times: np.ndarray, onsets: np.ndarray) -> None:
        late = int((onsets > times[-1]).sum())
        if late == len(onsets):
            raise DataError(
                f"{self.stage}: all {late} events of run {list_names([name])} start after its last "
                f"scan ({times[-1]:g} s; first onset {onsets.min():g} s). Give onsets in seconds "
                "from the start of the run."
            )
