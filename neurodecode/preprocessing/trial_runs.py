"""Scans, events and confounds of each run, brought together: no stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neurodecode.core.artifacts import Events, Features, Responses
from neurodecode.core.checks import check_finite, find_rows, list_names
from neurodecode.core.errors import DataError
from neurodecode.core.rows import group_samples
from neurodecode.core.tables import Table

PLACES = ("subject", "session", "run")
NEEDED = (*PLACES, "onset", "duration", "trial_type", "stimulus_id")


@dataclass(frozen=True)
class TrialRun:
    """One run.

    Parameters
    ----------
    name : str
        For messages.
    rows : array of int, shape (n_scans,)
        Of the responses, in the order of time.
    times_s : array, shape (n_scans,)
    trials : Table
        Rows of the events that are trials, by onset.
    others : sequence of (onsets_s, durations_s)
        Each kind of events of no interest.
    confounds : array, shape (n_scans, n_confounds)
    """

    name: str
    rows: np.ndarray
    times_s: np.ndarray
    trials: Table
    others: Sequence[tuple[np.ndarray, np.ndarray]]
    confounds: np.ndarray


def collect_runs(
    responses: Responses,
    events: Events,
    confounds: Features | None,
    trial_types: Sequence[str],
    nuisance_types: Sequence[str],
    where: str,
) -> list[TrialRun]:
    """Return the runs that have trials, in the order of the responses.

    Parameters
    ----------
    responses : Responses
        Time series.
    events : Events
    confounds : Features or None
        Of scans: items with a ``sample_id``.
    trial_types : sequence of str
        Which events are trials; none named: those with a stimulus.
    nuisance_types : sequence of str
        Which are taken out.
    where : str
        Stage that asks, for messages.
    """
    table, samples = events.table, responses.samples
    absent = [name for name in NEEDED if name not in table]
    if absent:
        raise DataError(
            f"{where}: the events have no column {list_names(absent)}. Columns: "
            f"{list_names(list(table))}. Add them where the events are read."
        )
    kinds = table["trial_type"].astype(str)
    unknown = [k for k in (*trial_types, *nuisance_types) if k not in kinds]
    if unknown:
        raise DataError(
            f"{where}: no event is of trial type {list_names(unknown)}. Known: "
            f"{list_names(np.unique(kinds).tolist())}. Correct trial_types or nuisance_types."
        )
    is_trial = np.isin(kinds, trial_types) if trial_types else table["stimulus_id"] != ""
    is_trial = is_trial & ~np.isin(kinds, nuisance_types)
    code = group_samples(samples, "run", where)
    _, first = np.unique(code, return_index=True)
    names = {_name_place(samples, int(row)): int(code[row]) for row in np.sort(first)}
    of_event = np.array([names.get(_name_place(table, i), -1) for i in range(len(table))])
    lost = np.flatnonzero(is_trial & (of_event < 0))
    if len(lost):
        raise DataError(
            f"{where}: {len(lost)} trials are in runs without responses (first: "
            f"{_name_place(table, int(lost[0]))}; responses are of {list_names([*names])}). Give "
            "the events of the runs measured."
        )
    runs = []
    for name, number in names.items():
        mine = np.flatnonzero(is_trial & (of_event == number))
        if not len(mine):
            continue  # a run without trials has no betas
        rows, times_s = _order_scans(samples, np.flatnonzero(code == number), f"{where}: {name}")
        trials = table.take(mine[np.argsort(table["onset"][mine], kind="stable")])
        _check_times(trials, times_s, f"{where}: {name}")
        others = []
        for kind in nuisance_types:
            at = np.flatnonzero((kinds == kind) & (of_event == number))
            if len(at):
                others.append((table["onset"][at], table["duration"][at]))
        extra = np.zeros((len(rows), 0))
        if confounds is not None:
            extra = _read_confounds(confounds, samples["sample_id"][rows], f"{where}: {name}")
        runs.append(TrialRun(name, rows, times_s, trials, others, extra))
    if not runs:
        raise DataError(
            f"{where}: no event is a trial: none has a stimulus_id. Name the trial types in "
            "trial_types, or give events with stimuli."
        )
    return runs


def _name_place(table: Table, row: int) -> str:
    return "sub-{}/ses-{}/run-{}".format(*(table[c][row] for c in PLACES))


def _order_scans(samples: Table, rows: np.ndarray, where: str) -> tuple[np.ndarray, np.ndarray]:
    times_s = samples["onset_s"][rows].astype(np.float64)
    order = np.argsort(times_s, kind="stable")
    if not np.isfinite(times_s).all() or (np.diff(times_s[order]) <= 0).any():
        raise DataError(
            f"{where}: scans have no time (onset_s), or two have the same. Give each scan its time "
            "in seconds, on the clock of the events."
        )
    return rows[order], times_s[order]


def _check_times(trials: Table, times_s: np.ndarray, where: str) -> None:
    """Raise DataError for trials without a time, or outside the run."""
    onsets, durations = trials["onset"], trials["duration"]
    if not (np.isfinite(onsets).all() and np.isfinite(durations).all() and (durations >= 0).all()):
        raise DataError(
            f"{where}: trials have an onset or duration that is no time. Allowed: seconds, "
            "durations of 0 or more. Mend the events."
        )
    late = int((onsets >= times_s[-1]).sum())
    if late:
        raise DataError(
            f"{where}: {late} trials begin at or after the last scan ({times_s[-1]:g} s; last "
            f"trial {onsets.max():g} s). Check that events and scans are in seconds on one clock, "
            "and leave out trials that were not measured."
        )


def _read_confounds(confounds: Features, sample_ids: np.ndarray, where: str) -> np.ndarray:
    if "sample_id" not in confounds.items:
        raise DataError(
            f"{where}: the confounds are not those of scans: their items have no 'sample_id'. "
            "Give the output of preprocessing that reads confounds of the same runs."
        )
    at = find_rows(confounds.items["sample_id"], sample_ids, what="scan", where=where)
    values = np.asarray(confounds.data[np.sort(at)], np.float64)[np.argsort(np.argsort(at))]
    check_finite(values, what="confounds", where=where)
    return values
