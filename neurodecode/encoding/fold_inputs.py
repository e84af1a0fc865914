"""What every encoder needs of its inputs, fold by fold, and what it hands back. No stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurodecode.core.artifacts import Features, Model, Predictions, Responses, Split
from neurodecode.core.artifacts.fits import Fold
from neurodecode.core.bands import Edges, read_bands
from neurodecode.core.errors import DataError
from neurodecode.core.rows import check_foldwise, find_used_rows, group_samples, list_predicted_rows
from neurodecode.numerics.inner_folds import Roles


@dataclass(frozen=True, eq=False)
class FoldInputs:
    """Rows that train, validate or test in any fold, read once.

    Parameters
    ----------
    X : array, shape (n_used_rows, n_features)
        Bands side by side; tokens are laid side by side.
    bands : dict of str to (first column, one after the last)
    groups : array of int, shape (n_used_rows,)
        Rows that inner folds keep together.
    folds : list of Fold
        In row numbers of the responses.
    roles : list of (train, validation, test)
        In row numbers of X.
    used : array of int, shape (n_used_rows,)
        Rows of the responses.
    columns : array of int
        Voxels that are predicted.
    """

    responses: Responses
    split: Split
    X: np.ndarray
    bands: Edges
    groups: np.ndarray
    folds: list[Fold]
    roles: Roles
    used: np.ndarray
    columns: np.ndarray

    @property
    def shared(self) -> bool:
        """Whether all folds read the same responses."""
        return self.responses.foldwise is None

    def read(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Return features and responses (n_used_rows, n_voxels) as a fold sees them."""
        return self.X, self.responses.read(self.used, fold=number).reshape(len(self.used), -1)

    def give_predictions(self, per_fold: Sequence[np.ndarray], **about: Any) -> Predictions:
        """Return predictions of all folds' test rows, each (n_test_rows, ..., n_voxels)."""
        data = np.concatenate(per_fold)
        rest, space = tuple(self.responses.data.shape[2:]), self.responses.space
        if not self.shared and len(self.columns) < self.responses.data.shape[1]:
            space = space.take_columns(self.columns)
        if rest and data.ndim == 2:
            data = data.reshape(len(data), len(self.columns), *rest)
        return Predictions(
            data=data,
            rows=list_predicted_rows(self.responses.samples, [f.test for f in self.folds]),
            of="responses",
            split=self.split.digest,
            unit=self.split.unit,
            space=space,
            **about,
        )

    def give_model(
        self, stage: str, settings: Mapping[str, Any], arrays: Sequence[Mapping[str, np.ndarray]]
    ) -> Model:
        """Return the model of all folds; ``settings`` take the bands' columns along."""
        return Model(
            stage=stage,
            settings={**settings, "columns": self.bands},
            arrays={
                f"fold{fold.number}/{name}": array
                for fold, own in zip(self.folds, arrays, strict=True)
                for name, array in own.items()
            },
            n_folds=self.split.n_folds,
            split=self.split.digest,
        )


def read_fold_inputs(
    features: Mapping[str, Features],
    responses: Responses,
    split: Split,
    where: str,
    bands: Sequence[str] = (),
) -> FoldInputs:
    """Read what all folds need.

    Parameters
    ----------
    features : mapping of label to Features
    where : str
        Stage that asks, for messages.
    bands : sequence of str
        Those to use; none uses all.
    """
    check_foldwise(responses, split, where)
    columns = find_columns(responses, where)
    used = find_used_rows(split)
    samples = responses.samples.take(used)
    X, edges = read_bands(features, samples, where, bands)
    folds = list(split.folds())
    roles = place_roles(split, used)
    groups = group_samples(samples, split.unit, where)
    return FoldInputs(responses, split, X, edges, groups, folds, roles, used, columns)


def place_roles(split: Split, used: np.ndarray) -> Roles:
    """Return the rows of each fold that train, validate and test, as places among those used."""
    place = np.full(len(split.samples), -1)
    place[used] = np.arange(len(used))
    return [(place[f.train], place[f.validation], place[f.test]) for f in split.folds()]


def find_columns(responses: Responses, where: str) -> np.ndarray:
    """Return the columns that every fold keeps.

    Raises
    ------
    DataError
        Folds keep different ones.
    """
    if responses.foldwise is None:
        return np.arange(responses.data.shape[1])
    selected = np.asarray(responses.foldwise.selected)
    if (selected != selected[0]).any():
        counts = selected.sum(axis=1).tolist()
        raise DataError(
            f"{where}: each fold keeps other voxels ({counts[:5]} in the first folds), so "
            "that predictions of one voxel would not exist in every fold. Allowed: one selection. "
            "Encode all voxels and select when scoring, or select by roi "
            "(preprocessing.select_voxels with by: roi)."
        )
    return np.flatnonzero(selected[0])
