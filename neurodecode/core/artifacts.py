"""What stages exchange: small frozen records of arrays with named axes, units and identity.

Arrays may be in memory or lazy (store.StoredArray): both slice and convert alike, and opening an
artifact reads no data. Axes have one order everywhere: samples or items first.

Responses        measured brain activity, (n_samples, n_voxels) or (n_samples, n_channels, n_times)
Events           onsets and durations of what was shown
Stimuli          what was shown or played
Features         descriptions of stimuli, (n_items, n_features) or (n_items, n_tokens, n_dims)
Split            which rows train, validate and test, per fold
Model            arrays of a fitted estimator, one set per fold
Predictions      predicted features or responses, one row per test row
Reconstructions  generated stimuli, (n_items, n_samples, ...)
Scores           one value per item or target, with chance, intervals and nulls
Document         HTML, figures and tables
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, Literal, Protocol, Self, runtime_checkable

import numpy as np

from neurodecode.core.checks import check_known, find_rows
from neurodecode.core.digests import digest_array, make_tokens
from neurodecode.core.errors import DataError
from neurodecode.core.lineage import Lineage
from neurodecode.core.tables import Table


@runtime_checkable
class Array(Protocol):
    """What NumPy arrays and stored arrays have in common."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> Any: ...
    def __getitem__(self, key: Any, /) -> Any: ...
    def __array__(self, *args: Any, **kwargs: Any) -> np.ndarray: ...
    def __len__(self) -> int: ...


def dims(*names: str, units: str = "", **options: Any) -> Any:
    """Declare a field that holds an array, with the names of its axes and its unit."""
    return field(metadata={"dims": names, "units": units}, **options)


@dataclass(frozen=True, kw_only=True, eq=False)
class Artifact:
    """What every artifact carries; never made itself."""

    rows_field: ClassVar[str] = ""  # the array whose first axis the artifact's table describes
    lineage: Lineage = field(default_factory=Lineage)

    @classmethod
    def kind(cls) -> str:
        """Return the artifact's name in pipeline files, such as 'responses'."""
        return cls.__name__.lower()

    def with_lineage(self, lineage: Lineage) -> Self:
        """Return the same artifact with another lineage."""
        return replace(self, lineage=lineage)


@dataclass(frozen=True, kw_only=True, eq=False)
class Space:
    """Where the columns of responses lie.

    Parameters
    ----------
    kind : {"unknown", "volume", "surface", "sensors", "parcels"}
    mesh : str
        Name of the surface mesh, such as "fsaverage5".
    vertices : array of int, shape (n_voxels,)
        Surface: vertex of each column, left hemisphere first, then right (n_left + index).
    mask : array of bool, shape (x, y, z);  affine : array, shape (4, 4)
        Volume: columns are the true voxels of the mask in C order.
    coordinates_mm : array, shape (n_voxels, 3)
    names : array of str, shape (n_voxels,)
        Of sensors or parcels.
    rois : mapping of str to array of bool, shape (n_voxels,)
    """

    kind: Literal["unknown", "volume", "surface", "sensors", "parcels"] = "unknown"
    mesh: str = ""
    vertices: Array | None = dims("voxel", default=None)
    mask: Array | None = dims("x", "y", "z", default=None)
    affine: Array | None = dims("row", "column", default=None)
    coordinates_mm: Array | None = dims("voxel", "axis", units="mm", default=None)
    names: Array | None = dims("voxel", default=None)
    rois: Mapping[str, Array] = dims("voxel", default_factory=dict)

    def take_columns(self, columns: np.ndarray) -> Space:
        """Return the space of some columns (indices, or a mask of them)."""
        mask = self.mask
        if mask is not None:
            mask = np.zeros(self.mask.shape, bool)  # type: ignore[union-attr]
            mask.ravel()[np.flatnonzero(np.asarray(self.mask))[columns]] = True
        return replace(
            self,
            mask=mask,
            vertices=None if self.vertices is None else np.asarray(self.vertices)[columns],
            coordinates_mm=(
                None if self.coordinates_mm is None else np.asarray(self.coordinates_mm)[columns]
            ),
            names=None if self.names is None else np.asarray(self.names)[columns],
            rois={name: np.asarray(roi)[columns] for name, roi in self.rois.items()},
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Foldwise:
    """Column-wise preprocessing whose numbers differ by fold, applied when a fold is read.

    A row x of fold k reads as ((x - centre[k]) / scale[k])[selected[k]].
    """

    centre: Array = dims("fold", "voxel")
    scale: Array = dims("fold", "voxel")
    selected: Array = dims("fold", "voxel")
    split: str = ""

    @classmethod
    def identity(cls, n_folds: int, n_columns: int, split: str) -> Foldwise:
        """Return the preprocessing that changes nothing."""
        shape = (n_folds, n_columns)
        return cls(
            centre=np.zeros(shape, np.float64),
            scale=np.ones(shape, np.float64),
            selected=np.ones(shape, bool),
            split=split,
        )

    def then(self, centre: np.ndarray, scale: np.ndarray) -> Foldwise:
        """Return this, followed by another centring and scaling of all columns."""
        return replace(
            self,
            centre=np.asarray(self.centre) + np.asarray(self.scale) * centre,
            scale=np.asarray(self.scale) * scale,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Responses(Artifact):
    """Measured brain activity.

    Parameters
    ----------
    data : array, shape (n_samples, n_voxels) or (n_samples, n_channels, n_times)
    samples : Table
        See make_samples: subject, session, run, onset_s, stimulus_id, repeat, sample_id.
    space : Space
    units : str
        "a.u.", "z", "percent", "V", ...
    t_r : float or None
        Repetition time, seconds.
    sfreq : float or None
        Sampling frequency, hertz;  tmin : seconds from onset to the first time point.
    foldwise : Foldwise or None
        Preprocessing fitted on the training part of each fold.
    """

    rows_field: ClassVar[str] = "data"
    data: Array = dims("sample", "voxel")
    samples: Table
    space: Space = field(default_factory=Space)
    units: str = "a.u."
    t_r: float | None = None
    sfreq: float | None = None
    tmin: float | None = None
    foldwise: Foldwise | None = None

    def __post_init__(self) -> None:
        _check_rows(self, self.data, self.samples)

    def read(self, rows: Any = None, fold: int | None = None) -> np.ndarray:
        """Return rows as an array in memory, as one fold sees them.

        Parameters
        ----------
        rows : array of int, slice or None
            None reads all rows.
        fold : int or None
            Needed where the responses were preprocessed per fold.
        """
        block = np.asarray(self.data[slice(None) if rows is None else rows])
        if self.foldwise is None:
            return block
        if fold is None:
            raise DataError(
                "responses: they were preprocessed within each fold's training part and so differ "
                "by fold, but are read without one. Hand this step the split, too."
            )
        steps = self.foldwise
        kept = np.flatnonzero(np.asarray(steps.selected[fold]))
        centre = np.asarray(steps.centre[fold])[kept]
        scale = np.asarray(steps.scale[fold])[kept]
        return ((block[:, kept] - centre) / scale).astype(block.dtype, copy=False)

    def columns(self, fold: int | None = None) -> np.ndarray:
        """Return the indices of the columns that ``read`` gives for a fold."""
        if self.foldwise is None or fold is None:
            return np.arange(self.data.shape[1])
        return np.flatnonzero(np.asarray(self.foldwise.selected[fold]))

    def take(self, rows: Any) -> Responses:
        """Return the responses of some samples."""
        return replace(
            self,
            data=_take(self.data, rows),
            samples=self.samples.take(rows),
            lineage=self.lineage.take(rows),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Events(Artifact):
    """What happened when: onset (s), duration (s), trial_type, stimulus_id."""

    table: Table


@dataclass(frozen=True, kw_only=True, eq=False)
class Stimuli(Artifact):
    """What was shown or played.

    Parameters
    ----------
    data : array
        Images: (n_items, height, width, n_colours) of uint8, with one or three colours.
        Text: (n_items,) of str.
    items : Table
        See make_items: id, source, digest, and whatever describes them (category, label, ...).
    of : {"image", "text", "audio", "video"}
    licence, origin : str
    """

    rows_field: ClassVar[str] = "data"
    data: Array = dims("item", "height", "width", "colour")
    items: Table
    of: Literal["image", "text", "audio", "video"] = "image"
    licence: str = ""
    origin: str = ""

    def __post_init__(self) -> None:
        _check_rows(self, self.data, self.items)

    def take(self, rows: Any) -> Stimuli:
        """Return some of the items."""
        return replace(
            self,
            data=_take(self.data, rows),
            items=self.items.take(rows),
            lineage=self.lineage.take(rows),
        )

    def select(self, ids: np.ndarray) -> Stimuli:
        """Return the items of these ids, in that order."""
        return self.take(find_rows(self.items["id"], ids, what="stimulus", where="stimuli"))


@dataclass(frozen=True, kw_only=True, eq=False)
class Features(Artifact):
    """Descriptions of stimuli.

    Parameters
    ----------
    data : array, shape (n_items, n_features) or (n_items, n_tokens, n_dims)
    items : Table
        Of the stimuli described: id, source, digest, ...
    extractor : mapping
        What made them: name, layer, digest of the weights, golden vector.
    bands : mapping of str to (first column, one after the last)
    """

    rows_field: ClassVar[str] = "data"
    data: Array = dims("item", "feature")
    items: Table
    extractor: Mapping[str, Any] = field(default_factory=dict)
    bands: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_rows(self, self.data, self.items)

    def take(self, rows: Any) -> Features:
        """Return some of the items."""
        return replace(
            self,
            data=_take(self.data, rows),
            items=self.items.take(rows),
            lineage=self.lineage.take(rows),
        )

    def read_for(self, ids: np.ndarray) -> np.ndarray:
        """Return the features of these stimulus ids, in that order, in memory."""
        rows = find_rows(self.items["id"], ids, what="stimulus", where="features")
        wanted, back = np.unique(rows, return_inverse=True)
        return np.asarray(self.data[wanted])[back]


@dataclass(frozen=True)
class Fold:
    """Row numbers of one fold: arrays of int into the sample table."""

    number: int
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


UNUSED, TRAIN, VALIDATION, TEST = 0, 1, 2, 3


@dataclass(frozen=True, kw_only=True, eq=False)
class Split(Artifact):
    """Which rows train, validate and test.

    Parameters
    ----------
    roles : array of int8, shape (n_folds, n_samples)
        0 unused, 1 training, 2 validation, 3 test.
    samples : Table
        The sample table that was split.
    unit : str
        Unit of independence: sample, stimulus, category, cluster, run, session or subject.
    seed : int
    """

    roles: Array = dims("fold", "sample")
    samples: Table
    unit: str = "sample"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.roles.shape[1] != len(self.samples):
            raise DataError(
                f"split: roles are for {self.roles.shape[1]} samples, the table has "
                f"{len(self.samples)}."
            )

    @property
    def n_folds(self) -> int:
        """Number of folds."""
        return int(self.roles.shape[0])

    @property
    def digest(self) -> str:
        """Digest of the roles and of the samples they belong to."""
        ids = self.samples["sample_id"] if "sample_id" in self.samples else np.arange(0)
        return digest_array(np.asarray(self.roles)) + digest_array(np.asarray(ids))

    def fold(self, number: int) -> Fold:
        """Return one fold's row numbers."""
        roles = np.asarray(self.roles[number])
        return Fold(number, *(np.flatnonzero(roles == r) for r in (TRAIN, VALIDATION, TEST)))

    def folds(self) -> Iterator[Fold]:
        """Iterate over the folds."""
        return (self.fold(k) for k in range(self.n_folds))

    def check_covers(self, responses: Responses, where: str) -> None:
        """Raise DataError unless the split was made for these very samples."""
        ours, theirs = self.samples, responses.samples
        if len(ours) != len(theirs) or (
            "sample_id" in ours
            and "sample_id" in theirs
            and not np.array_equal(ours["sample_id"], theirs["sample_id"])
        ):
            raise DataError(
                f"{where}: the split was made for {len(ours)} other samples than the "
                f"{len(theirs)} responses. Make it from these responses (evaluation.split)."
            )


@dataclass(frozen=True, kw_only=True, eq=False)
class Model(Artifact):
    """Arrays of a fitted estimator.

    Parameters
    ----------
    stage : str
        Address of the stage that fitted it and knows how to use it.
    settings : mapping
        Everything beside the arrays that using it needs.
    arrays : mapping of str to array
        Per fold under the names "fold0/weights", "fold1/weights", ...; "weights" without folds.
    n_folds : int
        0 for a model that is not per fold.
    split : str
        Digest of the split, where there are folds.
    curve : mapping of str to array
        Training curves, such as loss per step.
    """

    stage: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, Array] = dims(default_factory=dict)
    n_folds: int = 0
    split: str = ""
    curve: Mapping[str, Array] = dims("step", default_factory=dict)

    def for_fold(self, fold: int) -> dict[str, Array]:
        """Return the arrays of one fold, or of the only set there is."""
        if self.n_folds == 0:
            return dict(self.arrays)
        prefix = f"fold{fold}/"
        found = {
            name[len(prefix) :]: array
            for name, array in self.arrays.items()
            if name.startswith(prefix)
        }
        if not found:
            raise DataError(
                f"model of {self.stage}: no arrays for fold {fold}; it has {self.n_folds} folds. "
                "Use the split that it was fitted with."
            )
        return found


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictions(Artifact):
    """Predicted features or responses.

    Parameters
    ----------
    data : array, shape (n_rows, n_targets) or (n_rows, n_tokens, n_dims)
    rows : Table
        The sample table's rows predicted, with ``row`` (its number there), ``fold`` and
        ``stimulus_id``.
    of : {"features", "responses"}
    split, unit : str
        Digest and unit of independence of the split.
    role : {"test", "training"}
        "training" marks predictions of training rows, made within the training part of their
        fold (nested), for fits at a second level.
    space : Space
        Of predicted responses.
    bands : mapping
        Of predicted features.
    """

    rows_field: ClassVar[str] = "data"
    data: Array = dims("row", "target")
    rows: Table
    of: Literal["features", "responses"] = "features"
    split: str = ""
    unit: str = "sample"
    role: Literal["test", "training"] = "test"
    space: Space = field(default_factory=Space)
    bands: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    extractor: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_rows(self, self.data, self.rows)

    @property
    def items(self) -> Table:
        """The rows under the names that features use: ``id`` is the stimulus."""
        return self.rows.with_columns(id=self.rows["stimulus_id"])

    def take(self, rows: Any) -> Predictions:
        """Return some of the rows."""
        return replace(
            self,
            data=_take(self.data, rows),
            rows=self.rows.take(rows),
            lineage=self.lineage.take(rows),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Reconstructions(Artifact):
    """Generated stimuli.

    Parameters
    ----------
    data : array, shape (n_items, n_samples, height, width, n_colours) of float32 in [0, 1]
        Text: (n_items, n_samples) of str.
    items : Table
        One row per item: id (the stimulus it is to show), fold, and the sample's own columns.
    of : {"image", "text", "audio", "video"}
    seeds : array of int, shape (n_samples,)
    split, unit : str
    """

    rows_field: ClassVar[str] = "data"
    data: Array = dims("item", "sample", "height", "width", "colour")
    items: Table
    of: Literal["image", "text", "audio", "video"] = "image"
    seeds: Array = dims("sample", default_factory=lambda: np.zeros(1, np.int64))
    split: str = ""
    unit: str = "sample"

    def __post_init__(self) -> None:
        _check_rows(self, self.data, self.items)

    def take(self, rows: Any) -> Reconstructions:
        """Return some of the items."""
        return replace(
            self,
            data=_take(self.data, rows),
            items=self.items.take(rows),
            lineage=self.lineage.take(rows),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Scores(Artifact):
    """How good a result is.

    Parameters
    ----------
    values : array, shape (n,)
        One value per item or per target (voxel), NaN where undefined.
    over : {"items", "voxels"}
    items : Table, n rows
        What the values belong to.
    metric : str
        Such as "pairwise identification".
    scale : {"r", "r2", "accuracy", "similarity", "distance"}
        r and r² never mix.
    summary : Table
        One row per claim: name, value, low, high (bootstrap interval), chance, n, and, where a
        null was computed, null_mean, null_sd, p.
    ceiling : array or None, shape (n,)
        In the same unit as the values.
    p, q : array or None, shape (n,)
        Against the null, and corrected.
    null : array or None, shape (n_refits,)
        Summary value of each refit of the null.
    space : Space
        Of voxels, for maps.
    notices : sequence of str
        What the report must say: contacts that the file names, warnings.
    test_set : str
        Digest of the rows scored; counts how often this test set was looked at.
    """

    values: Array = dims("item")
    over: Literal["items", "voxels"] = "items"
    items: Table = field(default_factory=lambda: Table({}))
    metric: str
    scale: Literal["r", "r2", "accuracy", "similarity", "distance"]
    summary: Table
    ceiling: Array | None = dims("item", default=None)
    p: Array | None = dims("item", default=None)
    q: Array | None = dims("item", default=None)
    null: Array | None = dims("refit", default=None)
    space: Space = field(default_factory=Space)
    notices: tuple[str, ...] = ()
    test_set: str = ""

    def __post_init__(self) -> None:
        for column in ("name", "value", "low", "high", "chance", "n"):
            check_known(column, list(self.summary), what="column", where="scores.summary")


@dataclass(frozen=True, kw_only=True, eq=False)
class Document(Artifact):
    """Something to read or look at.

    Parameters
    ----------
    title : str
    html : str
        A self-contained fragment or page.
    figures : mapping of file name to array of uint8, shape (n_bytes,)
        PNG or SVG files.
    is_report : bool
        A whole page, to be written beside the results.
    """

    title: str
    html: str = ""
    figures: Mapping[str, Array] = dims("byte", default_factory=dict)
    is_report: bool = False


ARTIFACTS: dict[str, type[Artifact]] = {
    cls.kind(): cls
    for cls in (
        Responses, Events, Stimuli, Features, Split, Model, Predictions, Reconstructions, Scores,
        Document,
    )
}  # fmt: skip

# Wherever the first is asked for, the second will do.
ACCEPTED: dict[type[Artifact], tuple[type[Artifact], ...]] = {
    Features: (Predictions,),
    Stimuli: (Reconstructions,),
}


def is_accepted(wanted: type[Artifact], given: type[Artifact]) -> bool:
    """Tell whether an input annotated as ``wanted`` may be given an artifact ``given``."""
    return issubclass(given, wanted) or given in ACCEPTED.get(wanted, ())


def make_samples(
    *,
    dataset: str,
    stimulus_id: Any,
    subject: str | Any = "01",
    session: str | Any = "01",
    run: str | Any = "01",
    onset_s: Any = None,
    repeat: Any = None,
    stimuli: Stimuli | None = None,
    **columns: Any,
) -> Table:
    """Return a complete sample table.

    Parameters
    ----------
    dataset : str
        Names the recording; part of the identity of each sample.
    stimulus_id : sequence of str, n_samples
        "" where nothing was shown.
    subject, session, run : str, or sequence of str
        BIDS labels, such as "01".
    onset_s : sequence of float or None
        Seconds from the start of the run; NaN where not known.
    repeat : sequence of int or None
        How many times this subject had seen the stimulus before; counted here if None.
    stimuli : Stimuli or None
        Gives each sample its stimulus' source, digest and category.
    columns
        Further columns, each n_samples long.

    Returns
    -------
    samples : Table
        With a ``sample_id`` that is unique over datasets.
    """
    ids = np.asarray(stimulus_id).astype(str)
    n = len(ids)

    def spread(value: Any) -> np.ndarray:
        return np.full(n, value) if isinstance(value, str) else np.asarray(value).astype(str)

    table: dict[str, Any] = {
        "subject": spread(subject),
        "session": spread(session),
        "run": spread(run),
        "onset_s": np.full(n, np.nan) if onset_s is None else np.asarray(onset_s, np.float64),
        "stimulus_id": ids,
    }
    table["repeat"] = _count_repeats(table) if repeat is None else np.asarray(repeat, np.int64)
    place = [f"{dataset}/{i}" for i in range(n)]
    names = zip(place, table["subject"], table["session"], table["run"], ids, strict=True)
    table["sample_id"] = make_tokens(["/".join(parts) for parts in names], "sample")
    if stimuli is not None:
        rows = find_rows(stimuli.items["id"], ids, what="stimulus", where=f"dataset {dataset}")
        for column in ("source", "digest", "category"):
            if column in stimuli.items:
                table[column] = stimuli.items[column][rows]
    return Table({**table, **columns})


def make_items(ids: Any, data: Array, *, source: Any = None, **columns: Any) -> Table:
    """Return a complete item table for stimuli.

    Parameters
    ----------
    ids : sequence of str
        Unique.
    data : array, shape (n_items, ...)
        Digested item by item.
    source : sequence of str or None
        The item that each was made from, such as the photograph a crop was cut from; the id if
        None. Give it a prefix that names its collection.
    """
    ids = np.asarray(ids).astype(str)
    digests = [digest_array(np.asarray(data[i])) for i in range(len(ids))]
    source = ids if source is None else np.asarray(source).astype(str)
    return Table({"id": ids, "source": source, "digest": digests, **columns})


def read_images(images: Stimuli | Reconstructions, rows: Any = slice(None)) -> np.ndarray:
    """Return images as float32 in [0, 1].

    Returns
    -------
    images : array, shape (n_items, height, width, n_colours)
        Of reconstructions, (n_items, n_samples, height, width, n_colours).
    """
    if images.of != "image":
        raise DataError(f"images: these are {images.of} stimuli. Give image stimuli.")
    data = np.asarray(images.data[rows])
    if data.dtype == np.uint8:
        return data.astype(np.float32) / np.float32(255)
    return data.astype(np.float32, copy=False)


def list_arrays(record: Any, prefix: str = "") -> Iterator[tuple[str, Array, tuple[str, ...]]]:
    """Yield (name, array, dims) for every array of an artifact, tables' columns included."""
    for item in fields(record):
        value = getattr(record, item.name)
        name = f"{prefix}{item.name}"
        names = tuple(item.metadata.get("dims", ()))
        if isinstance(value, Table):
            for column in value:
                yield f"{name}/{column}", value[column], ("row",)
        elif isinstance(value, Space | Foldwise):
            yield from list_arrays(value, f"{name}/")
        elif "dims" in item.metadata and isinstance(value, Mapping):
            for key, array in value.items():
                yield f"{name}/{key}", array, names
        elif "dims" in item.metadata and value is not None:
            yield name, value, names


def _count_repeats(table: Mapping[str, np.ndarray]) -> np.ndarray:
    seen: dict[tuple[str, str], int] = {}
    counts = []
    for key in zip(table["subject"], table["stimulus_id"], strict=True):
        counts.append(seen.get(key, 0))
        seen[key] = counts[-1] + 1
    return np.array(counts, np.int64)


def _take(array: Array, rows: Any) -> Array:
    take = getattr(array, "take_rows", None)  # a stored array stays lazy
    return take(rows) if take is not None else array[rows]


def _check_rows(artifact: Artifact, data: Array, table: Table) -> None:
    if len(data) != len(table):
        raise DataError(
            f"{artifact.kind()}: data have {len(data)} rows (shape {tuple(data.shape)}), their "
            f"table {len(table)}. Give one row of the table per row of data."
        )
