"""Names of files in the Brain Imaging Data Structure, and the metadata that hold for a file.

Names follow BIDS 1.9 (Gorgolewski et al. 2016, Scientific Data 3, 160044):
"sub-01_ses-02_task-rest_run-1_space-T1w_desc-preproc_bold.nii.gz". Metadata are inherited: a JSON
file, or a table of events, further up in the folder holds for all files whose entities include its
own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neurodecode.core.errors import DataError

UNSTATED = "01"  # session or run of files whose names state none


@dataclass(frozen=True)
class BidsFile:
    """A file and what its name says.

    Parameters
    ----------
    path : Path
    entities : mapping of str to str
        In the order of the name, such as {"sub": "01", "task": "rest"}.
    suffix : str
        Such as "bold".
    extension : str
        With its dot, such as ".nii.gz".
    """

    path: Path
    entities: Mapping[str, str]
    suffix: str
    extension: str


def parse_name(path: Path) -> BidsFile:
    """Return what the name of a file says.

    Examples
    --------
    >>> parsed = parse_name(Path("sub-01_task-rest_hemi-L_bold.func.gii"))
    >>> dict(parsed.entities), parsed.suffix, parsed.extension
    ({'sub': '01', 'task': 'rest', 'hemi': 'L'}, 'bold', '.func.gii')
    """
    stem, dot, extension = path.name.partition(".")
    *pairs, last = stem.split("_")
    entities = dict(pair.split("-", 1) for pair in pairs if "-" in pair)
    return BidsFile(path, entities, last, dot + extension)


def list_files(folder: Path) -> list[BidsFile]:
    """Return all files in the "func" folders below a folder, sorted by path."""
    paths = sorted(p for func in [folder / "func", *folder.glob("ses-*/func")]
                   if func.is_dir() for p in func.iterdir() if p.is_file())  # fmt: skip
    return [parse_name(path) for path in paths if not path.name.startswith(".")]


def read_sidecar(root: Path, file: BidsFile) -> dict[str, Any]:
    """Return the metadata that hold for a file; those nearer to it count.

    Raises
    ------
    DataError
        A JSON file cannot be read.
    """
    merged: dict[str, Any] = {}
    for path in reversed(list_sidecars(root, file)):
        merged |= read_json(path)
    return merged


def list_sidecars(root: Path, file: BidsFile) -> list[Path]:
    """Return the JSON files that ``read_sidecar`` reads, nearest first."""
    inner = "." + file.extension.split(".")[1] if file.extension.count(".") > 1 else ""
    extensions = (".json", f"{inner}.json") if inner not in ("", ".nii") else (".json",)
    return list_inherited(root, file.path.parent, file.entities, file.suffix, extensions)


def read_json(path: Path) -> dict[str, Any]:
    """Return the content of a JSON file that holds an object."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path}: it cannot be read as JSON ({error}). Correct the file, or remove it."
        ) from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: it holds no JSON object. Allowed: names with values, in braces.")
    return content


def read_label(file: BidsFile, key: str) -> str:
    """Return the label of a session or run, "01" where the name states none."""
    return file.entities.get(key, UNSTATED)


def list_inherited(
    root: Path, folder: Path, entities: Mapping[str, str], suffix: str, extensions: Sequence[str]
) -> list[Path]:
    """Return files of a suffix whose entities are among the given, nearest folder first."""
    found: list[Path] = []
    own = {(k, strip_zeros(v)) for k, v in entities.items()}
    places = [folder, *folder.parents] if folder.is_relative_to(root) else [folder]
    for place in places:
        here = [parse_name(p) for p in sorted(place.glob(f"*{suffix}.*"))] if place.is_dir() else []
        fit = [
            f for f in here
            if f.suffix == suffix and f.extension in extensions
            and {(k, strip_zeros(v)) for k, v in f.entities.items()} <= own
        ]  # fmt: skip
        found += [f.path for f in sorted(fit, key=lambda f: -len(f.entities))]
        if place == root:
            break
    return found


def strip_zeros(label: str) -> str:
    """Return a label without leading zeros: run-1 is run-01."""
    return (label.lstrip("0") or "0") if label.isdigit() else label
