"""fMRI of people who saw faces, houses and other objects in blocks.

Source: J. V. Haxby, M. I. Gobbini, M. L. Furey, A. Ishai, J. L. Schouten, P. Pietrini (2001),
Distributed and overlapping representations of faces and objects in ventral temporal cortex,
Science 293, 2425-2430. Of subject 1, one slice and a coarse cut come with PyMVPA's tests; all of
it is what nilearn's fetch_haxby gets.

The labels of the files lie at the response, not at the picture: a block's events begin when the
BOLD response to it does. Convolved with an HRF, they are late by that much twice
(evaluation.lag_check says so); decoding blocks or volumes takes them as they are. Which pictures a
block held is not recorded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Literal, TypedDict

import numpy as np

from neurodecode.core.artifacts import Document, Events, Responses, Space, make_samples
from neurodecode.core.checks import check_known, list_names
from neurodecode.core.errors import DataError
from neurodecode.core.raw import find_raw
from neurodecode.core.stage import Stage
from neurodecode.core.tables import Table
from neurodecode.datasets.event_files import read_events
from neurodecode.datasets.scan_files import ScanFile, check_same_grid, iterate_scans, open_scans
from neurodecode.datasets.scan_spaces import make_volume_space, read_mask

FACTS: Mapping[str, Any] = MappingProxyType(
    {
        "origin": "Haxby et al. 2001, subject 1 from PyMVPA's tests (mvpa2/data), all subjects "
        "from http://data.pymvpa.org/datasets/haxby2001 as nilearn's fetch_haxby gets them",
        "licence": "CC BY-SA 3.0 at http://data.pymvpa.org/datasets/haxby2001",
        "doi": "10.1126/science.1063736",
        "subjects": {"slice": 1, "openfmri_1slice": 1, "openfmri_25mm": 1, "full": 6},
        "n_runs": 12,
        "n_scans": 121,  # of each run
        "t_r": 2.5,
        "grids": {
            "slice": (40, 20, 1),
            "openfmri_1slice": (40, 20, 1),
            "openfmri_25mm": (6, 10, 10),
            "full": (40, 64, 64),
        },
        "n_voxels": {"slice": 530, "openfmri_1slice": 530, "openfmri_25mm": 129},
        "categories": (
            "bottle",
            "cat",
            "chair",
            "face",
            "house",
            "scissors",
            "scrambledpix",
            "shoe",
        ),
        "n_scans_per_category": 108,  # one block of 9 in each run
        "block_s": 22.5,
        "events_contain_delay": True,
        "units": "a.u.",
    }
)
REST = "rest"
SLICE = "haxby2001_slice"
OPENFMRI = f"{SLICE}/openfmri/sub001"
GET_SLICE = (
    "Get the folders mvpa2/data/haxby2001 and mvpa2/data/openfmri of "
    "https://github.com/PyMVPA/PyMVPA."
)
GET_FULL = (
    "Get it with nilearn.datasets.fetch_haxby(subjects=[1]), which makes the folder 'haxby2001'."
)
REGIONS = {  # files of nilearn's folder
    "vt": "mask4_vt.nii.gz",
    "face_vt": "mask8b_face_vt.nii.gz",
    "house_vt": "mask8b_house_vt.nii.gz",
}
TISSUES = ("gray", "white", "vt")  # masks beside the coarse cut

Recording = Literal["slice", "openfmri_1slice", "openfmri_25mm", "full"]


class HaxbyOutputs(TypedDict):
    """What the recording holds, and what to know of it."""

    responses: Responses
    events: Events
    check: Document


class Haxby(Stage):
    """Load the 12 runs of one subject, with the category of every scan.

    Parameters
    ----------
    recording : {"slice", "openfmri_1slice", "openfmri_25mm", "full"}
        Subject 1: one slice, as PyMVPA has it or as runs of OpenFMRI's layout, or the head in
        voxels of 25 mm; "full" is one subject of nilearn's download.
    subject : str
        Of "full": "1" to "6".
    mask : {"brain", "vt"}
        Of "full": the brain, or ventral temporal cortex as the authors drew it.
    """

    stage: ClassVar[str] = "datasets.haxby"

    recording: Recording = "slice"
    subject: str = "1"
    mask: Literal["brain", "vt"] = "brain"

    def sources(self) -> Sequence[Path]:
        """Return the files of the recording."""
        names = [*self._list_files(), *self._list_regions().values()]
        return tuple(dict.fromkeys(self._find(name) for name in names))

    def run(self) -> HaxbyOutputs:
        """Return responses (n_scans, n_voxels), events, and a note on their delay.

        The samples have ``category`` ("rest" between blocks); ``stimulus_id`` is the category of
        the block, or "".

        Raises
        ------
        DataError
            A file is not what the facts say.
        """
        known = [str(k + 1) for k in range(FACTS["subjects"][self.recording])]
        label = self.subject.lstrip("0")
        check_known(label, known, what="subject", where=f"{self.stage}: {self.recording}")
        files = [self._open(self._find(name)) for name in self._list_files() if "bold" in
                 name and name.endswith(".nii.gz")]  # fmt: skip
        check_same_grid(files, self.stage)
        subject = f"{int(label):02d}"
        if self.recording.startswith("openfmri"):
            category, run, events = self._read_runs(files, subject)
        else:
            category, run = self._read_labels(files[0])
            events = _list_blocks(category, run, subject)
        space, columns = self._make_space(files[0])
        data = np.concatenate([b for file in files for _, b in iterate_scans(file, columns)])
        if not np.isfinite(data).all():
            raise DataError(
                f"{self.stage}: {files[0].paths[0].name} holds values that are NaN or infinite. "
                "Get the original file."
            )
        within = np.concatenate([np.arange((run == name).sum()) for name in dict.fromkeys(run)])
        samples = make_samples(
            dataset="haxby2001",
            subject=subject,
            run=run,
            onset_s=within * FACTS["t_r"],
            stimulus_id=np.where(category == REST, "", category),
            category=category,
        )
        responses = Responses(
            data=data, samples=samples, space=space, units=FACTS["units"], t_r=FACTS["t_r"]
        )
        return {"responses": responses, "events": Events(table=events), "check": _make_note()}

    def _list_files(self) -> list[str]:
        if self.recording == "slice":
            return [f"{SLICE}/bold.nii.gz", f"{SLICE}/mask.nii.gz",
                    f"{SLICE}/attributes_literal.txt"]  # fmt: skip
        if self.recording == "full":
            files = [f"{self._folder}/{name}" for name in ("bold.nii.gz", "labels.txt")]
            return [*files, self._name_mask()]
        cut = self.recording.removeprefix("openfmri_")
        runs = [f"{OPENFMRI}/BOLD/task001_run{k + 1:03d}" for k in range(FACTS["n_runs"])]
        return [f"{run}/{name}" for run in runs for name in
                (f"bold_{cut}.nii.gz", "bold_events.tsv")] + [self._name_mask()]  # fmt: skip

    def _name_mask(self) -> str:
        if self.recording == "openfmri_25mm":
            return f"{OPENFMRI}/masks/25mm/brain.nii.gz"
        if self.recording == "full":
            of_vt = f"{self._folder}/{REGIONS['vt']}"
            return of_vt if self.mask == "vt" else "haxby2001/mask.nii.gz"
        return f"{SLICE}/mask.nii.gz"

    def _list_regions(self) -> dict[str, str]:
        """Return the masks of regions, by name."""
        if self.recording == "openfmri_25mm":
            return {name: f"{OPENFMRI}/masks/25mm/{name}.nii.gz" for name in TISSUES}
        if self.recording == "full":
            return {name: f"{self._folder}/{file}" for name, file in REGIONS.items()}
        return {}

    @property
    def _folder(self) -> str:
        return f"haxby2001/subj{self.subject.lstrip('0')}"

    def _find(self, name: str) -> Path:
        get = GET_FULL if self.recording == "full" else GET_SLICE
        return find_raw(name, dataset=self.stage, get=get)

    def _open(self, path: Path) -> ScanFile:
        file = open_scans([path], self.stage)
        n_scans = FACTS["n_scans"] * (
            1 if self.recording.startswith("openfmri") else FACTS["n_runs"]
        )
        if file.grid != FACTS["grids"][self.recording] or file.n_scans != n_scans:
            raise DataError(
                f"{self.stage}: {path.name} has grid {file.grid} and {file.n_scans} scans. "
                f"Allowed: {FACTS['grids'][self.recording]} and {n_scans}. This is another file "
                "than the published one. Get the original file."
            )
        return file

    def _make_space(self, file: ScanFile) -> tuple[Space, np.ndarray]:
        mask = read_mask(self._find(self._name_mask()), file, self.stage)
        space, columns = make_volume_space(file, mask, self.stage)
        wanted = FACTS["n_voxels"].get(self.recording, len(columns))
        if len(columns) != wanted:
            raise DataError(
                f"{self.stage}: the mask holds {len(columns)} voxels. Allowed: {wanted}. Get the "
                "original file."
            )
        masks = {
            name: read_mask(self._find(path), file, self.stage)
            for name, path in self._list_regions().items()
        }
        rois = {name: found.ravel()[columns] for name, found in masks.items()}
        rois = {name: roi for name, roi in rois.items() if roi.any()}
        made = Space(kind="volume", mask=space.mask, affine=space.affine, rois=rois)
        return made, columns

    def _read_labels(self, file: ScanFile) -> tuple[np.ndarray, np.ndarray]:
        """Return the category and the run of every scan, from a table of both."""
        name = "labels.txt" if self.recording == "full" else "attributes_literal.txt"
        path = self._find(next(n for n in self._list_files() if n.endswith(name)))
        lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line]
        lines = lines[1:] if lines and lines[0] == ["labels", "chunks"] else lines
        if len(lines) != file.n_scans or any(len(line) != 2 for line in lines):
            raise DataError(
                f"{self.stage}: {path.name} has {len(lines)} lines. Allowed: a label and a run for "
                f"each of the {file.n_scans} scans. Get the original file."
            )
        category = np.array([line[0] for line in lines])
        _check_categories(category, path.name, self.stage)
        run = np.array([f"{int(line[1]) + 1:02d}" for line in lines])
        _, counts = np.unique(run, return_counts=True)
        if (counts != FACTS["n_scans"]).any() or (np.diff(run.astype(int)) < 0).any():
            raise DataError(
                f"{self.stage}: {path.name} names runs of {counts.tolist()} scans. Allowed: "
                f"{FACTS['n_runs']} runs of {FACTS['n_scans']}, in order. Get the original file."
            )
        return category, run

    def _read_runs(
        self, files: Sequence[ScanFile], subject: str
    ) -> tuple[np.ndarray, np.ndarray, Table]:
        """Return the category and the run of every scan, and the events of all runs."""
        tables, categories, runs = [], [], []
        for k, file in enumerate(files):
            places = {"subject": subject, "session": "01", "run": f"{k + 1:02d}"}
            table = read_events(file.paths[0].parent / "bold_events.tsv", places, None)
            begin = np.arange(file.n_scans) * FACTS["t_r"]
            category = np.full(file.n_scans, REST, "U16")
            for onset, duration, kind in zip(
                table["onset"], table["duration"], table["trial_type"], strict=True
            ):
                category[(begin >= onset) & (begin < onset + duration)] = kind
            _check_categories(category, "bold_events.tsv", self.stage)
            table["stimulus_id"] = table["trial_type"]
            tables.append(table)
            categories.append(category)
            runs.append(np.full(file.n_scans, places["run"]))
        events = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
        return np.concatenate(categories), np.concatenate(runs), Table(events)


def _check_categories(category: np.ndarray, name: str, where: str) -> None:
    strange = sorted(set(category.tolist()) - {*FACTS["categories"], REST})
    if strange:
        raise DataError(
            f"{where}: {name} holds the labels {list_names(strange)}. Allowed: "
            f"{list_names([*FACTS['categories'], REST])}. Get the original file."
        )


def _list_blocks(category: np.ndarray, run: np.ndarray, subject: str) -> Table:
    """Return stretches of one category within a run as events."""
    starts = np.flatnonzero(
        np.concatenate([[True], (category[1:] != category[:-1]) | (run[1:] != run[:-1])])
    )
    stops = np.append(starts[1:], len(category))
    shown = category[starts] != REST
    starts, stops = starts[shown], stops[shown]
    first = {name: int(np.flatnonzero(run == name)[0]) for name in dict.fromkeys(run.tolist())}
    place = starts - np.array([first[name] for name in run[starts].tolist()])
    return Table(
        {
            "subject": np.full(len(starts), subject),
            "session": np.full(len(starts), "01"),
            "run": run[starts],
            "onset": place * FACTS["t_r"],
            "duration": (stops - starts) * FACTS["t_r"],
            "trial_type": category[starts],
            "stimulus_id": category[starts],
        }
    )


def _make_note() -> Document:
    return Document(
        title="What to know of the Haxby recording",
        html="<p>Labels and events of this recording begin with the BOLD response, not with the "
        "picture. Decode volumes or blocks as they are labelled. To convolve events with an HRF, "
        "move them earlier first (alignment.hrf, shift_s); evaluation.lag_check finds by how "
        "much.</p>",
    )
