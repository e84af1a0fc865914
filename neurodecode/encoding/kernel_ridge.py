"""Voxelwise encoding by kernel ridge: nonlinear functions of the features.

The solver is described in numerics/kernel_ridge.py.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, TypedDict

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt

from neurodecode.core.artifacts import Features, Model, Predictions, Responses, Split
from neurodecode.core.errors import DataError
from neurodecode.core.progress import track
from neurodecode.core.stage import Sight, Stage
from neurodecode.encoding.fold_inputs import read_fold_inputs
from neurodecode.numerics.inner_folds import assign_inner_folds
from neurodecode.numerics.kernel_ridge import Kernel, fit_kernel_ridge_cv, predict_kernel_ridge
from neurodecode.numerics.ridge import DEFAULT_ALPHAS, RidgeOptions


class KernelRidgeOutputs(TypedDict):
    """What encoding.kernel_ridge returns."""

    predictions: Predictions
    model: Model


class KernelRidge(Stage):
    """Predict responses from features by kernel ridge, with an alpha and a gamma for each voxel.

    Kernels are centred on the training rows of each fold. Alphas and gammas are chosen on a fold's
    validation rows where the split has some, else by inner folds of the training rows, which keep
    the split's unit together. The model is then fitted on all training rows.

    Parameters
    ----------
    kernel : {"linear", "polynomial", "rbf", "cosine"}
        As scikit-learn defines them. All but rbf depend on where the features' zero lies.
    gammas : tuple of float
        Of rbf and polynomial: tried with every alpha. None are 0.01, 0.1, 1 and 10 over the total
        variance of the features over the training rows.
    degree : int
        Of the polynomial.
    coef0 : float
        Of the polynomial: what is added before the power.
    alphas : tuple of float
        The grid, in units of the kernel.
    n_inner_folds : int
        Two or more; fewer are made where there are fewer independent groups.
    scoring : {"r2", "correlation"}
        What is maximised on held-out rows.
    standardize : bool
        Centre and scale each feature over the training rows, before the kernel.
    extend_alphas : int
        Decades by which voxels whose best alpha lies on the edge may go further.
    constant_targets : {"refuse", "predict"}
        Voxels that are constant over training rows are refused, or predicted as that constant.
    seed : int
        Of the deal of groups to inner folds.
    """

    stage: ClassVar[str] = "encoding.kernel_ridge"
    example: ClassVar = {"alphas": (0.1, 1.0), "n_inner_folds": 2, "extend_alphas": 0}

    kernel: Literal["linear", "polynomial", "rbf", "cosine"] = "rbf"
    gammas: tuple[PositiveFloat, ...] = ()
    degree: PositiveInt = 3
    coef0: Annotated[float, Field(ge=0)] = 1.0
    alphas: Annotated[tuple[PositiveFloat, ...], Field(min_length=1)] = DEFAULT_ALPHAS
    n_inner_folds: Annotated[int, Field(ge=2)] = 5
    scoring: Literal["r2", "correlation"] = "r2"
    standardize: bool = False
    extend_alphas: Annotated[int, Field(ge=0, le=12)] = 3
    constant_targets: Literal["refuse", "predict"] = "refuse"
    seed: int = 0

    def sees(self) -> dict[str, Sight]:
        """Fits see the training rows of their fold."""
        return {"responses": "training", "features": "training"}

    def run(self, features: Features, responses: Responses, split: Split) -> KernelRidgeOutputs:
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
            Per fold: dual (n_training_rows, n_voxels), intercept, best_alphas and best_gammas
            (n_voxels,), rows (n_training_rows,) into the responses, and mean and scale
            (n_features,). Used by ``numerics.kernel_ridge.predict_kernel_ridge``.
        """
        given = read_fold_inputs({"features": features}, responses, split, self.stage)
        folds = assign_inner_folds(
            given.groups, [train for train, _, _ in given.roles], self.n_inner_folds, self.seed
        )
        kernel = Kernel(self.kernel, self.degree, self.coef0)
        options = RidgeOptions(
            scoring=self.scoring,
            standardize=self.standardize,
            extend_alphas=self.extend_alphas,
            constant_targets=self.constant_targets,
            weights="float32",
        )
        predicted, arrays, warnings = [], [], []
        for fold, labels, (_, validation, test) in zip(
            track(given.folds, self.stage), folds, given.roles, strict=True
        ):
            X, Y = given.read(fold.number)
            chosen_on = validation if len(validation) else None
            if chosen_on is not None:
                labels = np.where(labels >= 0, 0, -1)
            try:
                fit = fit_kernel_ridge_cv(
                    X, Y, labels, kernel, self.gammas, self.alphas, options, validation=chosen_on
                )
            except DataError as error:
                raise DataError(f"fold {fold.number}: {error}") from error
            predicted.append(predict_kernel_ridge(fit, kernel, X[fit.rows], X[test]))
            warnings += [f"fold {fold.number}: {text}" for text in fit.warnings]
            arrays.append(
                {
                    "dual": fit.dual, "intercept": fit.intercept, "mean": fit.mean,
                    "scale": fit.scale, "rows": given.used[fit.rows],
                    "best_alphas": fit.best_alphas, "best_gammas": fit.best_gammas,
                }
            )  # fmt: skip
        return {
            "predictions": given.give_predictions(predicted),
            "model": given.give_model(
                self.stage, {**self.settings(), "warnings": warnings}, arrays
            ),
        }
