"""Voxelwise encoding by himalaya's multiple-kernel ridge: a linear kernel per feature space.

Dupré la Tour et al. 2022. The same model as encoding.banded_ridge, by himalaya's own solvers; what
it offers beside is the hyper-gradient solver, and GPUs.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, TypedDict

from pydantic import Field, PositiveFloat, PositiveInt

from neurodecode.core.artifacts import Features, Model, Predictions, Responses, Split
from neurodecode.core.stage import Sight, Stage
from neurodecode.encoding.fold_inputs import read_fold_inputs
from neurodecode.encoding.himalaya_folds import choose_backend, fit_himalaya_folds
from neurodecode.numerics.band_weights import CONCENTRATIONS
from neurodecode.numerics.himalaya_solvers import fit_multiple_kernels
from neurodecode.numerics.ridge import DEFAULT_ALPHAS


class MultipleKernelRidgeOutputs(TypedDict):
    """What encoding.multiple_kernel_ridge returns."""

    predictions: Predictions
    model: Model


class MultipleKernelRidge(Stage):
    """Predict responses from several feature spaces with himalaya's MultipleKernelRidgeCV.

    Needs the extra "kernels" (pip install "neurodecode[kernels]"). Bands are those of one features
    input, or several inputs by name, as for encoding.banded_ridge. Splits with validation rows are
    refused, since himalaya fits all rows that it chooses on. Computes in float32.

    Parameters
    ----------
    bands : tuple of str
        The bands to use, in this order; none uses all.
    solver : {"random_search", "hyper_gradient"}
        himalaya's hyper_gradient knows no intercept: its inner folds share the mean over the
        training rows of their fold.
    n_iter : int
        Of random_search: candidates. Of hyper_gradient: steps.
    alphas : tuple of float
        Of random_search, each tried with every candidate.
    concentration : tuple of float
        Of random_search.
    n_inner_folds : int
        Two or more; fewer are made where there are fewer independent groups.
    scoring : {"r2", "correlation"}
        What random_search maximises; hyper_gradient minimises squared error, and reports this.
    standardize : bool
        Divide each feature by its deviation over the training rows.
    seed : int
        Of the candidates and of the deal of groups to inner folds.
    """

    stage: ClassVar[str] = "encoding.multiple_kernel_ridge"
    example: ClassVar = {"alphas": (1.0, 100.0), "n_inner_folds": 2, "n_iter": 3}

    bands: tuple[str, ...] = ()
    solver: Literal["random_search", "hyper_gradient"] = "random_search"
    n_iter: PositiveInt = 100
    alphas: Annotated[tuple[PositiveFloat, ...], Field(min_length=1)] = DEFAULT_ALPHAS
    concentration: Annotated[tuple[PositiveFloat, ...], Field(min_length=1)] = CONCENTRATIONS
    n_inner_folds: Annotated[int, Field(ge=2)] = 5
    scoring: Literal["r2", "correlation"] = "r2"
    standardize: bool = False
    seed: int = 0

    def sees(self) -> dict[str, Sight]:
        """Fits see the training rows of their fold."""
        return {"responses": "training", "features": "training"}

    def run(
        self, features: dict[str, Features], responses: Responses, split: Split
    ) -> MultipleKernelRidgeOutputs:
        """Fit every fold and predict its test rows.

        Returns
        -------
        predictions : Predictions of responses
        model : Model
            Per fold: weights (n_features, n_voxels), intercept and cv_scores (n_voxels,), deltas
            (n_bands, n_voxels).
        """
        device = choose_backend(self)
        given = read_fold_inputs(features, responses, split, self.stage, self.bands)
        params: dict[str, Any] = {"max_iter": self.n_iter}
        if self.solver == "random_search":
            params = {"n_iter": self.n_iter, "alphas": self.alphas,
                      "concentration": list(self.concentration)}  # fmt: skip
        predictions, model = fit_himalaya_folds(
            self,
            given,
            lambda X, Y, pairs: fit_multiple_kernels(
                X, Y, list(given.bands.values()), pairs, solver=self.solver, solver_params=params,
                scoring=self.scoring, standardize=self.standardize, seed=self.seed, device=device,
            ),
            self.n_inner_folds,
            self.seed,
        )  # fmt: skip
        return {"predictions": predictions, "model": model}
