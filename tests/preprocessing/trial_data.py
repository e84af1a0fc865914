"""Time series with planted betas: overlapping responses, drift, confounds and noise."""

from dataclasses import dataclass

import numpy as np

from neurodecode.core.artifacts import Events, Features, Responses, make_samples
from neurodecode.core.tables import Table
from neurodecode.numerics.hrf_library import CANONICAL, compute_response


@dataclass
class Planted:
    responses: Responses
    events: Events
    confounds: Features
    betas: np.ndarray  # percent of the mean, (n_trials, n_voxels), run by run


def plant_trials(
    *, n_runs=3, n_trials=20, n_voxels=30, isi_s=4.0, t_r=1.5, noise=0.3, shapes=(CANONICAL,),
    n_stimuli=None, duration_s=1.0, spread=1.0, rho=0.0, confound=3.0, seed=0,
):  # fmt: skip
    """Every voxel responds to each stimulus by its own amplitude, alike in all repeats.

    Each run shows n_trials stimuli out of n_stimuli (all of them by default); shapes are dealt to
    voxels in turn.
    """
    rng = np.random.default_rng(seed)
    n_stimuli = n_stimuli or n_trials
    amplitude = 1.0 + spread * rng.standard_normal((n_stimuli, n_voxels))
    n_scans = int(np.ceil((n_trials * isi_s + 25) / t_r))
    times_s = np.arange(n_scans) * t_r
    data, betas, tables, columns = [], [], [], []
    for run in range(n_runs):
        shown = np.arange(n_stimuli)[(run * n_trials + np.arange(n_trials)) % n_stimuli]
        shown = rng.permutation(shown)
        onsets = 5 + np.arange(n_trials) * isi_s + rng.uniform(0, isi_s / 4, n_trials)
        signal = np.empty((n_scans, n_voxels))
        for k, shape in enumerate(shapes):
            design = compute_response(times_s[:, None] - onsets, shape, duration_s)
            signal[:, k :: len(shapes)] = design @ amplitude[shown][:, k :: len(shapes)]
        wave = rng.standard_normal((n_scans, n_voxels))
        for t in range(1, n_scans):
            wave[t] = rho * wave[t - 1] + np.sqrt(1 - rho**2) * wave[t]
        drift = np.cos(np.pi * (np.arange(n_scans) + 0.5) / n_scans)[:, None]
        extra = rng.standard_normal((n_scans, 2))
        signal += noise * wave + 2 * drift + extra @ (confound * rng.standard_normal((2, n_voxels)))
        mean = rng.uniform(500, 1500, n_voxels)
        data.append(mean * (1 + (signal - signal.mean(axis=0)) / 100))
        betas.append(amplitude[shown])
        columns.append(extra)
        tables.append({
            "onset": onsets, "stimulus_id": np.array([f"s{i:03d}" for i in shown]),
            "run": np.full(n_trials, f"{run + 1:02d}"),
        })  # fmt: skip
    total = n_runs * n_scans
    samples = make_samples(
        dataset="planted", stimulus_id=[""] * total, onset_s=np.tile(times_s, n_runs),
        run=np.repeat([f"{run + 1:02d}" for run in range(n_runs)], n_scans),
    )  # fmt: skip
    table = {name: np.concatenate([t[name] for t in tables]) for name in tables[0]}
    n = len(table["onset"])
    events = Table({
        **table, "subject": ["01"] * n, "session": ["01"] * n,
        "duration": np.full(n, duration_s), "trial_type": ["image"] * n,
    })  # fmt: skip
    ids = np.array([f"scan/{i}" for i in samples["sample_id"]])
    items = Table({"id": ids, "source": ids, "digest": ids, **samples.columns})
    return Planted(
        Responses(data=np.concatenate(data).astype(np.float32), samples=samples, t_r=t_r),
        Events(table=events),
        Features(data=np.concatenate(columns), items=items, extractor={"name": "confounds"}),
        np.concatenate(betas),
    )
