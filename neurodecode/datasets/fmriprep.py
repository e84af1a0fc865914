"""A subject of an fMRIPrep folder: preprocessed BOLD, confounds, and the events of the raw data.

fMRIPrep: Esteban et al. 2019, Nature Methods 16, 111-116. Files are found by their names
(bids_index.py), and everything that states a fact twice must agree: repetition times of headers and
sidecars, grids of runs and masks, rows of confounds and scans. Scans are read when they are used,
run by run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NotRequired, Self, TypedDict, cast

import numpy as np
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, model_validator

from neurodecode.core.artifacts import Document, Events, Features, Responses, Space
from neurodecode.core.errors import DataError
from neurodecode.core.raw import find_raw
from neurodecode.core.stage import Stage
from neurodecode.datasets.bids_index import (
    BoldRun,
    Form,
    find_beside,
    find_bold,
    find_inherited,
    locate_folder,
)
from neurodecode.datasets.bids_names import list_sidecars, read_json
from neurodecode.datasets.event_files import read_events, stack_events
from neurodecode.datasets.fmriprep_check import RunCheck, format_checks
from neurodecode.datasets.fmriprep_confounds import (
    Choice,
    Compcor,
    Model,
    Part,
    RunConfounds,
    Strategy,
    read_confounds,
)
from neurodecode.datasets.fmriprep_features import make_confound_features
from neurodecode.datasets.fmriprep_timing import check_one_timing, find_start
from neurodecode.datasets.repetition_time import settle_t_r
from neurodecode.datasets.scan_files import ScanFile, check_same_grid, open_scans
from neurodecode.datasets.scan_series import SeriesRun, drop_scans, make_series
from neurodecode.datasets.scan_spaces import (
    make_cifti_space,
    make_surface_space,
    make_volume_space,
    read_mask,
)

CONFOUND_FILES = ("timeseries.tsv", "regressors.tsv")  # since version 20.2, and before


class FmriprepOutputs(TypedDict):
    """What the folder holds of a subject, and what was noticed."""

    responses: Responses
    events: NotRequired[Events]
    confounds: NotRequired[Features]
    check: Document


@dataclass(frozen=True, eq=False)
class _Run:
    """What belongs to one run."""

    bold: BoldRun
    file: ScanFile
    t_r: float
    start_s: float
    scans: np.ndarray
    events: Mapping[str, np.ndarray]
    confounds: RunConfounds | None
    flagged: np.ndarray  # of all scans recorded


class Fmriprep(Stage):
    """Read one subject from a BIDS derivative as fMRIPrep writes it.

    Parameters
    ----------
    path : str
        Folder of the derivative, in which "sub-01" lies: absolute, or relative to the working
        folder or a data root.
    subject : str
    task : str or None
        None takes the only one there is.
    sessions, runs : list of str
        All if empty.
    space : str or None
        "MNI152NLin2009cAsym", "T1w", "fsaverage5", "fsnative", "fsLR", ...; "func" for files whose
        names state none. None takes the only one there is.
    form : {"nifti", "gifti", "cifti"} or None
        Where a space comes in several.
    desc : str
        Of the BOLD: "preproc", or "smoothAROMAnonaggr", "optcom", ...
    entities : mapping
        Further entities that files must have, such as {res: "2"}; {echo: ""} for those that have
        none.
    structures : {"cortex", "subcortex"}
        Of CIFTI: the surface, or the other structures as a volume.
    mask : str
        "intersection" or "union" of the runs' brain masks, "all" for the whole grid, or the path
        of a mask.
    flat_voxels : {"refuse", "drop"}
        What to do with voxels that hold NaN or never change within a run.
    t_r : float or None
        Seconds; must agree with headers and sidecars.
    header_t_r : {"check", "ignore"}
        "ignore" where headers are known to be wrong.
    start_time_s : float or None
        Time within a scan that slices were corrected to, where sidecars do not state StartTime.
    drop : int or "non_steady_state"
        Scans left out at the start of each run: so many, or those that the confounds mark.
    events : str or None
        Folder of the raw data set, or one table of events that holds for every run.
    stimulus_column : str or None
        Column of the events that names the stimulus; None takes "stim_file" if it is there.
    allow_missing_events : bool
        Runs without a table of events pass; otherwise a mistake.
    confounds : str, list of str or None
        A strategy ("simple", "scrubbing", "compcor", "ica_aroma"), or its parts ("motion",
        "high_pass", "wm_csf", "global_signal", "compcor", "ica_aroma", "scrub").
    motion, wm_csf, global_signal : {"basic", "power2", "derivatives", "full"} or None
        None takes what the strategy says, or nilearn's default ("full" for motion, else "basic").
        A strategy takes the global signal only if it is set.
    compcor : {"anat_combined", "anat_separated", "temporal", "temporal_anat_combined", \
"temporal_anat_separated"} or None
        None is "anat_combined".
    n_compcor : int or None
        Components per mask; None takes all.
    ica_aroma : {"full", "basic"} or None
        None is "full": the BOLD is denoised already (desc: smoothAROMAnonaggr).
    scrub : int or None
        Shortest stretch of scans kept between two that are scrubbed; None is 5.
    fd_threshold, std_dvars_threshold : float or None
        Beyond which a scan is scrubbed; None is 0.5 mm and 1.5.
    flagged : {"censor", "drop", "regress"}
        Scans that scrubbing or non-steady-state columns flag: marked in the column ``censored`` of
        the samples, left out, or each given a confound of its own.
    name : str or None
        Of the dataset; part of the identity of each scan. None takes the task's.
    """

    stage: ClassVar[str] = "datasets.fmriprep"
    example: ClassVar[Mapping[str, Any]] = {"path": "derivatives/fmriprep", "subject": "01"}

    path: str = Field(min_length=1)
    subject: str = Field(min_length=1)
    task: str | None = None
    sessions: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    space: str | None = None
    form: Form | None = None
    desc: str = "preproc"
    entities: dict[str, str] = {}
    structures: Literal["cortex", "subcortex"] = "cortex"
    mask: str = "intersection"
    flat_voxels: Literal["refuse", "drop"] = "refuse"
    t_r: PositiveFloat | None = None
    header_t_r: Literal["check", "ignore"] = "check"
    start_time_s: NonNegativeFloat | None = None
    drop: NonNegativeInt | Literal["non_steady_state"] = "non_steady_state"
    events: str | None = None
    stimulus_column: str | None = None
    allow_missing_events: bool = False
    confounds: Strategy | Annotated[tuple[Part, ...], Field(min_length=1)] | None = None
    motion: Model | None = None
    wm_csf: Model | None = None
    global_signal: Model | None = None
    compcor: Compcor | None = None
    n_compcor: Annotated[int, Field(ge=1)] | None = None
    ica_aroma: Literal["full", "basic"] | None = None
    scrub: NonNegativeInt | None = None
    fd_threshold: PositiveFloat | None = None
    std_dvars_threshold: PositiveFloat | None = None
    flagged: Literal["censor", "drop", "regress"] = "censor"
    name: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")

    @model_validator(mode="after")
    def _check_settings(self) -> Self:
        choice = self._choice
        if "compcor" in choice.parts and "high_pass" not in choice.parts:
            raise ValueError(
                "confounds: compcor goes with high_pass, since fMRIPrep took the components from "
                "high-passed data. Add high_pass."
            )
        aroma = "ica_aroma" in choice.parts and choice.ica_aroma == "full"
        if aroma and "AROMA" not in self.desc:
            raise ValueError(
                "confounds: ica_aroma is for BOLD that AROMA denoised. Set desc: "
                "smoothAROMAnonaggr, or ica_aroma: basic for its components as confounds."
            )
        return self

    def sources(self) -> Sequence[Path]:
        """Return every file that is read."""
        root = locate_folder(self.path, self.stage)
        found: list[Path] = []
        for run in self._find_runs(root):
            found += [file.path for file in run.files]
            for file in run.files:
                found += list_sidecars(root, file)
            mask, table = self._find_mask(run), self._find_confounds(run)
            events, raw = self._find_events(run), self._find_raw_sidecar(run)
            further = [path for path in (mask, table, events, raw) if path is not None]
            meta = [table.with_suffix(".json")] if table is not None else []
            found += further + [path for path in meta if path.is_file()]
        return tuple(sorted(set(found)))

    def run(self) -> FmriprepOutputs:
        """Return the time series, its events and confounds, and a table of what was found.

        Returns
        -------
        responses : Responses, (n_scans, n_voxels)
            Of float32, read when used. ``onset_s`` is the time to which a scan's values belong on
            the clock of the events, dropped scans counted.
        events : Events
        confounds : Features of scans
            A band per part. A column that a run lacks, such as its third CompCor component, is
            zero there.
        check : Document

        Raises
        ------
        DataError
            Something is absent, or two statements of one fact differ.
        """
        root = locate_folder(self.path, self.stage)
        bolds = self._find_runs(root)
        files = [
            open_scans([f.path for f in bold.files], f"{self.stage}: {bold.name}") for bold in bolds
        ]
        check_same_grid(files, self.stage)
        runs = [self._read_run(bold, file) for bold, file in zip(bolds, files, strict=True)]
        check_one_timing({run.bold.name: (run.t_r, run.start_s) for run in runs}, self.stage)
        space, columns, notices = self._make_space(runs)
        responses, told = make_series(
            [self._name_run(run) for run in runs],
            columns,
            space,
            runs[0].t_r,
            flat_voxels=self.flat_voxels,
            name=self.name or bolds[0].task or "fmriprep",
            units="a.u.",
            where=self.stage,
        )
        outputs: dict[str, Any] = {"responses": responses}
        held = [run.events for run in runs if run.events]
        if held:
            outputs["events"] = Events(table=stack_events(held))
        if self.confounds is not None:
            outputs["confounds"] = make_confound_features(
                [(run.confounds, run.scans, run.flagged) for run in runs if run.confounds],
                responses.samples,
                regress=self.flagged == "regress",
                settings={"confounds": self.confounds, "flagged": self.flagged},
                where=self.stage,
            )
        checks = [
            RunCheck(
                run.bold.name, run.file, run.t_r, run.start_s, run.scans, run.confounds,
                run.flagged, run.events,
            )
            for run in runs
        ]  # fmt: skip
        outputs["check"] = format_checks(checks, [*notices, *told], space, self.flagged)
        return cast(FmriprepOutputs, outputs)

    @property
    def _choice(self) -> Choice:
        given = (
            "motion", "wm_csf", "global_signal", "compcor", "n_compcor", "ica_aroma", "scrub",
            "fd_threshold", "std_dvars_threshold",
        )  # fmt: skip
        return Choice.of(self.confounds or (), **{name: getattr(self, name) for name in given})

    def _find_runs(self, root: Path) -> list[BoldRun]:
        return find_bold(
            root,
            self.subject,
            task=self.task,
            sessions=self.sessions,
            runs=self.runs,
            space=self.space,
            form=self.form,
            desc=self.desc,
            entities=self.entities,
            where=self.stage,
        )

    def _find_mask(self, run: BoldRun) -> Path | None:
        if run.form != "nifti" or self.mask == "all":
            return None
        if self.mask not in ("intersection", "union"):
            if Path(self.mask).is_file():
                return Path(self.mask)
            get = "Set mask to intersection, union or all, or correct its path."
            return find_raw(self.mask, dataset=f"{self.stage}: mask", get=get)
        found = find_beside(run, ("mask.nii.gz", "mask.nii"), "brain", prepared=True)
        if found is None:
            raise DataError(
                f"{self.stage}: {run.name} has no brain mask beside {run.files[0].path.name} "
                "(desc-brain_mask). Copy it from fMRIPrep's output, name a mask file with mask, or "
                "set mask: all."
            )
        return found

    def _find_confounds(self, run: BoldRun) -> Path | None:
        found = find_beside(run, CONFOUND_FILES, "confounds", prepared=False)
        if found is None and self.confounds is not None:
            raise DataError(
                f"{self.stage}: {run.name} has no table of confounds beside "
                f"{run.files[0].path.name} (desc-confounds_timeseries.tsv). Copy it from "
                "fMRIPrep's output, or leave confounds out."
            )
        return found

    def _find_events(self, run: BoldRun) -> Path | None:
        if self.events is None:
            return None
        if Path(self.events).is_file():
            return Path(self.events)
        root = locate_folder(self.events, self.stage)
        found = find_inherited(root, run, "events", ".tsv")
        if found is None and not self.allow_missing_events:
            raise DataError(
                f"{self.stage}: {run.name} has no events in {root} (task-{run.task}, _events.tsv). "
                "Add the table, leave the run out, or set allow_missing_events: true if nothing "
                "was shown in it."
            )
        return found

    def _find_raw_sidecar(self, run: BoldRun) -> Path | None:
        if self.events is None or Path(self.events).is_file():
            return None
        return find_inherited(locate_folder(self.events, self.stage), run, "bold", ".json")

    def _read_run(self, bold: BoldRun, file: ScanFile) -> _Run:
        where = f"{self.stage}: {bold.name}"
        sidecars = {"the sidecar": bold.t_r}
        raw = self._find_raw_sidecar(bold)
        if raw is not None:
            value = read_json(raw).get("RepetitionTime")
            sidecars[f"the raw data's {raw.name}"] = None if value is None else float(value)
        t_r = settle_t_r(
            self.t_r, sidecars, file.t_r, ignore_header=self.header_t_r == "ignore", where=where
        )
        table = self._find_confounds(bold)
        confounds = None if table is None else read_confounds(table, file.n_scans, self._choice)
        n_unsteady = 0 if confounds is None else confounds.n_unsteady
        n_dropped = n_unsteady if self.drop == "non_steady_state" else self.drop
        scans = drop_scans(file.n_scans, n_dropped, where)
        flagged = np.zeros(file.n_scans, bool) if confounds is None else confounds.flagged
        if self.flagged == "drop":
            scans = scans[~flagged[scans]]
            drop_scans(len(scans), 0, f"{where}: without the scans flagged")
        path = self._find_events(bold)
        places = {"subject": bold.subject, "session": bold.session, "run": bold.run}
        events = {} if path is None else read_events(path, places, self.stimulus_column)
        start = find_start(bold.sidecar, self.start_time_s, t_r, where)
        return _Run(bold, file, t_r, start, scans, events, confounds, flagged)

    def _make_space(self, runs: Sequence[_Run]) -> tuple[Space, np.ndarray, list[str]]:
        first = runs[0]
        if first.file.form == "cifti":
            return make_cifti_space(first.file, self.structures, self.stage)
        if first.file.form == "gifti":
            name = first.bold.entities.get("space", "func")
            return *make_surface_space(first.file, name, self.stage), []
        masks = [
            np.ones(run.file.grid, bool) if path is None else read_mask(path, run.file, self.stage)
            for run in runs
            for path in [self._find_mask(run.bold)]
        ]
        combine = np.logical_or if self.mask == "union" else np.logical_and
        mask = combine.reduce(masks)
        space, columns = make_volume_space(first.file, mask, self.stage)
        sizes = {int(m.sum()) for m in masks}
        told = f"the runs' masks hold {min(sizes)} to {max(sizes)} voxels, their {self.mask} "
        return space, columns, [f"{told}{len(columns)}."] if len(sizes) > 1 else []

    def _name_run(self, run: _Run) -> SeriesRun:
        bold = run.bold
        return SeriesRun(
            run.file, bold.subject, bold.session, bold.run, run.scans, run.start_s, run.events,
            {"censored": run.flagged[run.scans]} if self.flagged == "censor" else {},
        )  # fmt: skip
