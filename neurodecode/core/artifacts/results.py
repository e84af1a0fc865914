"""How good a result is, and what there is to read about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from neurodecode.core.artifacts.base import Array, Artifact, dims
from neurodecode.core.artifacts.space import Space
from neurodecode.core.checks import check_known
from neurodecode.core.tables import Table


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
    scale : {"r", "r2", "accuracy", "similarity", "distance", "weight"}
        r and r² never mix; weights, of models, are no scores, but have maps like them.
    summary : Table
        One row per claim: name, value, low, high (bootstrap interval), chance, n, and, where a
        null was computed, null_mean, null_sd, p. Where candidates share a column: within (its
        name) and only (the one value that a row is of), else empty. An audit adds rows of
        comparisons with controls (evaluation.audit says which columns).
    of : str
        What was scored: "image", "features", or "item" where a metric does not say.
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
    verdict : str
        Of an audit, in its words (evaluation.audit says when it gives which); empty before one:
        "identifies images", "identifies items" (of features, say), "identifies categories only",
        "above its controls", "no better than the nearest training item", "not above its
        controls", "cannot be told".
    reasons : sequence of str
        The verdict's figures in sentences, the decisive one first.
    test_set : str
        Digest of the rows scored; counts how often this test set was looked at.
    """

    values: Array = dims("item")
    over: Literal["items", "voxels"] = "items"
    items: Table = field(default_factory=lambda: Table({}))
    metric: str
    scale: Literal["r", "r2", "accuracy", "similarity", "distance", "weight"]
    summary: Table
    of: str = "item"
    ceiling: Array | None = dims("item", default=None)
    p: Array | None = dims("item", default=None)
    q: Array | None = dims("item", default=None)
    null: Array | None = dims("refit", default=None)
    space: Space = field(default_factory=Space)
    notices: tuple[str, ...] = ()
    verdict: str = ""
    reasons: tuple[str, ...] = ()
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
