"""What was shown, what describes it, and what was generated in its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

import numpy as np

from neurodecode.core.artifacts.base import Array, Artifact, check_rows, dims, take
from neurodecode.core.checks import find_rows
from neurodecode.core.errors import DataError
from neurodecode.core.tables import Table


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
        check_rows(self, self.data, self.items)

    def take(self, rows: Any) -> Stimuli:
        """Return some of the items."""
        return replace(
            self,
            data=take(self.data, rows),
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
        check_rows(self, self.data, self.items)

    def take(self, rows: Any) -> Features:
        """Return some of the items."""
        return replace(
            self,
            data=take(self.data, rows),
            items=self.items.take(rows),
            lineage=self.lineage.take(rows),
        )

    def read_for(self, ids: np.ndarray) -> np.ndarray:
        """Return the features of these stimulus ids, in that order, in memory."""
        rows = find_rows(self.items["id"], ids, what="stimulus", where="features")
        wanted, back = np.unique(rows, return_inverse=True)
        return np.asarray(self.data[wanted])[back]


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
        check_rows(self, self.data, self.items)

    def take(self, rows: Any) -> Reconstructions:
        """Return some of the items."""
        return replace(
            self,
            data=take(self.data, rows),
            items=self.items.take(rows),
            lineage=self.lineage.take(rows),
        )


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
