"""Time series of one's own: NIfTI files, one per run, with a mask and tables of events.

For data that no pipeline laid out as BIDS; an fMRIPrep folder is read by datasets.fmriprep. GIFTI
and CIFTI files are read as well. Scans are read when they are used, run by run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, NotRequired, Self, TypedDict, cast

import numpy as np
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, model_validator

from neurodecode.core.artifacts import Document, Events, Responses, Space
from neurodecode.core.errors import DataError
from neurodecode.core.raw import find_raw
from neurodecode.core.stage import Stage
from neurodecode.datasets.event_files import read_events, stack_events
from neurodecode.datasets.repetition_time import settle_t_r
from neurodecode.datasets.scan_files import ScanFile, check_same_grid, open_scans
from neurodecode.datasets.scan_series import SeriesRun, drop_scans, make_series
from neurodecode.datasets.scan_spaces import (
    compute_mask,
    make_cifti_space,
    make_surface_space,
    make_volume_space,
    read_mask,
)

COMPUTED = ("epi", "brain")


class NiftiOutputs(TypedDict):
    """What the files hold, and what was noticed."""

    responses: Responses
    events: NotRequired[Events]
    check: Document


class Nifti(Stage):
    """Read runs of scans from image files.

    Parameters
    ----------
    files : list of str
        One 4-D file per run, in order; "left.func.gii,right.func.gii" for surfaces. Absolute, or
        relative to the working folder or a data root.
    runs, sessions : list of str
        A label for each file; runs are "01", "02", ... and the session "01" if empty.
    subject : str
    name : str
        Of the dataset; part of the identity of each scan.
    mask : str
        Path of a mask on the scans' grid; "epi" or "brain" for the voxels that nilearn takes for
        brain in every run (by the scans' own values; or by the MNI template, in MNI space only);
        "all" for the whole grid.
    mesh : str
        Of surfaces: "fsaverage5", "fsLR", or a name of one's own.
    structures : {"cortex", "subcortex"}
        Of CIFTI: the surface, or the other structures as a volume.
    flat_voxels : {"refuse", "drop"}
        What to do with voxels that hold NaN or never change within a run.
    t_r : float or None
        Seconds; must agree with the headers. None takes theirs.
    header_t_r : {"check", "ignore"}
        "ignore" where headers are known to be wrong; needs t_r.
    start_time_s : float
        Time within a scan to which its values belong: 0, or what slices were corrected to.
    drop : int
        Scans left out at the start of each run; times count them.
    events : list of str
        A table for each file, as BIDS writes them (.tsv, or .csv), or one that holds for all.
    stimulus_column : str or None
        Column of the events that names the stimulus; None takes "stim_file" if it is there.
    units : str
    """

    stage: ClassVar[str] = "datasets.nifti"
    example: ClassVar[Mapping[str, Any]] = {
        "files": ["run-1_bold.nii.gz"], "name": "example", "mask": "all",
    }  # fmt: skip

    files: tuple[str, ...] = Field(min_length=1)
    runs: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()
    subject: str = "01"
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    mask: str = Field(min_length=1)
    mesh: str = "fsaverage5"
    structures: Literal["cortex", "subcortex"] = "cortex"
    flat_voxels: Literal["refuse", "drop"] = "refuse"
    t_r: PositiveFloat | None = None
    header_t_r: Literal["check", "ignore"] = "check"
    start_time_s: NonNegativeFloat = 0.0
    drop: NonNegativeInt = 0
    events: tuple[str, ...] = ()
    stimulus_column: str | None = None
    units: str = "a.u."

    @model_validator(mode="after")
    def _check_settings(self) -> Self:
        n = len(self.files)
        for setting in ("runs", "sessions", "events"):
            given = len(getattr(self, setting))
            if given not in (0, n) and not (setting == "events" and given == 1):
                raise ValueError(
                    f"{setting} names {given}, files {n}. Give one for each file, in their order."
                )
        if self.header_t_r == "ignore" and self.t_r is None:
            raise ValueError("header_t_r: ignore leaves no repetition time. Set t_r, in seconds.")
        if self.t_r is not None and self.start_time_s > self.t_r:
            raise ValueError(
                f"start_time_s is {self.start_time_s:g}, beyond the scan (t_r is {self.t_r:g}). "
                "Lower it."
            )
        return self

    def sources(self) -> Sequence[Path]:
        """Return the image files, the mask's, and the tables of events."""
        found = [path for entry in self.files for path in self._find_files(entry)]
        found += [self._find(path) for path in self.events]
        if self.mask not in (*COMPUTED, "all"):
            found.append(self._find(self.mask))
        return tuple(dict.fromkeys(found))

    def run(self) -> NiftiOutputs:
        """Return the time series, its events, and a page of what was noticed.

        Returns
        -------
        responses : Responses, (n_scans, n_voxels)
            Of float32, read when used.
        events : Events
            If tables are given.

        Raises
        ------
        DataError
            Files that cannot be read, or are not of one grid; a repetition time that is not known,
            or stated twice and differently; voxels without a signal.
        """
        labels = list(self.runs) or [f"{k + 1:02d}" for k in range(len(self.files))]
        sessions = list(self.sessions) or ["01"] * len(self.files)
        files = [open_scans(self._find_files(entry), self.stage) for entry in self.files]
        check_same_grid(files, self.stage)
        t_r = self._settle_t_r(files)
        tables = self.events * (len(files) if len(self.events) == 1 else 1)
        runs = []
        for k, file in enumerate(files):
            places = {"subject": self.subject, "session": sessions[k], "run": labels[k]}
            where = f"{self.stage}: {file.paths[0].name}"
            scans = drop_scans(file.n_scans, self.drop, where)
            events = (
                read_events(self._find(tables[k]), places, self.stimulus_column) if tables else {}
            )
            runs.append(
                SeriesRun(
                    file, self.subject, sessions[k], labels[k], scans, self.start_time_s, events
                )
            )
        space, columns, notices = self._make_space(files)
        responses, told = make_series(
            runs,
            columns,
            space,
            t_r,
            flat_voxels=self.flat_voxels,
            name=self.name,
            units=self.units,
            where=self.stage,
        )
        outputs: dict[str, Any] = {"responses": responses}
        if tables:
            outputs["events"] = Events(table=stack_events([run.events for run in runs]))
        outputs["check"] = _format_check(runs, [*notices, *told], t_r, len(responses.data))
        return cast(NiftiOutputs, outputs)

    def _settle_t_r(self, files: Sequence[ScanFile]) -> float:
        found = {
            file.paths[0].name: settle_t_r(
                self.t_r,
                {},
                file.t_r,
                ignore_header=self.header_t_r == "ignore",
                where=f"{self.stage}: {file.paths[0].name}",
            )
            for file in files
        }
        if max(found.values()) - min(found.values()) > 1e-3:
            said = ", ".join(f"{name} {value:g} s" for name, value in found.items())
            raise DataError(
                f"{self.stage}: headers differ in repetition time: {said}. Read these runs in "
                "steps of their own, or set t_r and header_t_r: ignore if the headers are wrong."
            )
        return next(iter(found.values()))

    def _make_space(self, files: Sequence[ScanFile]) -> tuple[Space, np.ndarray, list[str]]:
        first = files[0]
        if first.form == "cifti":
            return make_cifti_space(first, self.structures, self.stage)
        if first.form == "gifti":
            return *make_surface_space(first, self.mesh, self.stage), []
        if self.mask == "all":
            mask = np.ones(first.grid, bool)
        elif self.mask in COMPUTED:
            mask = compute_mask(files, "epi" if self.mask == "epi" else "brain")
        else:
            mask = read_mask(self._find(self.mask), first, self.stage)
        return *make_volume_space(first, mask, self.stage), []

    def _find_files(self, entry: str) -> list[Path]:
        return [self._find(path.strip()) for path in entry.split(",")]

    def _find(self, path: str) -> Path:
        if Path(path).is_file():
            return Path(path)
        return find_raw(path, dataset=self.stage, get="Correct the path.")


def _format_check(
    runs: Sequence[SeriesRun], notices: Sequence[str], t_r: float, n_scans: int
) -> Document:
    from html import escape

    rows = "".join(
        f"<tr><td>{escape(run.name)}</td><td>{escape(run.file.paths[0].name)}</td>"
        f"<td>{run.file.n_scans}</td><td>{len(run.scans)}</td>"
        f"<td>{len(run.events['onset']) if run.events else 'none'}</td></tr>"
        for run in runs
    )
    told = "".join(f"<li>{escape(text)}</li>" for text in notices)
    html = (
        f"<p>{n_scans} scans, T_R {t_r:g} s.</p><table><tr><th>run</th><th>file</th>"
        f"<th>scans recorded</th><th>scans kept</th><th>events</th></tr>{rows}</table>"
        f"{f'<ul>{told}</ul>' if told else '<p>Nothing to notice.</p>'}"
    )
    return Document(title="What the image files hold", html=html)
