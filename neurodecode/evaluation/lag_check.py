"""Whether responses follow their events by a plausible delay, before anything is convolved.

Events tables are not all of stimuli: some list when the response was expected, some count time
from another zero, dropped volumes or not. A canonical HRF on such onsets delays twice, and scores
fall quietly. Here events are moved from 12 s earlier to 12 s later, convolved, and fitted across
runs: the best shift of true onsets is near zero. The events of OpenFMRI's copy of Haxby et al. 2001
in PyMVPA, for one, fit best when moved 7 s earlier: they hold the haemodynamic delay already.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Annotated, ClassVar, Literal, TypedDict

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt

from neurodecode.core.artifacts import Document, Events, Responses, Scores
from neurodecode.core.checks import check_finite, list_names
from neurodecode.core.errors import DataError
from neurodecode.core.rows import group_samples
from neurodecode.core.stage import Sight, Stage
from neurodecode.core.tables import Table
from neurodecode.evaluation.lag_figure import draw_lags
from neurodecode.numerics.drift import make_polynomials, remove_drift
from neurodecode.numerics.lag import (
    Lag,
    Part,
    compare_lags,
    make_shifted_regressors,
    score_lags,
    sum_parts,
)
from neurodecode.numerics.statistics import average_fisher_z

FEWEST_PARTS, GAP_S = 6, 12.0  # fewer runs are cut into stretches, with gaps between
CLEAR_P = 0.05
HAEMODYNAMIC_S = (-9.0, -3.5)  # shifts that say that onsets lie where responses peak


class LagCheckOutputs(TypedDict):
    """What evaluation.lag_check returns."""

    events: Events
    scores: Scores
    figure: Document


class LagCheck(Stage):
    """Refuse events whose responses do not follow by a haemodynamic delay; hand on those that do.

    The events come out as they went in, moved by ``shift_s``: give this output to what convolves,
    so that nothing is convolved that was not checked. r is that of the best voxels, chosen and
    fitted on the other runs, drift removed within runs; fewer than six runs are cut into stretches.
    Refused is what is clear: there is a response (p 0.05, the maximum over shifts), a shift beyond
    the tolerance fits it better than none (likewise), and the best shift's interval lies beyond.

    Parameters
    ----------
    shift_s : float
        Seconds added to all onsets before they are checked, and in what is handed on.
    tolerance_s : float
        How far from zero the best shift may lie.
    longest_shift_s, step_s : float
        The shifts tried, seconds: up to the first on either side, in these steps.
    leave_out : tuple of str
        Trial types that are no events, such as ["rest"].
    degree : int or None
        Of the polynomials removed from each run; None takes 1 + floor(duration / 150 s).
    n_voxels : int
        r is averaged over as many.
    most_voxels : int
        Of more, this many are drawn at random.
    on_mismatch : {"refuse", "report"}
        Stop, or say it in the notices of the scores.
    n_bootstrap, seed : int
    """

    stage: ClassVar[str] = "evaluation.lag_check"
    example: ClassVar[dict[str, str | int | float]] = {
        "on_mismatch": "report", "n_bootstrap": 20, "step_s": 2.0,
    }  # fmt: skip

    shift_s: float = 0.0
    tolerance_s: PositiveFloat = 3.0
    longest_shift_s: PositiveFloat = 12.0
    step_s: Annotated[float, Field(ge=0.1)] = 0.5
    leave_out: tuple[str, ...] = ()
    degree: Annotated[int, Field(ge=0, le=20)] | None = None
    n_voxels: PositiveInt = 50
    most_voxels: PositiveInt = 2000
    on_mismatch: Literal["refuse", "report"] = "refuse"
    n_bootstrap: PositiveInt = 1000
    seed: int = 0

    def sees(self) -> dict[str, Sight]:
        """What is handed on are the events as they came: responses only decide whether they are."""
        return {"responses": "row", "events": "row"}

    def run(self, responses: Responses, events: Events) -> LagCheckOutputs:
        """Return the events, r at every shift, and a figure of both.

        Raises
        ------
        DataError
            Events do not fit the runs, or (on_mismatch: refuse) their responses come at another
            delay than an HRF gives them.
        """
        table = self._read_events(events)
        n_steps = int(np.floor(self.longest_shift_s / self.step_s + 1e-9))
        shifts = self.step_s * np.arange(-n_steps, n_steps + 1)
        convolved, plain = self._make_parts(responses, table, shifts)
        varied = np.isfinite(score_lags(sum_parts(convolved), self.n_voxels)).all(axis=1)
        if varied.sum() < 2:
            raise DataError(
                f"{self.stage}: {varied.sum()} of {len(varied)} runs or stretches have events all "
                "along the shifts tried. Allowed: two or more. Lower longest_shift_s, or check "
                "that events and scans count time from the same zero."
            )
        kept = np.flatnonzero(varied)
        lag = compare_lags(
            sum_parts([convolved[k] for k in kept]),
            shifts,
            n_best=self.n_voxels,
            tolerance_s=self.tolerance_s,
            n_bootstrap=self.n_bootstrap,
            seed=self.seed,
        )
        boxcars = score_lags(sum_parts([plain[k] for k in kept]), self.n_voxels)
        unconvolved = float(average_fisher_z(boxcars[:, 0]))
        verdict = self._judge(lag, shifts, unconvolved)
        moved = replace(events, table=_move(events.table, self.shift_s))
        return {
            "events": moved,
            "scores": _make_scores(lag, shifts, unconvolved, len(kept), (verdict,)),
            "figure": Document(
                title="Lag between events and responses",
                html=f"<p>{verdict}</p>",
                figures={"lag.svg": draw_lags(lag, shifts, unconvolved)},
            ),
        }

    def _read_events(self, events: Events) -> Table:
        table = events.table
        for name in ("subject", "session", "run", "onset", "duration", "trial_type"):
            if name not in table:
                raise DataError(
                    f"{self.stage}: the events have no column '{name}'. Columns: "
                    f"{list_names(list(table))}. Add it where they are loaded."
                )
        kept = table.take(~np.isin(table["trial_type"].astype(str), self.leave_out))
        if not len(kept):
            raise DataError(
                f"{self.stage}: no events are left of {len(table)}. Name fewer in leave_out."
            )
        for name in ("onset", "duration"):
            check_finite(kept[name].astype(float), what=f"{name}s of events", where=self.stage)
        return _move(kept, self.shift_s)

    def _make_parts(
        self, responses: Responses, events: Table, shifts: np.ndarray
    ) -> tuple[list[Part], list[Part]]:
        """Return the runs with convolved regressors, and with boxcars at the listed onsets."""
        samples, t_r = responses.samples, responses.t_r
        if t_r is None or len(responses.data.shape) != 2 or responses.foldwise is not None:
            raise DataError(
                f"{self.stage}: responses are no time series of scans (t_r {t_r}, shape "
                f"{tuple(responses.data.shape)}). Give the scans as they are loaded, before "
                "betas, averages or preprocessing per fold."
            )
        runs = group_samples(samples, "run", self.stage)
        names = {
            run: _name_run(samples, int(np.flatnonzero(runs == run)[0])) for run in np.unique(runs)
        }
        of_event = np.array([_name_run(events, row) for row in range(len(events))])
        strangers = np.setdiff1d(of_event, [*names.values()])
        if len(strangers):
            raise DataError(
                f"{self.stage}: events lie in runs that have no scans ({list_names(strangers)}). "
                f"Known: {list_names([*names.values()])}. Give events and responses of one "
                "recording."
            )
        conditions = np.unique(events["trial_type"].astype(str), return_inverse=True)[1].ravel()
        columns = self._choose_voxels(responses.data.shape[1])
        convolved: list[Part] = []
        plain: list[Part] = []
        for run, name in names.items():
            rows, own = np.flatnonzero(runs == run), of_event == name
            times = samples["onset_s"][rows]
            if not np.isfinite(times).all() or (np.diff(times) <= 0).any():
                raise DataError(
                    f"{self.stage}: {name}: scans have no onset_s, or are not in the order of "
                    "time. Add onset_s, on the clock of the events, where they are loaded."
                )
            if not own.any():
                continue
            degree = self.degree
            if degree is None:
                degree = min(1 + int(len(rows) * t_r // 150), max(0, len(rows) - 3))
            drift = make_polynomials(len(rows), degree)
            block = np.asarray(responses.data[rows])[:, columns]
            check_finite(block, what="responses", where=f"{self.stage}: {name}")
            Y = remove_drift(block, drift)
            gap = round(GAP_S / t_r)
            n_pieces = min(-(-FEWEST_PARTS // len(names)), max(1, len(rows) // (2 * gap + 1)))
            pieces = _cut(len(rows), n_pieces, gap)
            for into, hrf, at in ((convolved, True, shifts), (plain, False, np.zeros(1))):
                X = make_shifted_regressors(
                    events["onset"][own].astype(float), events["duration"][own].astype(float),
                    conditions[own], times, at, n_conditions=int(conditions.max()) + 1,
                    hrf=hrf, shortest_s=0.0 if hrf else t_r,
                )  # fmt: skip
                X = np.stack([remove_drift(x, drift) for x in X])
                into += [Part(X[:, piece], Y[piece]) for piece in pieces]
        return convolved, plain

    def _choose_voxels(self, n: int) -> np.ndarray:
        if n <= self.most_voxels:
            return np.arange(n)
        drawn = np.random.default_rng(self.seed).choice(n, self.most_voxels, replace=False)
        return np.sort(drawn)

    def _judge(self, lag: Lag, shifts: np.ndarray, unconvolved: float) -> str:
        """Return what was found in words; raise DataError where events are to be refused."""
        at_none, at_best = float(lag.curve[np.abs(shifts).argmin()]), float(lag.curve.max())
        found = (
            f"responses follow best with onsets moved by {lag.best_s:+.1f} s (95 % interval "
            f"{lag.low_s:+.1f} to {lag.high_s:+.1f}): r {at_best:.3f} there, {at_none:.3f} as "
            f"listed, {unconvolved:.3f} as listed without an HRF."
        )
        if lag.p_response > CLEAR_P:
            return f"No response to the events was found, so their lag cannot be told: {found}"
        if abs(lag.best_s) <= self.tolerance_s:
            return f"The lag is plausible: {found}"
        apart = lag.low_s > self.tolerance_s or lag.high_s < -self.tolerance_s
        if lag.p_gain > CLEAR_P or not apart:
            return f"The lag is uncertain, and the gain over none may be nothing: {found}"
        total = self.shift_s + lag.best_s
        earliest, latest = HAEMODYNAMIC_S
        if earliest <= lag.best_s <= latest and unconvolved > at_none:
            error = DataError(
                f"{self.stage}: the onsets seem to hold the haemodynamic delay already: {found} "
                f"Set shift_s: {total:g} here, or use the events without an HRF, as boxcars."
            )
        else:
            error = DataError(
                f"{self.stage}: the events do not lie where the responses say: {found} Check the "
                f"zero of time and dropped volumes, or set shift_s: {total:g} here."
            )
        if self.on_mismatch == "refuse":
            raise error
        text = str(error).removeprefix(f"{self.stage}: ")
        return text[0].upper() + text[1:]


def _name_run(table: Table, row: int) -> str:
    return f"sub-{table['subject'][row]}/ses-{table['session'][row]}/run-{table['run'][row]}"


def _move(table: Table, shift_s: float) -> Table:
    return table.with_columns(onset=table["onset"].astype(float) + shift_s) if shift_s else table


def _cut(n: int, n_pieces: int, gap: int) -> list[slice]:
    """Return the stretches of a run, with a gap before each but the first."""
    ends = [k * n // n_pieces for k in range(n_pieces + 1)]
    return [slice(start + (gap if start else 0), end) for start, end in itertools.pairwise(ends)]


def _make_scores(
    lag: Lag, shifts: np.ndarray, unconvolved: float, n_parts: int, notices: tuple[str, ...]
) -> Scores:
    none, best = int(np.abs(shifts).argmin()), int(lag.curve.argmax())
    nan = float("nan")
    rows = [
        ("r, events as listed", lag.curve[none], lag.curve_low[none], lag.curve_high[none]),
        (
            f"r, moved {lag.best_s:+.1f} s",
            lag.curve[best],
            lag.curve_low[best],
            lag.curve_high[best],
        ),
        ("r, as listed, without an HRF", unconvolved, nan, nan),
    ]
    names, values, lows, highs = zip(*rows, strict=True)
    summary = {
        "name": list(names), "value": np.array(values, float), "low": np.array(lows, float),
        "high": np.array(highs, float), "chance": np.zeros(3), "n": np.full(3, n_parts),
    }  # fmt: skip
    return Scores(
        values=lag.curve,
        items=Table({"shift_s": shifts, "low": lag.curve_low, "high": lag.curve_high}),
        metric="correlation with shifted events",
        scale="r",
        summary=Table(summary),
        of="events",
        notices=notices,
    )
