"""How each artifact is written as ordinary files."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from neurodecode.core.artifacts import (
    Artifact,
    Document,
    Model,
    Reconstructions,
    Scores,
    Space,
    Stimuli,
    list_arrays,
    read_images,
)
from neurodecode.core.checks import list_names, name_known
from neurodecode.core.errors import UserError
from neurodecode.core.tables import Table

N_VERTICES = {
    "fsaverage5": 10_242, "fsaverage6": 40_962, "fsaverage": 163_842, "fsLR32k": 32_492,
    "fsLR59k": 59_292, "fsLR164k": 163_842,
}  # fmt: skip  # per hemisphere
FORMS = ("auto", "npy", "csv", "nifti", "gifti", "safetensors", "png", "html")


def write_artifact(artifact: Artifact, base: Path, form: str = "auto") -> list[Path]:
    """Write an artifact beside a base name; return what was written.

    Parameters
    ----------
    form : {"auto", "npy", "csv", "nifti", "gifti", "safetensors", "png", "html"}
        "auto" writes everything that suits the artifact.

    Raises
    ------
    UserError
        The artifact has no such form; the message names those it has.
    """
    check_form(form)
    writers = find_writers(artifact)
    if form != "auto" and form not in writers:
        raise UserError(
            f"--as {form}: {artifact.kind()} cannot be written in this format. Allowed for "
            f"{artifact.kind()}: {list_names(writers)}."
        )
    base.parent.mkdir(parents=True, exist_ok=True)
    chosen = writers if form == "auto" else {form: writers[form]}
    return [path for write in chosen.values() for path in write(artifact, base)]


def check_form(form: str) -> None:
    """Raise UserError unless there is such a form."""
    if form not in FORMS:
        raise UserError(f"--as: Unknown format '{form}'.{name_known(form, FORMS)}")


def find_writers(artifact: Artifact) -> dict[str, Callable[[Any, Path], list[Path]]]:
    """Return the forms that suit an artifact."""
    writers: dict[str, Callable[[Any, Path], list[Path]]] = {}
    if isinstance(artifact, Document):
        return {"html": _write_html, "png": _write_figures}
    if isinstance(artifact, Model):
        return {"safetensors": _write_safetensors, "npy": _write_npy}
    writers["npy"] = _write_npy
    writers["csv"] = _write_csv
    if isinstance(artifact, Scores) and artifact.over == "voxels":
        if artifact.space.kind == "volume":
            writers["nifti"] = _write_nifti
        if artifact.space.kind == "surface":
            writers["gifti"] = _write_gifti
    if isinstance(artifact, Stimuli | Reconstructions) and artifact.of == "image":
        writers["png"] = _write_images
    return writers


def _write_npy(artifact: Artifact, base: Path) -> list[Path]:
    written = []
    for name, array, _ in list_arrays(artifact):
        if "/" in name and not isinstance(artifact, Model):
            continue
        path = base.with_name(f"{base.name}_{name.replace('/', '-')}.npy")
        np.save(path, np.asarray(array), allow_pickle=False)
        written.append(path)
    return written


def _write_csv(artifact: Artifact, base: Path) -> list[Path]:
    written = []
    for name, value in vars(artifact).items():
        if isinstance(value, Table) and len(value):
            path = base.with_name(f"{base.name}_{name}.csv")
            with path.open("w", newline="", encoding="utf-8") as stream:
                writer = csv.writer(stream)
                writer.writerow(list(value))
                writer.writerows(zip(*(value[c].tolist() for c in value), strict=True))
            written.append(path)
    if isinstance(artifact, Scores):
        path = base.with_name(f"{base.name}_values.csv")
        columns = {
            name: np.asarray(getattr(artifact, name))
            for name in ("values", "ceiling", "p", "q")
            if getattr(artifact, name) is not None
        }
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(columns)
            writer.writerows(zip(*(c.tolist() for c in columns.values()), strict=True))
        written.append(path)
    return written


def _write_nifti(scores: Scores, base: Path) -> list[Path]:
    import nibabel

    path = base.with_name(f"{base.name}.nii.gz")
    nibabel.save(make_nifti(np.asarray(scores.values), scores.space), path)
    return [path]


def _write_gifti(scores: Scores, base: Path) -> list[Path]:
    """Write one file per hemisphere, NaN where there are no data."""
    import nibabel

    written = []
    for side, image in make_gifti(np.asarray(scores.values), scores.space).items():
        path = base.with_name(f"{base.name}_hemi-{side}.func.gii")
        nibabel.save(image, path)
        written.append(path)
    return written


def make_nifti(values: np.ndarray, space: Space) -> Any:
    """Return the values of a mask's voxels as a NIfTI image, NaN outside it."""
    import nibabel

    mask = np.asarray(space.mask).astype(bool)
    volume = np.full(mask.shape, np.nan, np.float32)
    volume[mask] = values
    affine = np.eye(4) if space.affine is None else np.asarray(space.affine)
    return nibabel.Nifti1Image(volume, affine)


def make_gifti(values: np.ndarray, space: Space) -> dict[str, Any]:
    """Return a GIFTI image for each hemisphere, "L" and "R", NaN where there are no data.

    Raises
    ------
    UserError
        How many vertices the mesh has is not known.
    """
    import nibabel

    if space.mesh not in N_VERTICES:
        raise UserError(
            f"--as gifti: the mesh '{space.mesh}' is not known. Known: {list_names(N_VERTICES)}."
        )
    n = N_VERTICES[space.mesh]
    whole = np.full(2 * n, np.nan, np.float32)
    whole[np.asarray(space.vertices)] = values
    images = {}
    for side, name, half in (("L", "Left", whole[:n]), ("R", "Right", whole[n:])):
        array = nibabel.gifti.GiftiDataArray(half, intent="NIFTI_INTENT_SHAPE")
        # what viewers tell the hemispheres by
        meta = nibabel.gifti.GiftiMetaData({"AnatomicalStructurePrimary": f"Cortex{name}"})
        images[side] = nibabel.gifti.GiftiImage(darrays=[array], meta=meta)
    return images


def _write_safetensors(model: Model, base: Path) -> list[Path]:
    from safetensors.numpy import save_file

    path = base.with_name(f"{base.name}.safetensors")
    arrays = {
        name: np.ascontiguousarray(np.asarray(a))
        for name, a in model.arrays.items()
        if a.dtype.kind in "fiub"  # the format holds no text
    }
    save_file(arrays, str(path), metadata={"stage": model.stage})
    return [path]


def _write_images(images: Any, base: Path) -> list[Path]:
    from PIL import Image

    pixels = np.round(read_images(images) * 255).astype(np.uint8)
    if isinstance(images, Stimuli):
        pixels = pixels[:, None]
    base.mkdir(parents=True, exist_ok=True)
    written = []
    for i, name in enumerate(images.items["id"]):
        safe = "".join(c if c.isalnum() or c in "-_." else "_" for c in str(name)).lstrip(".")
        for sample in range(pixels.shape[1]):
            path = base / f"{i:05d}_{safe}_sample-{sample}.png"
            Image.fromarray(np.squeeze(pixels[i, sample])).save(path)
            written.append(path)
    return written


def _write_html(document: Document, base: Path) -> list[Path]:
    path = base.with_name(f"{base.name}.html")
    path.write_text(document.html, encoding="utf-8")
    return [path]


def _write_figures(document: Document, base: Path) -> list[Path]:
    written = []
    for name, array in document.figures.items():
        path = base.with_name(f"{base.name}_{Path(name).name}")
        path.write_bytes(np.asarray(array).tobytes())
        written.append(path)
    return written
