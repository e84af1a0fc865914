"""Tables of simulated runs: what was shown when, sample by sample and event by event."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurodecode.core.artifacts import Events, Stimuli, make_samples
from neurodecode.core.tables import Table

DATASET = "simulated"


@dataclass(frozen=True)
class Run:
    """What one run showed, and when.

    Parameters
    ----------
    name : str
    images : array of int, shape (n_trials,)
        Rows of the stimuli, in the order shown.
    onsets_s : array, shape (n_trials,)
    times_s : array, shape (n_samples,)
        Of trials their onsets, of time series the start of each scan.
    """

    name: str
    images: np.ndarray
    onsets_s: np.ndarray
    times_s: np.ndarray


def tabulate_trials(runs: list[Run], stimuli: Stimuli, subject: str, session: str) -> Table:
    """Return the sample table of single-trial responses, a row per trial."""
    shown = np.concatenate([run.images for run in runs])
    return make_samples(
        dataset=DATASET,
        subject=subject,
        session=session,
        run=np.concatenate([np.full(len(run.images), run.name) for run in runs]),
        onset_s=np.concatenate([run.onsets_s for run in runs]),
        stimulus_id=stimuli.items["id"].astype(str)[shown],
        stimuli=stimuli,
    )


def tabulate_scans(
    runs: list[Run], stimuli: Stimuli, subject: str, session: str, t_r: float
) -> Table:
    """Return the sample table of time series, a row per scan; "" where no stimulus starts."""
    at = np.concatenate([_find_starts(run, t_r) for run in runs])
    # make_samples looks up every id, and "" is none; so the stimuli's columns are added here.
    # Scans in which nothing starts get names of their own, so that no two of them ever count as
    # one stimulus seen twice.
    rest = [f"rest/{subject}/{session}/{k}" for k in range(len(at))]
    columns = {
        name: np.where(at >= 0, stimuli.items[name].astype(str)[at], other)
        for name, other in (("source", rest), ("digest", rest), ("category", ""))
        if name in stimuli.items
    }
    return make_samples(
        dataset=DATASET,
        subject=subject,
        session=session,
        run=np.concatenate([np.full(len(run.times_s), run.name) for run in runs]),
        onset_s=np.concatenate([run.times_s for run in runs]),
        stimulus_id=np.where(at >= 0, stimuli.items["id"].astype(str)[at], ""),
        stimuli=None,
        **columns,
    )


def tabulate_events(
    runs: list[Run], ids: np.ndarray, subject: str, session: str, duration_s: float
) -> Events:
    """Return when each image was shown, seconds from the start of its run."""
    n = sum(len(run.images) for run in runs)
    columns = {
        "subject": np.full(n, subject),
        "session": np.full(n, session),
        "run": np.concatenate([np.full(len(run.images), run.name) for run in runs]),
        "onset": np.concatenate([run.onsets_s for run in runs]),
        "duration": np.full(n, duration_s),
        "trial_type": np.full(n, "image"),
        "stimulus_id": ids[np.concatenate([run.images for run in runs])],
    }
    return Events(table=Table(columns))


def _find_starts(run: Run, t_r: float) -> np.ndarray:
    """Return the image that starts within each scan, -1 where none does."""
    at = np.full(len(run.times_s), -1)
    at[np.floor(run.onsets_s / t_r + 1e-9).astype(int)] = run.images
    return at
