"""Voxelwise encoding by himalaya's sparse group lasso: few features, of few feature spaces.

Simon, Friedman, Hastie and Tibshirani 2013, Journal of Computational and Graphical Statistics 22,
231: ||y - Xw||² / (2 n) + λ_21 Σ_b ||w_b||_2 + λ_1 ||w||_1, as himalaya scales it: without the root
of a band's size.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, TypedDict

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from neurodecode.core.artifacts import Features, Model, Predictions, Responses, Split
from neurodecode.core.stage import Sight, Stage
from neurodecode.encoding.fold_inputs import read_fold_inputs
from neurodecode.encoding.himalaya_folds import choose_backend, fit_himalaya_folds
from neurodecode.numerics.himalaya_solvers import fit_sparse_group_lasso


class SparseGroupLassoOutputs(TypedDict):
    """What encoding.sparse_group_lasso returns."""

    predictions: Predictions
    model: Model


class SparseGroupLasso(Stage):
    """Predict responses with himalaya's sparse group lasso, bands being the groups.

    Needs the extra "kernels" (pip install "neurodecode[kernels]"). Bands are those of one features
    input, or several inputs by name, as for encoding.banded_ridge. Penalties are chosen by inner
    folds, for each voxel. Splits with validation rows are refused. Computes in float32.

    Parameters
    ----------
    bands : tuple of str
        The bands to use, in this order; none uses all.
    l1_regs : tuple of float
        Penalties on single weights that are tried.
    l21_regs : tuple of float
        Penalties on whole bands that are tried, each with every one of l1_regs.
    max_iter : int
        Steps of the solver.
    tol : float
        Change at which it stops.
    n_inner_folds : int
        Two or more; fewer are made where there are fewer independent groups.
    standardize : bool
        Divide each feature by its deviation over the training rows, so that penalties mean the
        same to all.
    seed : int
        Of the deal of groups to inner folds.
    """

    stage: ClassVar[str] = "encoding.sparse_group_lasso"
    example: ClassVar = {
        "l1_regs": (0.01,),
        "l21_regs": (0.01, 0.1),
        "n_inner_folds": 2,
        "max_iter": 20,
    }

    bands: tuple[str, ...] = ()
    l1_regs: Annotated[tuple[NonNegativeFloat, ...], Field(min_length=1)] = (0.0, 0.001, 0.01, 0.1)
    l21_regs: Annotated[tuple[NonNegativeFloat, ...], Field(min_length=1)] = (0.001, 0.01, 0.1)
    max_iter: PositiveInt = 1000
    tol: PositiveFloat = 1e-4
    n_inner_folds: Annotated[int, Field(ge=2)] = 5
    standardize: bool = True
    seed: int = 0

    def sees(self) -> dict[str, Sight]:
        """Fits see the training rows of their fold."""
        return {"responses": "training", "features": "training"}

    def run(
        self, features: dict[str, Features], responses: Responses, split: Split
    ) -> SparseGroupLassoOutputs:
        """Fit every fold and predict its test rows.

        Returns
        -------
        predictions : Predictions of responses
        model : Model
            Per fold: weights (n_features, n_voxels), intercept, best_l1_regs, best_l21_regs and
            cv_scores (n_voxels,).
        """
        device = choose_backend(self)
        given = read_fold_inputs(features, responses, split, self.stage, self.bands)
        predictions, model = fit_himalaya_folds(
            self,
            given,
            lambda X, Y, pairs: fit_sparse_group_lasso(
                X, Y, list(given.bands.values()), pairs, l1_regs=self.l1_regs,
                l21_regs=self.l21_regs, standardize=self.standardize, device=device,
                solver_params={"max_iter": self.max_iter, "tol": self.tol},
            ),
            self.n_inner_folds,
            self.seed,
        )  # fmt: skip
        return {"predictions": predictions, "model": model}
