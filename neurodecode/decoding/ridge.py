"""Linear decoding: responses to features by ridge regression with an alpha per feature.

Hoerl and Kennard 1970; as used for embeddings by Takagi and Nishimoto 2023 and Ozcelik and
VanRullen 2023. The solver is described in numerics/ridge_basis.py.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, NotRequired, TypedDict

import numpy as np
from pydantic import Field, PositiveFloat

from neurodecode.core.artifacts import Features, Model, Predictions, Responses, Split
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
    """What decoding.ridge returns."""

    predictions: Predictions
    training: NotRequired[Predictions]
    model: Model


class Ridge(Stage):
    """Predict features of the stimulus from responses, fold by fold.

    Responses are centred (and scaled, if standardised) on the training rows of each fold. Alphas
    are chosen on a fold's validation rows where the split has some, else by inner folds of the
    training rows, which keep the split's unit together: all samples of one stimulus, run, session
    or subject. The weights are then fitted on all training rows.

    Parameters
    ----------
    alphas : tuple of float
        The grid, in units of the sum of squares of the responses over the training rows. By
        default 15 values from 1 to 1e7, two per decade. A single one is used as it is.
    n_inner_folds : int
        Two or more; fewer are made where there are fewer independent groups.
    alpha_per_target : bool
        False takes the one alpha that is best on average over features.
    scoring : {"r2", "correlation"}
        What the best alpha maximises on held-out rows.
    standardize : bool
        Divide each voxel by its deviation over the training rows.
    solver : {"auto", "primal", "kernel"}
        "auto" takes the kernel form when voxels outnumber training rows.
    extend_alphas : int
        Decades by which the grid may grow where best alphas lie on its edge. What remains on the
        edge is in the model's settings under "warnings".
    constant_targets : {"refuse", "predict"}
        Features that are constant over training rows, such as a pixel that is always black, are
        refused, or predicted as that constant.
    nested : bool
        Also predict the training rows of each fold, each by a fit to its other inner folds with
        the alphas chosen on all of the training rows: data for a fit at a second level. The choice
        of alphas makes them slightly optimistic; test rows have no part in them.
    seed : int
        Of the deal of groups to inner folds.
    """

    stage: ClassVar[str] = "decoding.ridge"
    decodes: ClassVar[bool] = True
    example: ClassVar = {"alphas": (1.0, 100.0), "n_inner_folds": 2, "extend_alphas": 0}

    alphas: Annotated[tuple[PositiveFloat, ...], Field(min_length=1)] = DEFAULT_ALPHAS
    n_inner_folds: Annotated[int, Field(ge=2)] = 5
    alpha_per_target: bool = True
    scoring: Literal["r2", "correlation"] = "r2"
    standardize: bool = False
    solver: Literal["auto", "primal", "kernel"] = "auto"
    extend_alphas: Annotated[int, Field(ge=0, le=12)] = 3
    constant_targets: Literal["refuse", "predict"] = "refuse"
    nested: bool = False
    seed: int = 0

    def sees(self) -> dict[str, Sight]:
        """Fits see the training rows of their fold."""
        return {"responses": "training", "features": "training"}

    def run(self, responses: Responses, features: Features, split: Split) -> RidgeOutputs:
        """Fit every fold and predict its test rows.

        Parameters
        ----------
        responses : Responses
            Channels and times are laid side by side.
        features : Features
            Of every stimulus that a sample of the split shows. Tokens keep their shape.
        split : Split

        Returns
        -------
        predictions : Predictions of features
            One row per fold and test row.
        training : Predictions of features
            With ``nested``: one row per fold and training row.
        model : Model
            Per fold: weights (n_voxels, n_features), intercept and best_alphas (n_features,). Used
            by ``numerics.ridge.predict_ridge``.
        """
        check_foldwise(responses, split, self.stage)
        used = find_used_rows(split)
        place = np.full(len(split.samples), -1)
        place[used] = np.arange(len(used))
        targets = read_features(features, responses.samples.take(used), self.stage)
        Y = targets.reshape(len(used), -1)
        folds = list(split.folds())
        fits = fit_outer_folds(
            lambda k: (responses.read(used, fold=k).reshape(len(used), -1), Y),
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
            nested=self.nested,
        )
        arrays: dict[str, np.ndarray] = {}
        warnings: list[str] = []
        predicted, nested = [], []
        for fold, outer in zip(folds, track(fits, self.stage, len(folds)), strict=True):
            prefix = f"fold{fold.number}/"
            arrays[prefix + "weights"] = outer.fit.weights
            arrays[prefix + "intercept"] = outer.fit.intercept
            arrays[prefix + "best_alphas"] = outer.fit.best_alphas
            warnings += [f"fold {fold.number}: {text}" for text in outer.fit.warnings]
            predicted.append(outer.predictions)
            if outer.nested is not None:
                nested.append(outer.nested)

        def make(values: list[np.ndarray], rows: list[np.ndarray], role: str) -> Predictions:
            data = np.concatenate(values)
            return Predictions(
                data=data.reshape(len(data), *targets.shape[1:]),
                rows=list_predicted_rows(responses.samples, rows),
                of="features",
                split=split.digest,
                unit=split.unit,
                role="training" if role == "training" else "test",
                bands=features.bands,
                extractor=features.extractor,
            )

        outputs: RidgeOutputs = {
            "predictions": make(predicted, [f.test for f in folds], "test"),
            "model": Model(
                stage=self.stage,
                settings={
                    **self.settings(),
                    "feature_shape": list(targets.shape[1:]),
                    "warnings": warnings,
                },
                arrays=arrays,
                n_folds=split.n_folds,
                split=split.digest,
            ),
        }
        if self.nested:
            outputs["training"] = make(nested, [f.train for f in folds], "training")
        return outputs
