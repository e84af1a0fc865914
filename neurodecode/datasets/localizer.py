"""fMRI of a functional localizer: ten short tasks, heard and seen, in five minutes.

Source: P. Pinel, B. Thirion, S. Meriaux, A. Jobert, J. Serres, D. Le Bihan, J.-B. Poline,
S. Dehaene (2007), Fast reproducible identification and large-scale databasing of individual
functional cognitive networks, BMC Neuroscience 8, 91. The files are those that pyhrf ships.

Two recordings share one paradigm: ``subj0`` (3 mm, 125 scans) and ``regions`` (2 x 2 x 3 mm, 128
scans). Both headers give a repetition time of 1.0 s, which is wrong: 128 scans of it would end
after 128 s, but events go on to 296.7 s. The documented 2.4 s is used, and ``note`` says so.
Outside of the shipped parcellation both recordings are zero: its parcels are all there is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Literal, TypedDict

import numpy as np

from neurodecode.core.artifacts import Document, Events, Responses, Space, make_samples
from neurodecode.core.errors import DataError
from neurodecode.core.raw import find_raw
from neurodecode.core.stage import Stage
from neurodecode.core.tables import Table

FACTS: Mapping[str, Any] = MappingProxyType(
    {
        "folder": "localizer_fmri",
        "origin": "Pinel et al. 2007; files of https://github.com/pyhrf/pyhrf (pyhrf/datafiles)",
        "licence": "CeCILL v2 (pyhrf)",
        "doi": "10.1186/1471-2202-8-91",
        "recordings": {
            "subj0": {
                "bold": "subj0_bold_session0.nii.gz",
                "parcellation": "subj0_parcellation.nii.gz",
                "shape": (53, 63, 46, 125),
                "n_parcels": 2,
                "n_voxels": 1272,
            },
            "regions": {
                "bold": "real_data_vol_4_regions_BOLD.nii.gz",
                "parcellation": "real_data_vol_4_regions_mask.nii.gz",
                "shape": (79, 95, 46, 128),
                "n_parcels": 6,
                "n_voxels": 6443,
            },
        },
        "paradigm": "paradigm_loc.csv",
        "t_r": 2.4,
        "t_r_in_headers": 1.0,
        "n_events": 80,
        "last_onset_s": 296.7,
        "conditions": {
            "calculaudio": "mental calculation, heard",
            "calculvideo": "mental calculation, read",
            "clicDaudio": "press right, heard",
            "clicDvideo": "press right, read",
            "clicGaudio": "press left, heard",
            "clicGvideo": "press left, read",
            "damier_H": "horizontal checkerboard",
            "damier_V": "vertical checkerboard",
            "phraseaudio": "sentence, heard",
            "phrasevideo": "sentence, read",
        },
        "duration_s": 0.0,  # of every event, as listed: instants
        "units": "a.u.",
    }
)


class LocalizerOutputs(TypedDict):
    """What the dataset holds."""

    responses: Responses
    events: Events
    note: Document


class Localizer(Stage):
    """Load one run of the functional localizer as a time series, with its events.

    Parameters
    ----------
    recording : {"subj0", "regions"}
        Which of the two recordings; it is the name of the subject, too.
    t_r_from : {"documented", "header"}
        Where the repetition time comes from. The header's is refused, since events go on long
        after the recording would have ended.
    """

    stage: ClassVar[str] = "datasets.localizer"

    recording: Literal["subj0", "regions"] = "subj0"
    t_r_from: Literal["documented", "header"] = "documented"

    def sources(self) -> Sequence[Path]:
        """Return the recording, its parcellation and the paradigm."""
        facts = FACTS["recordings"][self.recording]
        get = "Get the folder python/pyhrf/datafiles of https://github.com/pyhrf/pyhrf."
        names = (facts["bold"], facts["parcellation"], FACTS["paradigm"])
        return tuple(
            find_raw(f"{FACTS['folder']}/{name}", dataset=self.stage, get=get) for name in names
        )

    def run(self) -> LocalizerOutputs:
        """Return responses (n_scans, n_voxels), events, and a note on the repetition time.

        Raises
        ------
        DataError
            A file is not what the facts say, or the repetition time is to come from the header.
        """
        bold_path, parcels_path, paradigm_path = self.sources()
        events = read_paradigm(paradigm_path, self.recording)
        bold, affine, header_t_r = _load_volume(bold_path)
        parcels, parcels_affine, _ = _load_volume(parcels_path)
        facts = FACTS["recordings"][self.recording]
        if bold.shape != facts["shape"]:
            raise DataError(
                f"{self.stage}: {bold_path.name} has shape {bold.shape}. Allowed: "
                f"{facts['shape']}. This is another file than the published one. Get the original "
                "file."
            )
        if parcels.shape != bold.shape[:3] or not np.allclose(parcels_affine, affine):
            raise DataError(
                f"{self.stage}: {parcels_path.name} has shape {parcels.shape} or lies elsewhere "
                f"than the recording, {bold.shape[:3]}. Get the original files."
            )
        t_r = FACTS["t_r"]
        if self.t_r_from == "header":
            _check_fits(header_t_r, bold.shape[3], events, self.stage)
            t_r = header_t_r
        mask = parcels > 0
        data = np.ascontiguousarray(bold[mask].T)  # (n_scans, n_voxels), voxels in C order
        if not np.isfinite(data).all():
            raise DataError(
                f"{self.stage}: {bold_path.name} holds {int((~np.isfinite(data)).sum())} values "
                "that are NaN or infinite. Get the original file."
            )
        labels = parcels[mask].astype(int)
        rois = {f"parcel{k}": labels == k for k in range(1, facts["n_parcels"] + 1)}
        return {
            "responses": Responses(
                data=data,
                samples=_tabulate_scans(self.recording, len(data), t_r),
                space=Space(kind="volume", mask=mask, affine=affine, rois=rois),
                units=FACTS["units"],
                t_r=t_r,
            ),
            "events": events,
            "note": Document(
                title="Repetition time of the localizer",
                html=f"<p>The header of {bold_path.name} gives {header_t_r:g} s between scans, "
                f"which is wrong: {bold.shape[3]} scans would end before the last of "
                f"{len(events.table)} events ({float(events.table['onset'].max()):.1f} s). Used: "
                f"{t_r:g} s, as documented by pyhrf.</p>",
            ),
        }


def read_paradigm(path: Path, subject: str) -> Events:
    """Return the events of a paradigm file of pyhrf.

    Each line holds session (from 0), condition in quotes, onset (s), duration (s) and amplitude.

    Raises
    ------
    DataError
        A line is not of that form, or names a condition that is unknown.
    """
    rows: list[tuple[str, str, float, float, float]] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        words = line.split()
        if not words:
            continue
        try:
            session, condition = int(words[0]) + 1, words[1].strip('"')
            onset, duration, amplitude = map(float, words[2:])
        except (ValueError, IndexError) as error:
            raise DataError(
                f"datasets.localizer: {path.name}, line {number}: '{line[:80]}'. Allowed: session, "
                '"condition", onset, duration and amplitude, with spaces between.'
            ) from error
        if condition not in FACTS["conditions"]:
            raise DataError(
                f"datasets.localizer: {path.name}, line {number}: condition '{condition}'. "
                f"Allowed: {', '.join(FACTS['conditions'])}. Get the original file."
            )
        rows.append((f"{session:02d}", condition, onset, duration, amplitude))
    if not rows:
        raise DataError(f"datasets.localizer: {path.name} holds no events. Get the original file.")
    rows.sort(key=lambda row: (row[0], row[2]))
    n = len(rows)
    return Events(
        table=Table(
            {
                "subject": np.full(n, subject),
                "session": [row[0] for row in rows],
                "run": np.full(n, "01"),
                "onset": np.array([row[2] for row in rows]),
                "duration": np.array([row[3] for row in rows]),
                "trial_type": [row[1] for row in rows],
                "stimulus_id": np.full(n, ""),
                "amplitude": np.array([row[4] for row in rows]),
            }
        )
    )


def _load_volume(path: Path) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the voxels of a NIfTI file, its affine, and the repetition time of its header."""
    import nibabel
    from nibabel.filebasedimages import ImageFileError

    try:
        image: Any = nibabel.load(path)
        data = np.asarray(image.dataobj, np.float32)
    except (ImageFileError, OSError, EOFError, ValueError) as error:
        raise DataError(
            f"datasets.localizer: {path.name} cannot be read as NIfTI ({error}). Get the original "
            "file."
        ) from error
    zooms = image.header.get_zooms()
    return data, np.asarray(image.affine), float(zooms[3]) if len(zooms) > 3 else float("nan")


def _check_fits(t_r: float, n_scans: int, events: Events, where: str) -> None:
    """Raise DataError where events go on after the last scan."""
    last = float(events.table["onset"].max())
    if not last < n_scans * t_r:
        raise DataError(
            f"{where}: the header gives a t_r of {t_r:g} s, by which {n_scans} scans end after "
            f"{n_scans * t_r:g} s, but events go on to {last:g} s: the header is wrong. Set "
            f"t_r_from: documented, which takes {FACTS['t_r']} s."
        )


def _tabulate_scans(recording: str, n_scans: int, t_r: float) -> Table:
    # A scan is nobody's repeat: each has a source of its own.
    names = [f"scan/localizer/{recording}/{k:03d}" for k in range(n_scans)]
    return make_samples(
        dataset=f"localizer/{recording}",
        subject=recording,
        stimulus_id=np.full(n_scans, ""),
        onset_s=np.arange(n_scans) * t_r,
        source=names,
        digest=names,
    )
