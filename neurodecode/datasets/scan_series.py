"""Runs of scans as one time series: which voxels are kept, and the table that says when each was.

Data are not read here but when they are used, run by run; only the look for voxels without a
signal goes through all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from neurodecode.core.artifacts import Responses, Space, make_samples
from neurodecode.core.checks import list_names
from neurodecode.core.digests import make_tokens
from neurodecode.core.errors import DataError
from neurodecode.core.progress import track
from neurodecode.core.stacked import StackedArray
from neurodecode.core.tables import Table
from neurodecode.datasets.event_files import find_shown
from neurodecode.datasets.scan_files import RunScans, ScanFile, survey_scans

FEWEST_SCANS = 3


@dataclass(frozen=True, eq=False)
class SeriesRun:
    """One run to be stacked.

    Parameters
    ----------
    file : ScanFile
    subject, session, run : str
    scans : array of int, shape (n_kept,)
        Kept scans, counted from the first that was recorded.
    start_s : float
        Time within a scan to which its values belong.
    events : mapping of column to array
        Of this run; may be empty.
    columns : mapping of name to array, each of shape (n_kept,)
        Further columns of the sample table.
    """

    file: ScanFile
    subject: str
    session: str
    run: str
    scans: np.ndarray
    start_s: float = 0.0
    events: Mapping[str, np.ndarray] = field(default_factory=dict)
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def places(self) -> dict[str, str]:
        """Subject, session and run."""
        return {"subject": self.subject, "session": self.session, "run": self.run}

    @property
    def name(self) -> str:
        """Return "sub-01/ses-02/run-1", for messages."""
        return f"sub-{self.subject}/ses-{self.session}/run-{self.run}"


def drop_scans(n_scans: int, n_dropped: int, where: str) -> np.ndarray:
    """Return the scans that remain when the first ones are dropped.

    Raises
    ------
    DataError
        Too few remain.
    """
    if n_scans - n_dropped < FEWEST_SCANS:
        raise DataError(
            f"{where}: {n_dropped} of its {n_scans} scans are to be dropped. Allowed: "
            f"{FEWEST_SCANS} that remain, or more. Lower drop, or leave the run out."
        )
    return np.arange(n_dropped, n_scans)


def make_series(
    runs: Sequence[SeriesRun],
    columns: np.ndarray,
    space: Space,
    t_r: float,
    *,
    flat_voxels: Literal["refuse", "drop"],
    name: str,
    units: str,
    where: str,
) -> tuple[Responses, list[str]]:
    """Return runs as one time series, with notices of what was left out.

    Parameters
    ----------
    columns : array of int, shape (n_voxels,)
        Of the files' grid.
    space : Space
        Of these columns.
    name : str
        Of the dataset; part of the identity of each scan.

    Raises
    ------
    DataError
        Voxels hold NaN or never change and are to be refused, or none remains.
    """
    _check_unique(runs, where)
    kept, notices = _survey(runs, columns, flat_voxels, where)
    if not kept.all():
        columns, space = columns[kept], space.take_columns(np.flatnonzero(kept))
    parts = tuple(RunScans(run.file, columns, run.scans) for run in runs)
    responses = Responses(
        data=StackedArray(parts, holds=True),
        samples=_tabulate(runs, t_r, name),
        space=space,
        units=units,
        t_r=t_r,
    )
    return responses, notices


def _check_unique(runs: Sequence[SeriesRun], where: str) -> None:
    names = [run.name for run in runs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(
            f"{where}: {list_names(twice)} is there more than once. Give each run a label of its "
            "own."
        )


def _survey(
    runs: Sequence[SeriesRun], columns: np.ndarray, flat_voxels: str, where: str
) -> tuple[np.ndarray, list[str]]:
    """Return which columns are kept, and what is to be said about the others."""
    broken, flat = np.zeros(len(columns), bool), np.zeros(len(columns), bool)
    blamed: list[str] = []
    for run in track(list(runs), where):
        here_broken, here_flat = survey_scans(RunScans(run.file, columns, run.scans))
        if here_broken.any() or here_flat.any():
            blamed.append(run.name)
        broken |= here_broken
        flat |= here_flat
    bad = broken | flat
    if not bad.any():
        return ~bad, []
    n_broken, n_flat = int(broken.sum()), int((flat & ~broken).sum())
    told = (
        f"{n_broken} of {len(bad)} voxels hold NaN or infinity and {n_flat} never change (zeros, "
        "say) in "
        f"{list_names(blamed, 4)} (first columns: "
        f"{np.flatnonzero(bad)[:5].tolist()})"
    )
    if bad.all():
        raise DataError(f"{where}: {told}. Nothing would be left. Check the files, or the mask.")
    if flat_voxels == "refuse":
        raise DataError(
            f"{where}: {told}. Set flat_voxels: drop to leave them out of all runs, or give a mask "
            "without them."
        )
    return ~bad, [f"{told}; they are left out of all runs."]


def _tabulate(runs: Sequence[SeriesRun], t_r: float, name: str) -> Table:
    """Return the sample table: one row per scan that is kept."""

    def spread(labels: list[str]) -> np.ndarray:
        return np.repeat(labels, [len(run.scans) for run in runs])

    begins = [run.scans * t_r for run in runs]
    shown = [
        find_shown(run.events["onset"], run.events["stimulus_id"], begin, t_r)
        if run.events
        else np.full(len(begin), "")
        for run, begin in zip(runs, begins, strict=True)
    ]
    # named by the volume recorded, so that a scan is the same whichever runs are read beside it
    identity = [
        f"{name}/{run.subject}/{run.session}/{run.run}/{scan}" for run in runs for scan in run.scans
    ]
    names = dict.fromkeys(column for run in runs for column in run.columns)
    further = {column: np.concatenate([run.columns[column] for run in runs]) for column in names}
    samples = make_samples(
        dataset=name,
        subject=spread([run.subject for run in runs]),
        session=spread([run.session for run in runs]),
        run=spread([run.run for run in runs]),
        onset_s=np.concatenate([b + r.start_s for b, r in zip(begins, runs, strict=True)]),
        stimulus_id=np.concatenate(shown),
        sample_id=make_tokens(identity, "sample"),
    )
    return samples.with_columns(**further)
