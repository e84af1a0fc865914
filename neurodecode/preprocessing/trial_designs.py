"""Designs of all runs, checked, and their scans some voxels at a time: no stage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from neurodecode.core.errors import DataError
from neurodecode.core.progress import track
from neurodecode.numerics.hrf_library import HrfShape
from neurodecode.numerics.single_trial_design import (
    RunDesign,
    find_cut_off,
    find_hidden,
    make_run_design,
    measure_dependence,
)
from neurodecode.preprocessing.trial_runs import TrialRun

BLOCK_BYTES = 1 << 27
MOST_DEPENDENT = 1e6


@dataclass(frozen=True)
class Scans:
    """Scans of all runs, and what each voxel of a run is multiplied by.

    Parameters
    ----------
    data : sequence of arrays, shape (n_scans, n_voxels)
    scales : sequence of arrays, shape (n_voxels,)
    """

    data: Sequence[np.ndarray]
    scales: Sequence[np.ndarray]

    def iterate(self, label: str, n_copies: int = 1) -> Iterator[tuple[slice, list[np.ndarray]]]:
        """Yield some voxels of all runs at a time, scaled, in float64."""
        n_rows = sum(len(y) for y in self.data) * (1 + n_copies)
        width = max(1, BLOCK_BYTES // (8 * n_rows))
        for start in track(range(0, self.data[0].shape[1], width), label):
            some = slice(start, start + width)
            pairs = zip(self.data, self.scales, strict=True)
            yield some, [y[:, some].astype(np.float64) * scale[some] for y, scale in pairs]


def leave_out_cut_off(
    runs: Sequence[TrialRun], shapes: tuple[HrfShape, ...], *, refuse: bool, where: str
) -> list[TrialRun]:
    """Return runs without the trials whose response the scans hardly see, or refuse these."""
    kept = []
    for run in runs:
        trials = run.trials
        cut = find_cut_off(run.times_s, trials["onset"], trials["duration"], shapes)
        if len(cut) and refuse:
            raise DataError(
                f"{where}: {run.name}: the scans ({run.times_s[0]:g} to {run.times_s[-1]:g} s) "
                f"hardly see the responses of {len(cut)} trials (first: onset "
                f"{trials['onset'][cut[0]]:g} s). Set unseen_trials: leave_out, or remove "
                "these events."
            )
        rest = np.setdiff1d(np.arange(len(trials)), cut)
        if len(rest):
            kept.append(replace(run, trials=trials.take(rest)))
    if not kept:
        raise DataError(
            f"{where}: the scans hardly see the response of any trial. Check that events and scans "
            "are in seconds on one clock."
        )
    return kept


def make_designs(
    runs: Sequence[TrialRun],
    shapes: tuple[HrfShape, ...],
    drifts: Sequence[np.ndarray],
    *,
    separate: bool,
    apart: bool,
    where: str,
) -> list[RunDesign]:
    """Return the design of each run.

    Parameters
    ----------
    runs : sequence of TrialRun
    shapes : tuple of HrfShape
    drifts : sequence of arrays, shape (n_scans, n_columns)
        Taken out of each run beside its confounds.
    separate : bool
        A model has one trial and the others, else a column per trial.
    apart : bool
        Trials must be told apart without shrinkage.
    where : str
        Stage that asks, for messages.
    """
    ids = np.concatenate([run.trials["stimulus_id"].astype(str) for run in runs])
    kinds = np.concatenate([run.trials["trial_type"].astype(str) for run in runs])
    what = np.where(ids == "", np.char.add("type/", kinds), np.char.add("stimulus/", ids))
    conditions = np.unique(what, return_inverse=True)[1]
    types = np.unique(kinds, return_inverse=True)[1]
    designs, start = [], 0
    for run, drift in zip(runs, drifts, strict=True):
        some = slice(start, start + len(run.trials))
        start = some.stop
        design = make_run_design(
            run.times_s, run.trials["onset"], run.trials["duration"], conditions[some],
            types[some], shapes, np.column_stack([drift, run.confounds]), run.others,
        )  # fmt: skip
        _check(run, design, separate, apart, f"{where}: {run.name}")
        designs.append(design)
    return designs


def _check(run: TrialRun, design: RunDesign, separate: bool, apart: bool, where: str) -> None:
    n_trials = len(run.trials)
    n_own = min(2, n_trials) if separate else n_trials
    n_columns = design.nuisance.shape[2] + n_own
    if n_columns >= len(run.rows):
        raise DataError(
            f"{where}: {n_columns} regressors ({n_own} of trials) for {len(run.rows)} scans. "
            "Allowed: fewer regressors than scans. Take fewer confounds, or set method: separate."
        )
    hidden = find_hidden(design)
    if len(hidden):
        raise DataError(
            f"{where}: the responses of {len(hidden)} trials lie in what is taken out (first: "
            f"onset {run.trials['onset'][hidden[0]]:g} s). Take fewer confounds."
        )
    if apart and measure_dependence(design) > MOST_DEPENDENT:
        raise DataError(
            f"{where}: trials come so close together that least squares all cannot tell them "
            "apart. Set method: separate or ridge."
        )
