"""Confounds of several runs as features of their scans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from neurodecode.core.artifacts import Features, make_scan_items
from neurodecode.core.errors import DataError
from neurodecode.core.tables import Table
from neurodecode.datasets.fmriprep_confounds import RunConfounds

FLAGGED = "flagged"


def make_confound_features(
    runs: Sequence[tuple[RunConfounds, np.ndarray, np.ndarray]],
    samples: Table,
    *,
    regress: bool,
    settings: Mapping[str, Any],
    where: str,
) -> Features:
    """Return a row of confounds per scan, each column's mean over a run's good scans removed.

    Parameters
    ----------
    runs : sequence of (confounds, kept scans, flagged scans)
        In the order of the samples.
    samples : Table
        Of all runs.
    regress : bool
        Add a band "flagged" with a column of 0 and 1 for each scan flagged.
    settings : mapping
        Kept with the features.

    Returns
    -------
    features : Features, (n_scans, n_columns) of float64
        Bands are parts. Columns that a run lacks are 0 there: it has none of that kind, and a zero
        column takes nothing out of it.
    """
    bands: dict[str, list[str]] = {}
    for confounds, _, _ in runs:
        for part, names in confounds.bands.items():
            known = bands.setdefault(part, [])
            known += [name for name in names if name not in known]
    for part in bands:
        bands[part] = bands[part] if part in ("motion", "wm_csf") else sorted(bands[part])
    columns = [name for names in bands.values() for name in names]
    blocks, spikes = [], []
    for confounds, scans, flagged in runs:
        block = np.zeros((len(scans), len(columns)))
        good = ~flagged[scans]
        if not good.any():
            raise DataError(
                f"{where}: every scan of a run is flagged as moved or not steady. Leave the run "
                "out, or raise fd_threshold and std_dvars_threshold."
            )
        for k, name in enumerate(columns):
            if name in confounds.values:
                values = confounds.values[name][scans]
                block[:, k] = values - values[good].mean()
        blocks.append(block)
        spikes.append(np.eye(len(scans))[:, ~good])
    data = np.concatenate(blocks)
    edges = np.cumsum([0, *(len(names) for names in bands.values())]).tolist()
    extents = {part: (edges[k], edges[k + 1]) for k, part in enumerate(bands)}
    if regress and any(spike.shape[1] for spike in spikes):
        wide = np.zeros((len(data), sum(spike.shape[1] for spike in spikes)))
        row = column = 0
        for spike in spikes:
            wide[row : row + len(spike), column : column + spike.shape[1]] = spike
            row, column = row + len(spike), column + spike.shape[1]
        extents[FLAGGED] = (data.shape[1], data.shape[1] + column)
        columns += [f"{FLAGGED}_{k:03d}" for k in range(column)]
        data = np.concatenate([data, wide], axis=1)
    if not columns:
        raise DataError(
            f"{where}: the confounds asked for have no columns in these runs. Name further parts "
            "in confounds, or leave it out."
        )
    return Features(
        data=data,
        items=make_scan_items(samples),
        extractor={"name": where, "columns": columns, **settings},
        bands=extents,
    )
