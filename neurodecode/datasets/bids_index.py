"""Runs of preprocessed BOLD in a BIDS derivative, and the files that belong to them.

Files are found by the entities in their names (bids_names.py). Nothing here reads an image, so
that listing runs stays instantaneous.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from neurodecode.core.checks import list_names, name_known, name_nearest
from neurodecode.core.errors import DataError
from neurodecode.core.raw import find_raw
from neurodecode.datasets.bids_names import (
    UNSTATED,
    BidsFile,
    list_files,
    list_inherited,
    parse_name,
    read_label,
    read_sidecar,
    strip_zeros,
)

Form = Literal["nifti", "gifti", "cifti"]
FORM_OF: Mapping[str, Form] = {
    ".nii": "nifti", ".nii.gz": "nifti", ".func.gii": "gifti", ".dtseries.nii": "cifti",
}  # fmt: skip
# Entities of a derivative that say how a recording was prepared, not which recording it is.
PREPARED = ("space", "res", "den", "hemi", "desc", "cohort", "label")
NATIVE = "func"  # the space of files whose names state none


@dataclass(frozen=True)
class BoldRun:
    """One run of preprocessed BOLD.

    Parameters
    ----------
    files : tuple of BidsFile
        One; of surfaces two, left hemisphere first.
    form : {"nifti", "gifti", "cifti"}
    subject, session, run, task : str
        Labels; "01" for a session or run that the name does not state.
    sidecar : mapping
        The metadata that hold for it.
    """

    files: tuple[BidsFile, ...]
    form: Form
    subject: str
    session: str
    run: str
    task: str
    sidecar: Mapping[str, Any]

    @property
    def entities(self) -> Mapping[str, str]:
        """Entities of the name, without the hemisphere."""
        return {k: v for k, v in self.files[0].entities.items() if k != "hemi"}

    @property
    def name(self) -> str:
        """Return "sub-01/ses-02/run-1", for messages."""
        return f"sub-{self.subject}/ses-{self.session}/run-{self.run}"

    @property
    def t_r(self) -> float | None:
        """RepetitionTime of the sidecar, seconds; None where it states none."""
        value = self.sidecar.get("RepetitionTime")
        return float(value) if isinstance(value, int | float) else None


def find_bold(
    path: str | Path,
    subject: str,
    *,
    task: str | None = None,
    sessions: Sequence[str] = (),
    runs: Sequence[str] = (),
    space: str | None = None,
    form: Form | None = None,
    desc: str = "preproc",
    entities: Mapping[str, str] | None = None,
    where: str = "datasets.fmriprep",
) -> list[BoldRun]:
    """Return the runs of preprocessed BOLD of one subject, in order.

    Parameters
    ----------
    path : str or Path
        The derivative's folder, in which "sub-01" lies.
    subject : str
        With or without "sub-".
    task, space, form : str or None
        None takes the only one there is. Space "func" is that of files whose names state none.
    sessions, runs : sequence of str
        Labels; all if empty. Leading zeros are no difference.
    desc : str
        Of volumes; surfaces and CIFTI may also state none.
    entities : mapping or None
        Further entities, such as {"res": "2"}; "" for files that do not have it.

    Raises
    ------
    DataError
        Nothing of that kind is there (the message says what is), or several are.
    """
    root = locate_folder(path, where)
    label = find_subject(root, subject, where)
    found = [
        file
        for file in list_files(root / f"sub-{label}")
        if file.suffix == "bold" and _is_prepared(file, desc)
    ]
    if not found:
        raise DataError(
            f"{where}: {root / f'sub-{label}'} holds no BOLD with desc-{desc}. Name the folder of "
            "the derivative (fMRIPrep's output), not that of the raw data, or set desc to what "
            "the names of its files have."
        )
    chosen = [(key, None if value is None else {strip_zeros(value)}) for key, value in
              (("task", task), ("space", space))]  # fmt: skip
    chosen += [(key, {strip_zeros(v) for v in values} or None) for key, values in
               (("ses", sessions), ("run", runs))]  # fmt: skip
    chosen += [(key, {strip_zeros(value)}) for key, value in (entities or {}).items()]
    for key, wanted in chosen:
        found = _choose(found, key, wanted, where, single=key in ("task", "space"))
    forms = sorted({FORM_OF[file.extension] for file in found})
    if form is not None and form not in forms:
        raise DataError(
            f"{where}: sub-{label} has no {form} files in that space. Known: {list_names(forms)}. "
            "Set form to one of them, or name another space."
        )
    if form is None and len(forms) > 1:
        raise DataError(
            f"{where}: sub-{label} has {list_names(forms)} files in that space. Set form to one "
            "of them."
        )
    found = [file for file in found if FORM_OF[file.extension] == (form or forms[0])]
    groups: dict[tuple[str, str], list[BidsFile]] = {}
    for file in found:
        groups.setdefault((read_label(file, "ses"), read_label(file, "run")), []).append(file)
    return [_make_run(groups[place], root, where) for place in sorted(groups, key=_order)]


def locate_folder(path: str | Path, where: str) -> Path:
    """Return a folder, absolute or relative to the working folder or a data root."""
    folder = Path(path)
    if not folder.is_dir():
        folder = find_raw(str(path), dataset=where, get="Correct the path.")
    return folder


def find_subject(root: Path, subject: str, where: str) -> str:
    """Return a subject's label as the folder has it.

    Raises
    ------
    DataError
        There is no such subject.
    """
    label = subject.removeprefix("sub-")
    known = sorted(p.name.removeprefix("sub-") for p in root.glob("sub-*") if p.is_dir())
    if label in known:
        return label
    if not known:
        raise DataError(
            f"{where}: {root} holds no subjects (no folder 'sub-*'). Name the folder in which "
            "those of the subjects lie."
        )
    same = [k for k in known if strip_zeros(k) == strip_zeros(label)]
    near = name_known(same[0] if same else label, known)
    raise DataError(f"{where}: {root} has no subject '{label}'.{near} Correct subject.")


def find_beside(run: BoldRun, suffixes: Iterable[str], desc: str, *, prepared: bool) -> Path | None:
    """Return the file that belongs to a run, such as its mask or its confounds, or None.

    Parameters
    ----------
    suffixes : iterable of str
        With extension, such as "mask.nii.gz"; the first that is there is taken.
    prepared : bool
        It is in the run's space; else it belongs to the recording, whatever its space.
    """
    wanted = {k: v for k, v in run.entities.items() if prepared or k not in PREPARED}
    wanted["desc"] = desc
    beside = [parse_name(p) for p in sorted(run.files[0].path.parent.iterdir())]
    for suffix in suffixes:
        for file in beside:
            if file.suffix + file.extension == suffix and dict(file.entities) == wanted:
                return file.path
    return None


def find_inherited(root: Path, run: BoldRun, suffix: str, extension: str) -> Path | None:
    """Return the nearest file of a raw data set that holds for a run, such as its events.

    Parameters
    ----------
    root : Path
        Of the raw data set.
    """
    own = {k: v for k, v in run.entities.items() if k not in PREPARED}
    folder = root / f"sub-{run.subject}"
    folder = folder / f"ses-{own['ses']}" if "ses" in own else folder
    return next(iter(list_inherited(root, folder / "func", own, suffix, (extension,))), None)


def _is_prepared(file: BidsFile, desc: str) -> bool:
    form = FORM_OF.get(file.extension)
    stated = file.entities.get("desc")
    if form == "nifti":
        return stated == desc
    return form is not None and stated in (None, desc)


def _choose(
    files: list[BidsFile], key: str, wanted: set[str] | None, where: str, *, single: bool
) -> list[BidsFile]:
    """Return the files of the wanted labels of an entity."""
    default = {"space": NATIVE, "ses": UNSTATED, "run": UNSTATED}.get(key, "")
    labels = [file.entities.get(key, default) for file in files]
    known = sorted({label for label in labels if label})
    who = f"sub-{files[0].entities.get('sub', '?')}"
    if wanted is None:
        if single and len(known) > 1:
            raise DataError(
                f"{where}: {who} has BOLD of several values of '{key}' ({list_names(known)}). Set "
                f"{key} to one of them."
            )
        return files
    absent = wanted - {strip_zeros(label) for label in labels}
    if absent:
        near = name_nearest(next(iter(absent)), known)
        raise DataError(
            f"{where}: {who} has no preprocessed BOLD of {key} {list_names(absent)}.{near} Known: "
            f"{list_names(known, 20)}. Set {key} to one of them."
        )
    return [f for f, label in zip(files, labels, strict=True) if strip_zeros(label) in wanted]


def _make_run(files: list[BidsFile], root: Path, where: str) -> BoldRun:
    """Return the run of the files that share its session and run."""
    first = files[0]
    form = FORM_OF[first.extension]
    hemispheres = [file.entities.get("hemi", "") for file in files]
    wanted = ["L", "R"] if form == "gifti" else [""]
    places = f"ses-{read_label(first, 'ses')}/run-{read_label(first, 'run')}"
    if sorted(hemispheres) != wanted:
        keys = {key for file in files for key in file.entities if key != "hemi"}
        values = {key: sorted({f.entities.get(key, "(none)") for f in files}) for key in keys}
        differ = "; ".join(f"{k}: {list_names(v)}" for k, v in sorted(values.items()) if len(v) > 1)
        if differ:
            raise DataError(
                f"{where}: {places} has {len(files)} BOLD files that differ in {differ}. Name one "
                "of each in entities (entities: {res: '2'}, say; '' for the file without it)."
            )
        raise DataError(
            f"{where}: {places} has hemispheres {list_names(hemispheres)} "
            f"({first.path.name}). Allowed: one file of hemi-L and one of hemi-R. Get the other."
        )
    files = sorted(files, key=lambda file: file.entities.get("hemi", ""))
    return BoldRun(
        files=tuple(files),
        form=form,
        subject=first.entities.get("sub", UNSTATED),
        session=read_label(first, "ses"),
        run=read_label(first, "run"),
        task=first.entities.get("task", ""),
        sidecar=read_sidecar(root, first),
    )


def _order(place: tuple[str, str]) -> tuple[tuple[int, str], ...]:
    return tuple((int(label) if label.isdigit() else 1 << 30, label) for label in place)
