"""Folders laid out as fMRIPrep leaves them, with the raw data set's events around them.

``build_folder`` makes small ones whose content is known; ``build_from_haxby`` makes one of the
twelve runs of Haxby et al. 2001 (subject 1, one slice). Both write

    dataset_description.json, sub-*/…/func/*_events.tsv      the raw data set's part
    stimuli/*.png                                            what the events' stim_file names
    derivatives/fmriprep/sub-*/…/func/*                      BOLD, masks, confounds, sidecars

As a step of a pipeline:

    scan: {stage: datasets.fmriprep, path: FOLDER/derivatives/fmriprep, events: FOLDER,
           subject: "01", task: objects, space: T1w, confounds: simple}
    shown: {stage: datasets.images, path: FOLDER/stimuli}
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from neurodecode.core.raw import list_data_roots

DERIVATIVE = Path("derivatives/fmriprep")
MOTION = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
CATEGORIES = ("bottle", "cat", "chair", "face", "house", "scissors", "scrambledpix", "shoe")
HAXBY = "haxby2001_slice"
# The events of the openfmri folder come this much too late: moved earlier, and convolved with an
# HRF, they predict best (README of the recordings).
HAXBY_DELAY_S = 7.5
CUTOFF_S = 128.0
PLACED = np.array([[3.5, 0, 0, -68], [0, 3.75, 0, -96], [0, 0, 10.0, -8], [0, 0, 0, 1]])
RADIUS_MM = 50.0  # of the sphere on which Power et al. 2012 take rotations as distances


def build_folder(
    folder: Path,
    *,
    subject: str = "01",
    task: str = "view",
    sessions: tuple[str, ...] = ("01", "02"),
    runs: tuple[str, ...] = ("1", "2"),
    form: str = "nifti",
    space: str = "T1w",
    n_scans: int = 30,
    t_r: float = 2.0,
    header_t_r: float | None = None,
    start_s: float | None = 1.0,
    n_unsteady: int = 0,
    outliers: tuple[int, ...] = (),
    seed: int = 0,
) -> dict[tuple[str, str], np.ndarray]:
    """Write a folder; return what each run measured, (session, run) to (n_scans, n_columns).

    Volumes are 4 x 5 x 3, masked by all but a border that moves by one voxel from run to run;
    columns are those of the whole grid in C order, or vertices, left first, or grayordinates.

    Parameters
    ----------
    header_t_r : float or None
        What the headers say; the truth if None.
    start_s : float or None
        StartTime of the sidecars; None for slice timing not corrected.
    n_unsteady : int
        Volumes marked as taken before the magnetisation was steady.
    outliers : tuple of int
        Volumes with a framewise displacement of 2 mm.
    """
    rng = np.random.default_rng(seed)
    _write_description(folder, subject)
    truth = {}
    for s, session in enumerate(sessions):
        for r, run in enumerate(runs):
            n_columns = {"nifti": 60, "gifti": 2 * 642, "cifti": 11}[form]
            level = 1000 + 100 * s + 10 * r + np.arange(n_columns)
            data = (level + rng.normal(scale=5, size=(n_scans, n_columns))).astype(np.float32)
            mask = np.zeros((4, 5, 3), bool)
            mask[1:, 1 + r % 2 :, :] = True
            names = {"sub": subject, "ses": session, "task": task, "run": run}
            place = folder / DERIVATIVE / f"sub-{subject}" / f"ses-{session}" / "func"
            place.mkdir(parents=True, exist_ok=True)
            header = t_r if header_t_r is None else header_t_r
            {"nifti": _write_volume, "gifti": _write_surfaces, "cifti": _write_cifti}[form](
                place, names, space, data, mask, header
            )
            sidecar: dict[str, Any] = {"RepetitionTime": t_r, "TaskName": task}
            sidecar["SliceTimingCorrected"] = start_s is not None
            if start_s is not None:
                sidecar["StartTime"] = start_s
            _write_sidecar(place, names, space, form, sidecar)
            motion = rng.normal(scale=0.01, size=(n_scans, 6)).cumsum(axis=0) * [
                1,
                1,
                1,
                *[0.02] * 3,
            ]
            table = make_confounds(motion, data, t_r, rng.normal(size=(n_scans, 7)))
            for scan in outliers:
                table["framewise_displacement"][scan] = 2.0
            write_confounds(place, names, table, n_unsteady, outliers)
            onsets = np.arange(3) * 12.0 + 4
            _write_events(
                folder, names, onsets, 6.0, [CATEGORIES[(s + r + k) % 8] for k in range(3)]
            )
            truth[session, run] = data
    return truth


def build_from_haxby(folder: Path, space: str = "T1w") -> None:
    """Write a folder of the twelve runs of Haxby et al. 2001, subject 1, one slice.

    In any other space than T1w the slice is given an affine that lays it level through the back
    of MNI space: a place to be drawn at, not where it was measured.

    BOLD and masks are the recording's own; motion is as OpenFMRI gives it; nuisance signals are
    taken from the slice outside the mask; drawings stand for the pictures shown, one per category,
    and each block counts as one event.
    """
    import nibabel

    root = next(r / HAXBY for r in list_data_roots() if (r / HAXBY).is_dir())
    _write_description(folder, "01")
    draw_stimuli(folder / "stimuli")
    mask = np.asarray(nibabel.load(root / "mask.nii.gz").dataobj) != 0
    place = folder / DERIVATIVE / "sub-01" / "func"
    place.mkdir(parents=True, exist_ok=True)
    for k in range(1, 13):
        source = root / f"openfmri/sub001/BOLD/task001_run{k:03d}"
        names = {"sub": "01", "task": "objects", "run": f"{k:02d}"}
        image = nibabel.load(source / "bold_1slice.nii.gz")
        volumes = np.asarray(image.dataobj)
        stem = _join(names, space=space)
        affine = image.affine if space == "T1w" else PLACED
        nibabel.save(_make_image(volumes, affine, 2.5), place / f"{stem}_desc-preproc_bold.nii.gz")
        nibabel.save(
            _make_image(mask.astype(np.uint8), affine), place / f"{stem}_desc-brain_mask.nii.gz"
        )
        _write_sidecar(
            place, names, space, "nifti",
            {"RepetitionTime": 2.5, "SliceTimingCorrected": False, "TaskName": "objects"},
        )  # fmt: skip
        inside = volumes[mask].T.astype(np.float64)
        outside = volumes[~mask].T.astype(np.float64)
        centred = outside - outside.mean(axis=0)
        components = np.linalg.svd(centred, full_matrices=False)[0][:, :7]
        moved = np.loadtxt(source / "bold_moest.txt")  # rotations in rad, then shifts in mm
        table = make_confounds(moved[:, [3, 4, 5, 0, 1, 2]], inside, 2.5, components)
        outliers = tuple(np.flatnonzero(np.nan_to_num(table["framewise_displacement"]) > 0.5))
        write_confounds(place, names, table, 0, outliers)
        lines = (source / "bold_events.tsv").read_text().splitlines()[1:]
        events = [line.split("\t") for line in lines]
        onsets = np.array([float(e[0]) for e in events]) - HAXBY_DELAY_S
        _write_events(folder, names, onsets, float(events[0][1]), [e[2] for e in events])


def draw_stimuli(folder: Path, size_px: int = 128) -> None:
    """Draw one plain picture per category, dark on white."""
    from PIL import Image, ImageDraw

    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(1)
    for category in CATEGORIES:
        image = Image.new("RGB", (size_px, size_px), "white")
        draw = ImageDraw.Draw(image)
        dark = (40, 40, 40)
        if category == "bottle":
            draw.rounded_rectangle((46, 44, 82, 118), 8, fill=dark)
            draw.rectangle((57, 12, 71, 50), fill=dark)
        elif category == "cat":
            draw.polygon([(30, 20), (52, 48), (26, 62)], fill=dark)
            draw.polygon([(98, 20), (76, 48), (102, 62)], fill=dark)
            draw.ellipse((26, 36, 102, 108), fill=dark)
            for x in (48, 80):
                draw.ellipse((x - 7, 60, x + 7, 74), fill=(230, 210, 60))
        elif category == "chair":
            draw.rectangle((38, 12, 48, 116), fill=dark)
            draw.rectangle((38, 66, 92, 76), fill=dark)
            draw.rectangle((82, 66, 92, 116), fill=dark)
        elif category == "face":
            draw.ellipse((28, 12, 100, 116), fill=(225, 185, 160), outline=dark, width=3)
            for x in (48, 80):
                draw.ellipse((x - 7, 46, x + 7, 56), fill=dark)
            draw.line((64, 56, 60, 76, 68, 76), fill=dark, width=3)
            draw.arc((46, 74, 82, 100), 20, 160, fill=(150, 40, 40), width=5)
        elif category == "house":
            draw.polygon([(14, 60), (64, 16), (114, 60)], fill=(140, 60, 50))
            draw.rectangle((26, 60, 102, 114), fill=(200, 180, 140))
            draw.rectangle((56, 80, 72, 114), fill=dark)
            for x in (36, 82):
                draw.rectangle((x, 70, x + 12, 84), fill=(90, 130, 180))
        elif category == "scissors":
            draw.line((36, 14, 82, 90), fill=dark, width=7)
            draw.line((92, 14, 46, 90), fill=dark, width=7)
            for x in (30, 78):
                draw.ellipse((x, 84, x + 24, 114), outline=dark, width=6)
        elif category == "shoe":
            draw.polygon([(16, 50), (48, 46), (76, 74), (114, 82), (114, 98), (16, 98)], fill=dark)
            draw.rectangle((12, 98, 116, 108), fill=(150, 110, 70))
        else:
            noise = rng.integers(0, 256, (16, 16, 3), np.uint8)
            image = Image.fromarray(noise).resize((size_px, size_px), Image.Resampling.NEAREST)
        image.save(folder / f"{category}.png")


def make_confounds(
    motion: np.ndarray, data: np.ndarray, t_r: float, components: np.ndarray
) -> dict[str, np.ndarray]:
    """Return fMRIPrep's columns, with NaN where it writes n/a (the first row of differences).

    Parameters
    ----------
    motion : array, shape (n_scans, 6)
        As MOTION names them, mm and radians.
    data : array, shape (n_scans, n_voxels)
    components : array, shape (n_scans, 7)
        Two each for CSF and white matter, three for both.
    """
    n_scans = len(motion)
    base = {name: motion[:, k] for k, name in enumerate(MOTION)}
    base["csf"], base["white_matter"] = 500 + components[:, 0], 700 + components[:, 2]
    base["global_signal"] = data.mean(axis=1, dtype=np.float64)
    table: dict[str, np.ndarray] = {}
    for name, values in base.items():
        change = np.concatenate([[np.nan], np.diff(values)])
        table |= {name: values, f"{name}_derivative1": change, f"{name}_power2": values**2,
                  f"{name}_derivative1_power2": change**2}  # fmt: skip
    steps = np.abs(np.diff(motion, axis=0))
    moved = steps[:, :3].sum(axis=1) + RADIUS_MM * steps[:, 3:].sum(axis=1)
    table["framewise_displacement"] = np.concatenate([[np.nan], moved])
    dvars = np.sqrt((np.diff(data.astype(np.float64), axis=0) ** 2).mean(axis=1))
    table["dvars"] = np.concatenate([[np.nan], dvars])
    table["std_dvars"] = np.concatenate([[np.nan], dvars / dvars.mean()])
    for k in range(1, int(2 * n_scans * t_r / CUTOFF_S) + 1):
        table[f"cosine{k - 1:02d}"] = np.cos(np.pi * k * (np.arange(n_scans) + 0.5) / n_scans)
    for k in range(components.shape[1]):
        table[f"a_comp_cor_{k:02d}"] = components[:, k]
    table["aroma_motion_01"] = components[:, 1]
    return table


def write_confounds(
    place: Path,
    names: dict[str, str],
    table: dict[str, np.ndarray],
    n_unsteady: int = 0,
    outliers: tuple[int, ...] = (),
) -> None:
    """Write a confounds table and its sidecar."""
    n_scans = len(table["trans_x"])
    table = dict(table)
    for k in range(n_unsteady):
        table[f"non_steady_state_outlier{k:02d}"] = (np.arange(n_scans) == k).astype(int)
    for k, scan in enumerate(outliers):
        table[f"motion_outlier{k:02d}"] = (np.arange(n_scans) == scan).astype(int)
    stem = f"{_join(names)}_desc-confounds_timeseries"
    rows = ["\t".join(table)]
    for i in range(n_scans):
        rows.append(
            "\t".join("n/a" if np.isnan(v[i]) else repr(v[i].item()) for v in table.values())
        )
    (place / f"{stem}.tsv").write_text("\n".join(rows) + "\n")
    masks = ["CSF", "CSF", "WM", "WM", "combined", "combined", "combined"]
    meta = {
        f"a_comp_cor_{k:02d}": {"Method": "aCompCor", "Mask": mask, "Retained": True}
        for k, mask in enumerate(masks)
    }
    (place / f"{stem}.json").write_text(json.dumps(meta))


def _join(names: dict[str, str], **further: str) -> str:
    return "_".join(f"{key}-{value}" for key, value in {**names, **further}.items())


def _make_image(data: np.ndarray, affine: np.ndarray, t_r: float | None = None) -> Any:
    import nibabel

    image = nibabel.Nifti1Image(data, affine)
    image.header.set_xyzt_units("mm", "sec")
    if t_r is not None:
        image.header.set_zooms((*image.header.get_zooms()[:3], t_r))
    return image


def _write_volume(
    place: Path, names: dict[str, str], space: str, data: np.ndarray, mask: np.ndarray, t_r: float
) -> None:
    import nibabel

    affine = np.diag([3.0, 3.0, 4.0, 1.0])
    affine[:3, 3] = (-6, -8, 2)
    stem = _join(names, space=space)
    volumes = np.moveaxis(data.reshape(-1, *mask.shape), 0, 3)
    nibabel.save(_make_image(volumes, affine, t_r), place / f"{stem}_desc-preproc_bold.nii.gz")
    brain = _make_image(mask.astype(np.uint8), affine)
    nibabel.save(brain, place / f"{stem}_desc-brain_mask.nii.gz")


def _write_surfaces(
    place: Path, names: dict[str, str], space: str, data: np.ndarray, mask: np.ndarray, t_r: float
) -> None:
    import nibabel

    half = data.shape[1] // 2
    for hemi, part in (("L", data[:, :half]), ("R", data[:, half:])):
        arrays = [
            nibabel.gifti.GiftiDataArray(
                scan, intent="NIFTI_INTENT_TIME_SERIES", datatype="NIFTI_TYPE_FLOAT32",
                meta=nibabel.gifti.GiftiMetaData({"TimeStep": f"{1000 * t_r:.6f}"}),
            )
            for scan in part
        ]  # fmt: skip
        image = nibabel.gifti.GiftiImage(darrays=arrays)
        nibabel.save(image, place / f"{_join(names, hemi=hemi, space=space)}_bold.func.gii")


def _write_cifti(
    place: Path, names: dict[str, str], space: str, data: np.ndarray, mask: np.ndarray, t_r: float
) -> None:
    """Four vertices on the left, three on the right, four voxels of the thalamus."""
    import nibabel
    from nibabel import cifti2

    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    voxels = np.array([[1, 1, 1], [1, 1, 2], [1, 2, 1], [0, 2, 1]])
    models = [
        cifti2.BrainModelAxis.from_surface([0, 5, 7, 32491], 32492, "CIFTI_STRUCTURE_CORTEX_LEFT"),
        cifti2.BrainModelAxis.from_surface([1, 2, 9], 32492, "CIFTI_STRUCTURE_CORTEX_RIGHT"),
        cifti2.BrainModelAxis(
            "CIFTI_STRUCTURE_THALAMUS_LEFT", voxel=voxels, affine=affine, volume_shape=(3, 4, 3)
        ),
    ]
    axes = (cifti2.SeriesAxis(0, t_r, len(data)), models[0] + models[1] + models[2])
    image = cifti2.Cifti2Image(data, axes)
    nibabel.save(image, place / f"{_join(names, space=space, den='91k')}_bold.dtseries.nii")


def _write_sidecar(
    place: Path, names: dict[str, str], space: str, form: str, sidecar: dict[str, Any]
) -> None:
    stems = {
        "nifti": [f"{_join(names, space=space)}_desc-preproc_bold"],
        "gifti": [f"{_join(names, hemi=hemi, space=space)}_bold" for hemi in "LR"],
        "cifti": [f"{_join(names, space=space, den='91k')}_bold"],
    }
    for stem in stems[form]:
        (place / f"{stem}.json").write_text(json.dumps(sidecar))


def _write_events(
    folder: Path, names: dict[str, str], onsets: np.ndarray, duration: float, shown: list[str]
) -> None:
    place = folder / f"sub-{names['sub']}"
    place = place / f"ses-{names['ses']}" / "func" if "ses" in names else place / "func"
    place.mkdir(parents=True, exist_ok=True)
    rows = ["onset\tduration\ttrial_type\tstim_file"]
    rows += [f"{on:g}\t{duration:g}\t{name}\t{name}.png"
             for on, name in zip(onsets, shown, strict=True)]  # fmt: skip
    (place / f"{_join(names)}_events.tsv").write_text("\n".join(rows) + "\n")


def _write_description(folder: Path, subject: str) -> None:
    (folder / DERIVATIVE).mkdir(parents=True, exist_ok=True)
    raw = {"Name": "made for a test", "BIDSVersion": "1.9.0"}
    made = {**raw, "DatasetType": "derivative", "GeneratedBy": [{"Name": "fMRIPrep"}]}
    (folder / "dataset_description.json").write_text(json.dumps(raw))
    (folder / DERIVATIVE / "dataset_description.json").write_text(json.dumps(made))
    (folder / "participants.tsv").write_text(f"participant_id\nsub-{subject}\n")
