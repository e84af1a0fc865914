"""Recordings of one's own: matrices in .npy, .npz, .mat, .h5, .csv or .tsv files.

Every format gives the same artifacts for the same content. Nothing is guessed: which axis holds
the samples, how images lie and where counting starts is stated, or follows from lengths that
leave one possibility.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, NotRequired, Self, TypedDict, cast

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt, field_validator, model_validator

from neurodecode.core.artifacts import (
    Document,
    Responses,
    Stimuli,
    make_items,
    make_samples,
)
from neurodecode.core.stage import Stage
from neurodecode.datasets.array_checks import check_arrays, format_findings, refuse_errors
from neurodecode.datasets.array_files import ArrayFiles, References, list_references
from neurodecode.datasets.array_ids import (
    check_counts,
    check_lengths,
    find_items,
    join_runs,
    list_parts,
    name_categories,
    name_items,
    name_samples,
    name_sources,
    pad_labels,
    read_row_numbers,
)
from neurodecode.datasets.array_shapes import (
    Orientation,
    make_floats,
    make_images,
    make_space,
    orient_responses,
    stack_images,
)

OWN_COLUMNS = (
    "subject", "session", "run", "onset_s", "stimulus_id", "repeat", "sample_id", "source",
    "digest", "category",
)  # fmt: skip


class ArraysOutputs(TypedDict):
    """What the files hold, and what looking through them found."""

    responses: Responses
    stimuli: NotRequired[Stimuli]
    check: Document


class Arrays(Stage):
    """Read responses, and the stimuli that belong to them, from files of arrays.

    A reference is "key" for an array in ``path``, "file::key" for one in another file, "file::"
    for an .npy file. Keys are names of variables (.npz, .mat), paths (.h5; fields of structs as
    "struct/field") or columns (.csv, .tsv; several as "a,b" or "voxel_*"). A list of references
    is stacked along the samples, in order.

    Parameters
    ----------
    path : str
        Absolute, or relative to the working folder or a data root.
    name : str
        Of the dataset; part of the identity of samples and stimuli.
    responses : reference or list
        (n_samples, n_voxels), its transpose, or (n_samples, n_channels, n_times). "" for .npy.
    orientation : {"samples_first", "voxels_first"} or None
        Must be stated where other arrays do not settle it.
    parts : list of str
        Names of the stacked parts; kept as the column ``published_part``.
    stimuli : reference, list or None
        One row per sample; or a collection, with ``item_ids`` or ``count_from``.
    stimulus_kind : {"image", "text"}
    image_shape : list of int or None
        Shape of images stored as flat rows.
    transpose : list of int or None
        Order of the axes of stimuli, such as [0, 2, 1] for images stored transposed.
    value_range : (black, white)
        Values of black and white, mapped to 0 and 255.
    stimulus_ids : reference, list or None
        What each sample showed. None numbers the rows by ``id_template``.
    item_ids : reference, list or None
        Id of each row of ``stimuli``.
    count_from : {0, 1} or None
        ``stimulus_ids`` are row numbers of ``stimuli``, counted from here.
    id_template : str or None
        With {name}, {part}, {row} (within its part) and {id} (as read), such as
        "{name}/{part}/{row:02d}". None takes ids as they are read, or "{name}/{row:04d}".
    subject : str
    subjects, sessions, runs : reference, list or None
        Labels per sample; bare numbers are written with two digits ("01").
    categories : reference, list or None
        Per sample; with ``item_ids`` or ``count_from``, per stimulus.
    category_names : mapping
        From the labels in the file to names, such as {1: face, 2: house}.
    onsets, repeats : reference, list or None
        Seconds from the start of the run; how often the stimulus was seen before.
    columns : mapping of name to reference or list
        Further columns of the sample table.
    coordinates_mm, mask, affine : reference or None
        (n_voxels, 3); (x, y, z); (4, 4).
    mask_order : {"C", "F"} or None
        How the columns were taken out of the mask: "C" as numpy does, "F" as MATLAB does. Needed
        with ``mask``.
    t_r, sfreq, tmin : float or None
        Seconds; hertz; seconds.
    units, licence, origin : str
    keep_nan : bool
        Let NaN pass, for a later step that masks it; refused otherwise.
    """

    stage: ClassVar[str] = "datasets.arrays"
    example: ClassVar[Mapping[str, Any]] = {"path": "responses.npy", "name": "example"}

    path: str = Field(min_length=1)
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    responses: References = ""
    orientation: Orientation | None = None
    parts: tuple[str, ...] = ()
    stimuli: References | None = None
    stimulus_kind: Literal["image", "text"] = "image"
    image_shape: tuple[PositiveInt, ...] | None = None
    transpose: tuple[int, ...] | None = None
    value_range: tuple[float, float] = (0.0, 255.0)
    stimulus_ids: References | None = None
    item_ids: References | None = None
    count_from: Literal[0, 1] | None = None
    id_template: str | None = None
    subject: str = "01"
    subjects: References | None = None
    sessions: References | None = None
    runs: References | None = None
    categories: References | None = None
    category_names: dict[str, str] = {}
    onsets: References | None = None
    repeats: References | None = None
    columns: dict[str, References] = {}
    coordinates_mm: str | None = None
    mask: str | None = None
    mask_order: Literal["C", "F"] | None = None
    affine: str | None = None
    t_r: PositiveFloat | None = None
    sfreq: PositiveFloat | None = None
    tmin: float | None = None
    units: str = "a.u."
    licence: str = ""
    origin: str = ""
    keep_nan: bool = False

    @field_validator("category_names", mode="before")
    @classmethod
    def _write_labels(cls, names: Any) -> Any:
        """Labels are numbers in many files: {1: face} is meant as {"1": "face"}."""
        if not isinstance(names, Mapping):
            return names
        return {str(label): name for label, name in names.items()}

    @model_validator(mode="after")
    def _check_settings(self) -> Self:
        if self.mask is not None and self.mask_order is None:
            raise ValueError(
                "mask needs mask_order. Set it to C if columns were taken out as numpy does "
                "(volume[mask]), to F if as MATLAB does (volume(mask))."
            )
        if (self.item_ids or self.count_from is not None) and not (
            self.stimuli and self.stimulus_ids
        ):
            raise ValueError("item_ids, count_from need both stimuli and stimulus_ids. Give them.")
        if self.item_ids and self.count_from is not None:
            raise ValueError("item_ids and count_from exclude each other. Set one of them.")
        n_parts = len(list_references(self.responses))
        if self.parts and len(self.parts) != n_parts:
            raise ValueError(f"parts names {len(self.parts)} parts, not {n_parts}. Name each.")
        own = sorted(set(self.columns) & {*OWN_COLUMNS, *(["published_part"] * bool(self.parts))})
        if own:
            raise ValueError(f"columns: {own} have settings of their own. Use these instead.")
        if self.value_range[0] >= self.value_range[1]:
            raise ValueError("value_range is (black, white), the smaller first. Reorder it.")
        try:
            known: dict[str, Any] = {"name": "", "id": ""}
            if self.item_ids is None and self.count_from is None:
                known |= {"part": "", "row": 0}  # rows of a collection are not those of samples
            (self.id_template or "").format(**known)
        except (KeyError, ValueError, IndexError) as error:
            raise ValueError(
                f"id_template '{self.id_template}': {error}. Known here: {', '.join(known)}."
            ) from error
        return self

    def sources(self) -> Sequence[Path]:
        """Return every file that a reference names."""
        files = ArrayFiles(self.path, self._where)
        named = (
            self.responses, self.stimuli, self.stimulus_ids, self.item_ids, self.subjects,
            self.sessions, self.runs, self.categories, self.onsets, self.repeats,
            self.coordinates_mm, self.mask, self.affine, *self.columns.values(),
        )  # fmt: skip
        references = [reference for group in named for reference in list_references(group)]
        return sorted({files.locate(reference)[0] for reference in references})

    def run(self) -> ArraysOutputs:
        """Return responses and stimuli, joined by id, and a page of what was noticed.

        Raises
        ------
        DataError
            A file or key is absent, lengths differ, values are not what they should be, or a
            trial has no stimulus; all that the check finds is told at once.
        """
        files = ArrayFiles(self.path, self._where)
        labels = self._read_labels(files)
        shown = self._read_stimuli(files)
        lengths = {setting: len(values) for setting, values in labels.items()}
        if shown is not None and not self._is_collection:
            lengths["stimuli"] = len(shown)
        parts = self._read_responses(files, lengths)
        space, order = make_space(
            None if self.mask is None else files.read_numbers(self.mask),
            None if self.affine is None else files.read_numbers(self.affine),
            None if self.coordinates_mm is None else files.read_numbers(self.coordinates_mm),
            mask_order=self.mask_order,
            n_voxels=parts[0].shape[1],
            where=self._where,
        )
        data = make_floats(np.concatenate(parts))
        data = data if order is None else np.ascontiguousarray(data[:, order])
        sizes = [len(part) for part in parts]

        ids = self._name_samples(labels.pop("stimulus_ids", None), sizes)
        items, shown, category = self._join(files, ids, shown, labels.pop("categories", None))
        columns: dict[str, Any] = {
            name: files.stack(files.read_column, reference)
            for name, reference in self.columns.items()
        }
        lengths = {"responses": len(data), **{name: len(c) for name, c in columns.items()}}
        check_lengths(lengths, self._where)
        if self.parts:
            columns = {"published_part": list_parts(self.parts, sizes), **columns}
        findings = check_arrays(
            data,
            ids,
            None if shown is None else items,
            shown if self.stimulus_kind == "image" else None,
            join_runs(labels, len(data)),
        )
        refuse_errors(findings, keep_nan=self.keep_nan, where=self._where)

        outputs: dict[str, Any] = {}
        if shown is not None:
            described = {} if category is None else {"category": category}
            outputs["stimuli"] = Stimuli(
                data=shown,
                items=make_items(items, shown, source=name_sources(items, self.name), **described),
                of=self.stimulus_kind,
                licence=self.licence,
                origin=self.origin,
            )
        elif category is not None:
            columns["category"] = category
        samples = make_samples(
            dataset=self.name,
            stimulus_id=ids,
            subject=labels.get("subjects", self.subject),
            session=labels.get("sessions", "01"),
            run=labels.get("runs", "01"),
            onset_s=labels.get("onsets"),
            repeat=labels.get("repeats"),
            stimuli=outputs.get("stimuli"),
            **columns,
        )
        outputs["responses"] = Responses(
            data=data,
            samples=samples,
            space=space,
            units=self.units,
            t_r=self.t_r,
            sfreq=self.sfreq,
            tmin=self.tmin,
        )
        title = f"What looking through '{self.name}' found"
        outputs["check"] = Document(title=title, html=format_findings(findings))
        return cast(ArraysOutputs, outputs)

    @property
    def _where(self) -> str:
        return f"datasets.arrays '{self.name}'"

    @property
    def _is_collection(self) -> bool:
        """Whether stimuli are a collection that samples point into, not one per sample."""
        return self.item_ids is not None or self.count_from is not None

    def _read_labels(self, files: ArrayFiles) -> dict[str, np.ndarray]:
        """Return what is known per sample, by the setting's name."""
        found = {}
        for setting in ("stimulus_ids", "categories", "subjects", "sessions", "runs"):
            references = getattr(self, setting)
            if references is not None and not (setting == "categories" and self._is_collection):
                found[setting] = files.stack(files.read_labels, references)
                if setting in ("subjects", "sessions", "runs"):
                    found[setting] = pad_labels(found[setting])
        for setting in ("onsets", "repeats"):
            if (references := getattr(self, setting)) is not None:
                found[setting] = files.stack(
                    lambda r: files.read_numbers(r).reshape(-1), references
                )
        if "repeats" in found:
            check_counts(found["repeats"], "repeats", self._where)
        return found

    def _read_stimuli(self, files: ArrayFiles) -> np.ndarray | None:
        if self.stimuli is None:
            return None
        if self.stimulus_kind == "text":
            return files.stack(files.read_labels, self.stimuli)
        parts = [
            make_images(
                files.read_numbers(reference),
                image_shape=self.image_shape,
                transpose=self.transpose,
                value_range=self.value_range,
                where=f"{self._where}: '{reference}'",
            )
            for reference in list_references(self.stimuli)
        ]
        return stack_images(parts, self._where)

    def _read_responses(
        self, files: ArrayFiles, lengths: Mapping[str, int]
    ) -> Sequence[np.ndarray]:
        """Return the parts of the responses, samples first."""
        n_samples = check_lengths(lengths, self._where)
        references = list_references(self.responses)
        orientation = self.orientation
        if orientation is None and all(files.is_table(reference) for reference in references):
            orientation = "samples_first"  # a column of a table is a voxel
        n_voxels = None
        if self.mask is not None:
            n_voxels = int(np.count_nonzero(files.read_numbers(self.mask)))
        elif self.coordinates_mm is not None:
            shape = files.read_numbers(self.coordinates_mm).shape
            n_voxels = shape[0] if shape[1:] == (3,) else None  # make_space refuses others
        return orient_responses(
            [files.read_numbers(reference) for reference in references],
            orientation,
            n_samples=n_samples,
            n_voxels=n_voxels,
            sfreq=self.sfreq,
            where=self._where,
        )

    def _name_samples(self, labels: np.ndarray | None, sizes: Sequence[int]) -> np.ndarray:
        if labels is not None and self.count_from is not None:
            labels = read_row_numbers(labels, self._where)
        return name_samples(
            labels, name=self.name, template=self.id_template, parts=self.parts, sizes=sizes
        )

    def _join(
        self,
        files: ArrayFiles,
        ids: np.ndarray,
        shown: np.ndarray | None,
        category: np.ndarray | None,
    ) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
        """Return ids, content and categories of the stimuli, one row each."""
        if self._is_collection and shown is not None:
            labels = (
                None if self.item_ids is None else files.stack(files.read_labels, self.item_ids)
            )
            items = name_items(
                labels, len(shown), self.count_from or 0, name=self.name, template=self.id_template
            )
            if self.categories is not None:
                category = files.stack(files.read_labels, self.categories)
            lengths = {"stimuli": len(shown), "item_ids": len(items)}
            if category is not None:
                lengths["categories (one per stimulus)"] = len(category)
            check_lengths(lengths, self._where)
        else:
            items = ids
        if category is not None:
            category = name_categories(category, self.category_names, self._where)
        if shown is not None and not self._is_collection:
            rows = find_items(ids, shown, category, self._where)
            items, shown = ids[rows], shown[rows]
            category = None if category is None else category[rows]
        return items, shown, category
