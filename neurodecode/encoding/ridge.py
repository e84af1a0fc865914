"""Voxelwise encoding: features to responses by ridge regression with an alpha per voxel.

Hoerl and Kennard 1970; Huth et al. 2012 (alpha per voxel by inner cross-validation). The solver,
and where it departs from predicting once per alpha, is described in numerics/ridge_basis.py.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, TypedDict

import numpy as np
from pydantic import Field, PositiveFloat

from neurodecode.core.artifacts import Features, Model, Predictions, Responses, Split
from neurodecode.core.errors import DataError
from neurodecode.core.progress import track
from neurodecode.core.rows import (
    check_foldwise,
    find_used_rows,
    group_samples,
    list_predicted_rows,
    read_features,
)
from neurodecode.core.stage import Sight, Stage
from neurodecode.numerics.ridge import DEFAULT_ALPHAS, RidgeOptions
from neurodecode.numerics.ridge_folds import fit_outer_folds


class RidgeOutputs(TypedDict):
    """What encoding.ridge returns."""

    predictions: Predictions
    model: Model


class Ridge(Stage):
    """Predict responses from features, fold by fold.

    Features are centred (and scaled, if standardised) on the training rows of each fold. Alphas
    are chosen on a fold's validation rows where the split has some, else by inner folds of the
    training rows, which keep the split's unit together: all samples of one stimulus, run, session
    or subject. The weights are then fitted on all training rows.

    Parameters
    ----------
    alphas : tuple of float
        The grid, in units of the sum of squares of the features over the training rows. By
        default 15 values from 1 to 1e7, two per decade. A single one is used as it is.
    n_inner_folds : int
        Two or more; fewer are made where there are fewer independent groups.
    alpha_per_target : bool
        False takes the one alpha that is best on average over voxels.
    scoring : {"r2", "correlation"}
        What the best alpha maximises on held-out rows.
    standardize : bool
        Divide each feature by its deviation over the training rows.
    solver : {"auto", "primal", "kernel"}
        "auto" takes the kernel form when features outnumber training rows.
    extend_alphas : int
        Decades by which the grid may grow where best alphas lie on its edge. What remains on the
        edge is in the model's settings under "warnings".
    constant_targets : {"refuse", "predict"}
        Voxels that are constant over training rows are refused, or predicted as that constant.
    seed : int
        Of the deal of groups to inner folds.
    """

    stage: ClassVar[str] = "encoding.ridge"
    example: ClassVar = {"alphas": (1.0, 100.0), "n_inner_folds": 2, "extend_alphas": 0}

    alphas: Annotated[tuple[PositiveFloat, ...], Field(min_length=1)] = DEFAULT_ALPHAS
    n_inner_folds: Annotated[int, Field(ge=2)] = 5
    alpha_per_target: bool = True
    scoring: Literal["r2", "correlation"] = "r2"
    standardize: bool = False
    solver: Literal["auto", "primal", "kernel"] = "auto"
    extend_alphas: Annotated[int, Field(ge=0, le=12)] = 3
    constant_targets: Literal["refuse", "predict"] = "refuse"
    seed: int = 0

    def sees(self) -> dict[str, Sight]:
        """Fits see the training rows of their fold."""
        return {"responses": "training", "features": "training"}

    def run(self, features: Features, responses: Responses, split: Split) -> RidgeOutputs:
        """Fit every fold and predict its test rows.

        Parameters
        ----------
        features : Features
            Of every stimulus that a sample of the split shows; tokens are laid side by side.
        responses : Responses
        split : Split

        Returns
        -------
        predictions : Predictions of responses
            One row per fold and test row.
        model : Model
            Per fold: weights (n_features, n_voxels), intercept and best_alphas (n_voxels,). Used
            by ``numerics.ridge.predict_ridge``.
        """
        check_foldwise(responses, split, self.stage)
        columns = _find_columns(responses)
        used = find_used_rows(split)
        place = np.full(len(split.samples), -1)
        place[used] = np.arange(len(used))
        X = read_features(features, responses.samples.take(used), self.stage)
        X = X.reshape(len(used), -1)
        folds = list(split.folds())
        fits = fit_outer_folds(
            lambda k: (X, responses.read(used, fold=k).reshape(len(used), -1)),
            [(place[f.train], place[f.validation], place[f.test]) for f in folds],
            group_samples(split.samples.take(used), split.unit, self.stage),
            self.alphas,
            RidgeOptions(
                scoring=self.scoring,
                alpha_per_target=self.alpha_per_target,
                standardize=self.standardize,
                solver=self.solver,
                extend_alphas=self.extend_alphas,
                constant_targets=self.constant_targets,
                weights="float32",
            ),
            n_inner_folds=self.n_inner_folds,
            seed=self.seed,
            shared=responses.foldwise is None,
        )
        arrays: dict[str, np.ndarray] = {}
        warnings: list[str] = []
        predicted = []
        for fold, outer in zip(folds, track(fits, self.stage, len(folds)), strict=True):
            prefix = f"fold{fold.number}/"
            arrays[prefix + "weights"] = outer.fit.weights
            arrays[prefix + "intercept"] = outer.fit.intercept
            arrays[prefix + "best_alphas"] = outer.fit.best_alphas
            warnings += [f"fold {fold.number}: {text}" for text in outer.fit.warnings]
            predicted.append(outer.predictions)
        data = np.concatenate(predicted)
        rest = tuple(responses.data.shape[2:])
        space = responses.space
        if responses.foldwise is not None and len(columns) < responses.data.shape[1]:
            space = space.take_columns(columns)
        return {
            "predictions": Predictions(
                data=data.reshape(len(data), len(columns), *rest),
                rows=list_predicted_rows(responses.samples, [f.test for f in folds]),
                of="responses",
                split=split.digest,
                unit=split.unit,
                space=space,
            ),
            "model": Model(
                stage=self.stage,
                settings={**self.settings(), "warnings": warnings},
                arrays=arrays,
                n_folds=split.n_folds,
                split=split.digest,
            ),
        }


def _find_columns(responses: Responses) -> np.ndarray:
    if responses.foldwise is None:
        return np.arange(responses.data.shape[1])
    selected = np.asarray(responses.foldwise.selected)
    if (selected != selected[0]).any():
        counts = selected.sum(axis=1).tolist()
        raise DataError(
            f"encoding.ridge: each fold keeps other voxels ({counts[:5]} in the first folds), so "
            "that predictions of one voxel would not exist in every fold. Allowed: one selection. "
            "Encode all voxels and select when scoring, or select by roi "
            "(preprocessing.select_voxels with by: roi)."
        )
    return np.flatnonzero(selected[0])
