"""What looking through an fMRIPrep folder found, as a table to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from neurodecode.core.artifacts import Document, Space
from neurodecode.datasets.fmriprep_confounds import RunConfounds
from neurodecode.datasets.scan_files import ScanFile

HEADINGS = (
    "run", "file", "scans recorded", "scans kept", "T_R (s)", "values belong to (s)",
    "mean FD (mm)", "greatest FD (mm)", "not steady", "flagged", "events",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class RunCheck:
    """What is told of one run; see datasets.fmriprep."""

    name: str
    file: ScanFile
    t_r: float
    start_s: float
    scans: np.ndarray
    confounds: RunConfounds | None
    flagged: np.ndarray
    events: Mapping[str, np.ndarray]


def format_checks(
    runs: Sequence[RunCheck], notices: Sequence[str], space: Space, flagged: str
) -> Document:
    """Return a page: a row per run, then what is to be noticed."""
    told = [*notices]
    for run in runs:
        told += _list_notices(run, flagged)
    rows = "".join(
        f"<tr>{''.join(f'<td>{escape(c)}</td>' for c in _describe(r))}</tr>" for r in runs
    )
    head = "".join(f"<th>{escape(name)}</th>" for name in HEADINGS)
    where = f"{space.kind} {space.mesh}".strip()
    listed = "".join(f"<li>{escape(text)}</li>" for text in told)
    html = (
        f"<p>Space: {escape(where)}.</p><table><tr>{head}</tr>{rows}</table>"
        f"{f'<ul>{listed}</ul>' if told else '<p>Nothing to notice.</p>'}"
    )
    return Document(title="What the fMRIPrep folder holds", html=html)


def _describe(run: RunCheck) -> list[str]:
    moved = None if run.confounds is None else run.confounds.displacement_mm
    steps = np.empty(0) if moved is None else moved[np.isfinite(moved)]
    return [
        run.name,
        run.file.paths[0].name,
        str(run.file.n_scans),
        str(len(run.scans)),
        f"{run.t_r:g}",
        f"{run.start_s:g}",
        f"{steps.mean():.3f}" if len(steps) else "not known",
        f"{steps.max():.3f}" if len(steps) else "not known",
        str(run.confounds.n_unsteady) if run.confounds is not None else "not known",
        str(int(run.flagged[run.scans[0] :].sum())),
        str(len(run.events["onset"])) if run.events else "none",
    ]


def _list_notices(run: RunCheck, flagged: str) -> list[str]:
    found = []
    if run.confounds is None:
        found.append(
            f"{run.name} has no table of confounds: whether its first scans were steady is not "
            "known, and none was dropped for it."
        )
    n_dropped = int(run.scans[0])
    if n_dropped:
        found.append(f"{run.name}: the first {n_dropped} scans are left out; times count them.")
    n_flagged = int(run.flagged[n_dropped:].sum())
    if n_flagged:
        done = {
            "censor": "marked in the column 'censored'",
            "regress": "given confounds of their own",
        }
        found.append(f"{run.name}: {n_flagged} scans are {done.get(flagged, 'left out')}.")
    if run.events:
        end = run.file.n_scans * run.t_r
        late = int((run.events["onset"] >= end).sum())
        if late:
            found.append(
                f"{run.name}: {late} of {len(run.events['onset'])} events begin after the last "
                f"scan, which ends at {end:g} s."
            )
        unknown = int(np.isnan(run.events["duration"]).sum())
        if unknown:
            found.append(f"{run.name}: {unknown} events have no duration (n/a).")
    return found
