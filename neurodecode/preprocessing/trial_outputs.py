"""Tables of what single-trial betas are, and of how they were made: no stage."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neurodecode.core.artifacts import Responses, Scores, Space, Stimuli, make_samples
from neurodecode.core.tables import Table
from neurodecode.numerics.hrf_library import HrfShape
from neurodecode.preprocessing.trial_runs import TrialRun


def tabulate_trials(
    responses: Responses, runs: Sequence[TrialRun], stimuli: Stimuli | None
) -> Table:
    """Return the sample table of the trials, with all that their events say of them."""
    trials = {name: np.concatenate([run.trials[name] for run in runs]) for name in runs[0].trials}
    own = {
        "subject",
        "session",
        "run",
        "onset",
        "stimulus_id",
        "onset_s",
        "repeat",
        "sample_id",
    }
    if stimuli is not None:
        own |= {"source", "digest", "category"}
    more = {name: values for name, values in trials.items() if name not in own}
    more["duration_s"] = more.pop("duration")
    scans = [run.rows[_find_scans(run.times_s, run.trials["onset"])] for run in runs]
    table = make_samples(
        dataset="trials", stimulus_id=trials["stimulus_id"], subject=trials["subject"],
        session=trials["session"], run=trials["run"], onset_s=trials["onset"],
        stimuli=stimuli, **more,
    )  # fmt: skip
    return table.with_columns(sample_id=responses.samples["sample_id"][np.concatenate(scans)])


def describe_fit(
    r2: np.ndarray,
    shapes: Sequence[HrfShape],
    fraction: np.ndarray,
    n_components: int,
    space: Space,
) -> Scores:
    """Return R² of each voxel as scores, with what was chosen for it.

    Parameters
    ----------
    r2, fraction : arrays, shape (n_voxels,)
    shapes : sequence of HrfShape, n_voxels
    n_components : int
        Noise components taken out.
    space : Space
    """
    known = np.isfinite(r2)
    columns = {
        "voxel": np.arange(len(r2)),
        "peak_s": np.array([shape.peak_s for shape in shapes]),
        "width_s": np.array([shape.fwhm_s for shape in shapes]),
        "fraction": fraction,
    }
    maps = {"R2 of the trials' responses": r2, "peak_s": columns["peak_s"], "fraction": fraction}
    rows = [
        (f"median {name}", float(np.median(one[known])) if known.any() else np.nan)
        for name, one in maps.items()
    ]
    names, values = zip(*rows, ("noise components", float(n_components)), strict=True)
    nothing = np.full(len(names), np.nan)
    return Scores(
        values=r2,
        over="voxels",
        items=Table(columns),
        metric="R² of the trials' responses",
        scale="r2",
        summary=Table(
            {"name": names, "value": values, "low": nothing, "high": nothing, "chance": nothing,
             "n": np.full(len(names), int(known.sum()))}
        ),
        space=space,
    )  # fmt: skip


def _find_scans(times_s: np.ndarray, onsets_s: np.ndarray) -> np.ndarray:
    """Return a scan for each trial, ascending: that in which it begins, or the next one free."""
    begun = np.searchsorted(times_s, onsets_s + 1e-9, side="right") - 1
    scans = np.maximum(begun, 0)
    for trial in range(1, len(scans)):
        scans[trial] = max(scans[trial], scans[trial - 1] + 1)
    room = len(times_s) - 1 - np.arange(len(scans))[::-1]  # for those that come after
    return np.minimum(scans, room)
