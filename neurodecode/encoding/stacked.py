"""Voxelwise encoding by stacked regressions: a ridge per feature space, and their shares.

Lin et al. 2024; the solver is described in numerics/stacking.py.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, NotRequired, TypedDict

from pydantic import Field, PositiveFloat

from neurodecode.core.artifacts import Features, Model, Predictions, Responses, Split
from neurodecode.core.errors import DataError
from neurodecode.core.progress import track
from neurodecode.core.stage import Sight, Stage
from neurodecode.encoding.fold_inputs import read_fold_inputs
from neurodecode.numerics.inner_folds import assign_inner_folds
from neurodecode.numerics.ridge import DEFAULT_ALPHAS, RidgeOptions, predict_ridge
from neurodecode.numerics.stacking import fit_stacked_cv, predict_stacked_bands


class StackedOutputs(TypedDict):
    """What encoding.stacked returns."""

    predictions: Predictions
    model: Model
    band_predictions: NotRequired[Predictions]


class Stacked(Stage):
    """Predict responses by a convex combination of one ridge per feature space, voxel by voxel.

    Bands are those of one features input, or several inputs by name, as for encoding.banded_ridge.
    Each band has alphas of its own. Shares are zero or more, sum to one, and are fitted to what
    the training rows of each inner fold are predicted as by fits to the others.

    Parameters
    ----------
    bands : tuple of str
        The bands to use, in this order; none uses all.
    alphas : tuple of float
        The grid, in units of the sum of squares of the features over the training rows. A single
        one is used as it is.
    n_inner_folds : int
        Two or more; fewer are made where there are fewer independent groups. They choose alphas
        (unless the split has validation rows) and fit shares.
    scoring : {"r2", "correlation"}
        What alphas maximise on held-out rows; shares minimise squared error.
    standardize : bool
        Divide each feature by its deviation over the training rows.
    extend_alphas : int
        Decades by which the grid may grow where best alphas lie on its edge.
    constant_targets : {"refuse", "predict"}
        Voxels that are constant over training rows are refused, or predicted as that constant.
    by_band : bool
        Give ``band_predictions``, too: what each band contributes, for evaluation.split_scores.
    seed : int
        Of the deal of groups to inner folds.
    """

    stage: ClassVar[str] = "encoding.stacked"
    example: ClassVar = {
        "alphas": (1.0, 100.0), "n_inner_folds": 2, "extend_alphas": 0, "by_band": True,
    }  # fmt: skip

    bands: tuple[str, ...] = ()
    alphas: Annotated[tuple[PositiveFloat, ...], Field(min_length=1)] = DEFAULT_ALPHAS
    n_inner_folds: Annotated[int, Field(ge=2)] = 5
    scoring: Literal["r2", "correlation"] = "r2"
    standardize: bool = False
    extend_alphas: Annotated[int, Field(ge=0, le=12)] = 3
    constant_targets: Literal["refuse", "predict"] = "refuse"
    by_band: bool = False
    seed: int = 0

    def sees(self) -> dict[str, Sight]:
        """Fits see the training rows of their fold."""
        return {"responses": "training", "features": "training"}

    def run(
        self, features: dict[str, Features], responses: Responses, split: Split
    ) -> StackedOutputs:
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
            Per fold: weights (n_features, n_voxels) and intercept (n_voxels,) of the whole,
            shares, best_alphas and band_intercepts (n_bands, n_voxels). Its settings give the
            bands' columns.
        band_predictions : Predictions, shape (n_rows, n_bands, n_voxels)
            With ``by_band``. They sum to the predictions.
        """
        given = read_fold_inputs(features, responses, split, self.stage, self.bands)
        bands = list(given.bands.values())
        folds = assign_inner_folds(
            given.groups, [train for train, _, _ in given.roles], self.n_inner_folds, self.seed
        )
        options = RidgeOptions(
            scoring=self.scoring,
            standardize=self.standardize,
            extend_alphas=self.extend_alphas,
            constant_targets=self.constant_targets,
            weights="float32",
        )
        predicted, by_band, arrays, warnings = [], [], [], []
        for fold, labels, (_, validation, test) in zip(
            track(given.folds, self.stage), folds, given.roles, strict=True
        ):
            X, Y = given.read(fold.number)
            try:
                fit = fit_stacked_cv(
                    X, Y, bands, labels, self.alphas, options,
                    validation=validation if len(validation) else None,
                )  # fmt: skip
            except DataError as error:
                raise DataError(f"fold {fold.number}: {error}") from error
            predicted.append(predict_ridge(X[test], fit.weights, fit.intercept))
            if self.by_band:
                by_band.append(predict_stacked_bands(X[test], fit, bands))
            warnings += [f"fold {fold.number}: {text}" for text in fit.warnings]
            names = ("weights", "intercept", "shares", "best_alphas", "band_intercepts")
            arrays.append({name: getattr(fit, name) for name in names})
        outputs: StackedOutputs = {
            "predictions": given.give_predictions(predicted),
            "model": given.give_model(
                self.stage, {**self.settings(), "warnings": warnings}, arrays
            ),
        }
        if self.by_band:
            outputs["band_predictions"] = given.give_predictions(
                by_band, extractor={"name": self.stage, "bands": list(given.bands)}
            )
        return outputs
