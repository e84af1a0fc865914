"""Which rows train and test, what was fitted, and what it predicts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

import numpy as np

from neurodecode.core.artifacts.base import Array, Artifact, check_rows, dims, take
from neurodecode.core.artifacts.responses import Responses
from neurodecode.core.artifacts.space import Space
from neurodecode.core.digests import digest_array
from neurodecode.core.errors import DataError
from neurodecode.core.tables import Table


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
                f"split: roles are for {self.roles.shape[1]} samples, but the table has "
                f"{len(self.samples)}. Give one column of roles per sample."
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
        check_rows(self, self.data, self.rows)

    @property
    def items(self) -> Table:
        """The rows under the names that features use: ``id`` is the stimulus."""
        return self.rows.with_columns(id=self.rows["stimulus_id"])

    def take(self, rows: Any) -> Predictions:
        """Return some of the rows."""
        return replace(
            self,
            data=take(self.data, rows),
            rows=self.rows.take(rows),
            lineage=self.lineage.take(rows),
        )
