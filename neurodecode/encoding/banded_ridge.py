"""Voxelwise encoding from several feature spaces: ridge with a weight per band and voxel.

Nunez-Elizalde, Huth and Gallant 2019; Dupré la Tour et al. 2022. The solver is described in
numerics/banded_ridge.py.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, NotRequired, Self, TypedDict

import numpy as np
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from neurodecode.core.artifacts import Features, Model, Predictions, Responses, Split
from neurodecode.core.progress import track
from neurodecode.core.stage import Sight, Stage
from neurodecode.encoding.fold_inputs import read_fold_inputs
from neurodecode.numerics.band_weights import CONCENTRATIONS, make_band_weights
from neurodecode.numerics.banded_ridge_folds import fit_banded_folds
from neurodecode.numerics.ridge import DEFAULT_ALPHAS, RidgeOptions


class BandedRidgeOutputs(TypedDict):
    """What encoding.banded_ridge returns."""

    predictions: Predictions
    model: Model
    band_predictions: NotRequired[Predictions]


class BandedRidge(Stage):
    """Predict responses from several feature spaces, each with its own weight for each voxel.

    Bands are those of one features input, or several inputs: ``features: {alexnet: step, word2vec:
    step}``, or a list, where each goes by the name of its step. Features are centred (and scaled,
    if standardised) on the training rows of each fold. Weights and alphas are chosen on a fold's
    validation rows where the split has some, else by inner folds of the training rows, which keep
    the split's unit together. The model is then fitted on all training rows.

    Parameters
    ----------
    bands : tuple of str
        The bands to use, in this order; none uses all.
    n_candidates : int
        Band weights that are tried, each with every alpha: the centre (plain ridge), the corners
        (one band alone), and random draws.
    concentration : tuple of float
        Of the Dirichlet distributions that weights are drawn from, in turn.
    alphas : tuple of float
        The grid, in units of the sum of squares of the features over the training rows.
    n_inner_folds : int
        Two or more; fewer are made where there are fewer independent groups.
    refine_steps : int
        Gradient steps on each voxel's log band weights from its best candidate; none may lower its
        score over the inner folds.
    scoring : {"r2", "correlation"}
        What is maximised on held-out rows.
    standardize : bool
        Divide each feature by its deviation over the training rows.
    solver : {"auto", "primal", "kernel"}
        "auto" takes the kernel form when features outnumber training rows.
    extend_alphas : int
        Decades by which voxels whose best alpha lies on the edge may go further.
    constant_targets : {"refuse", "predict"}
        Voxels that are constant over training rows are refused, or predicted as that constant.
    by_band : bool
        Give ``band_predictions``, too: what each band alone predicts, for evaluation.split_scores.
    seed : int
        Of the weights drawn and of the deal of groups to inner folds.
    """

    stage: ClassVar[str] = "encoding.banded_ridge"
    example: ClassVar = {
        "alphas": (1.0, 100.0), "n_inner_folds": 2, "extend_alphas": 0, "n_candidates": 4,
        "by_band": True,
    }  # fmt: skip

    bands: tuple[str, ...] = ()
    n_candidates: PositiveInt = 100
    concentration: Annotated[tuple[PositiveFloat, ...], Field(min_length=1)] = CONCENTRATIONS
    alphas: Annotated[tuple[PositiveFloat, ...], Field(min_length=1)] = DEFAULT_ALPHAS
    n_inner_folds: Annotated[int, Field(ge=2)] = 5
    refine_steps: NonNegativeInt = 0
    scoring: Literal["r2", "correlation"] = "r2"
    standardize: bool = False
    solver: Literal["auto", "primal", "kernel"] = "auto"
    extend_alphas: Annotated[int, Field(ge=0, le=12)] = 3
    constant_targets: Literal["refuse", "predict"] = "refuse"
    by_band: bool = False
    seed: int = 0

    @model_validator(mode="after")
    def _check_bands(self) -> Self:
        if len(set(self.bands)) < len(self.bands):
            raise ValueError("bands names one of them twice. Name each band once.")
        return self

    def sees(self) -> dict[str, Sight]:
        """Fits see the training rows of their fold."""
        return {"responses": "training", "features": "training"}

    def run(
        self, features: dict[str, Features], responses: Responses, split: Split
    ) -> BandedRidgeOutputs:
        """Fit every fold and predict its test rows.

        Parameters
        ----------
        features : Features with bands, or several by name
            Of every stimulus that a sample of the split shows; tokens are laid side by side.
        responses : Responses
        split : Split

        Returns
        -------
        predictions : Predictions of responses
            One row per fold and test row.
        model : Model
            Per fold: weights (n_features, n_voxels), intercept and cv_scores (n_voxels,), deltas
            (n_bands, n_voxels), log(γ / α), in the order of the columns that its settings give
            for each band.
        band_predictions : Predictions, shape (n_rows, n_bands, n_voxels)
            With ``by_band``. They sum to the predictions.
        """
        given = read_fold_inputs(features, responses, split, self.stage, self.bands)
        bands = given.bands
        fits = fit_banded_folds(
            given.read,
            given.roles,
            given.groups,
            list(bands.values()),
            make_band_weights(len(bands), self.n_candidates, self.concentration, self.seed),
            self.alphas,
            RidgeOptions(
                scoring=self.scoring,
                standardize=self.standardize,
                solver=self.solver,
                extend_alphas=self.extend_alphas,
                constant_targets=self.constant_targets,
                weights="float32",
            ),
            refine_steps=self.refine_steps,
            n_inner_folds=self.n_inner_folds,
            seed=self.seed,
            shared=given.shared,
            by_band=self.by_band,
        )
        made = list(track(fits, self.stage, len(given.folds)))
        arrays = [
            {
                "weights": outer.fit.weights,
                "intercept": outer.fit.intercept,
                "deltas": outer.fit.deltas,
                "cv_scores": outer.fit.scores,
            }
            for outer in made
        ]
        warnings = [
            f"fold {fold.number}: {text}"
            for fold, outer in zip(given.folds, made, strict=True)
            for text in outer.fit.warnings
        ]
        outputs: BandedRidgeOutputs = {
            "predictions": given.give_predictions([outer.predictions for outer in made]),
            "model": given.give_model(
                self.stage, {**self.settings(), "warnings": warnings}, arrays
            ),
        }
        if self.by_band:
            outputs["band_predictions"] = given.give_predictions(
                [np.asarray(outer.by_band) for outer in made],
                extractor={"name": self.stage, "bands": list(bands)},
            )
        return outputs
