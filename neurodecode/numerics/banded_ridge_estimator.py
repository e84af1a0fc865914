"""Banded ridge as a scikit-learn estimator."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from neurodecode.core.errors import DataError
from neurodecode.numerics.band_weights import CONCENTRATIONS, make_band_weights
from neurodecode.numerics.banded_ridge import fit_banded_ridge_cv, predict_bands
from neurodecode.numerics.estimator_inputs import deal_rows, find_edges, read_fit_inputs
from neurodecode.numerics.ridge import DEFAULT_ALPHAS, RidgeOptions, predict_ridge


class BandedRidgeRegressor(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Ridge regression with a weight per feature space (band) and target.

    Parameters
    ----------
    bands : sequence of int or None
        Number of columns of each band, in order; None takes all columns as one band.
    n_candidates : int, or array of shape (n_candidates, n_bands)
        How many band weights are tried, or which.
    concentration : sequence of float
        Of the Dirichlet distributions that weights are drawn from, in turn.
    alphas : sequence of float
    n_inner_folds : int
    refine_steps : int
        Gradient steps from each target's best candidate; none may lower its score.
    scoring : {"r2", "correlation"}
    fit_intercept, standardize : bool
    solver : {"auto", "primal", "kernel"}
    extend_alphas : int
        Decades by which targets on the edge of the grid may go further.
    constant_targets : {"refuse", "predict"}
    seed : int
        Of the weights drawn and of the deal of rows to inner folds.

    Attributes
    ----------
    coef_ : array, shape (n_targets, n_features), or (n_features,) for one-dimensional y
    intercept_ : array, shape (n_targets,), or float
    deltas_ : array, shape (n_bands, n_targets)
        log(γ / α), as in himalaya; -inf where a band has no weight.
    best_alphas_ : array, shape (n_targets,)
        Of weights that sum to one over bands.
    cv_scores_ : array, shape (n_targets,)
    warnings_ : tuple of str

    Examples
    --------
    >>> X = np.random.default_rng(0).standard_normal((60, 4))
    >>> model = BandedRidgeRegressor(bands=(2, 2), n_candidates=3, alphas=(0.1, 1.0))
    >>> model.fit(X, X[:, 0]).deltas_.round(1).ravel().tolist()
    [2.3, -inf]
    """

    def __init__(
        self,
        bands: Any = None,
        *,
        n_candidates: Any = 100,
        concentration: Any = CONCENTRATIONS,
        alphas: Any = DEFAULT_ALPHAS,
        n_inner_folds: int = 5,
        refine_steps: int = 0,
        scoring: str = "r2",
        fit_intercept: bool = True,
        standardize: bool = False,
        solver: str = "auto",
        extend_alphas: int = 0,
        constant_targets: str = "refuse",
        seed: int = 0,
    ) -> None:
        self.bands = bands
        self.n_candidates = n_candidates
        self.concentration = concentration
        self.alphas = alphas
        self.n_inner_folds = n_inner_folds
        self.refine_steps = refine_steps
        self.scoring = scoring
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.solver = solver
        self.extend_alphas = extend_alphas
        self.constant_targets = constant_targets
        self.seed = seed

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Choose band weights and alphas, and fit.

        Parameters
        ----------
        X : array, shape (n_samples, n_features)
            Bands side by side.
        y : array, shape (n_samples,) or (n_samples, n_targets)
        groups : array or None, shape (n_samples,)
            Rows of one group are held out together.

        Raises
        ------
        ValueError
            Values that cannot be fitted; the message says which.
        """
        X, targets, one = read_fit_inputs(self, X, y)
        self._bands = find_edges(self.bands, X.shape[1])
        options = RidgeOptions(
            scoring=self.scoring,  # type: ignore[arg-type]
            standardize=self.standardize,
            fit_intercept=self.fit_intercept,
            solver=self.solver,  # type: ignore[arg-type]
            extend_alphas=self.extend_alphas,
            constant_targets=self.constant_targets,  # type: ignore[arg-type]
        )
        try:
            candidates = self.n_candidates
            if np.ndim(candidates) == 0:
                candidates = make_band_weights(
                    len(self._bands),
                    int(candidates),
                    np.atleast_1d(self.concentration).tolist(),
                    self.seed,
                )
            folds = deal_rows(X, groups, self.n_inner_folds, self.seed)
            alphas = np.atleast_1d(np.asarray(self.alphas, np.float64))
            fit = fit_banded_ridge_cv(
                X, targets, self._bands, folds, candidates, alphas, options,
                refine_steps=self.refine_steps,
            )  # fmt: skip
        except DataError as error:
            raise ValueError(str(error)) from error
        self.coef_ = fit.weights[:, 0] if one else fit.weights.T
        self.intercept_ = float(fit.intercept[0]) if one else fit.intercept
        self.deltas_ = fit.deltas
        self.best_alphas_ = fit.best_alphas
        self.cv_scores_ = fit.scores
        self.warnings_ = fit.warnings
        self._x_mean = fit.x_mean
        return self

    def predict(self, X: Any, *, split: bool = False) -> np.ndarray:
        """Predict, with all bands or with each alone.

        Parameters
        ----------
        X : array, shape (n_samples, n_features)
        split : bool
            Return an array of shape (n_bands, n_samples, n_targets), as himalaya does, whose sum
            over bands is the prediction.
        """
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=[np.float64, np.float32])
        one = self.coef_.ndim == 1
        weights = self.coef_[:, None] if one else self.coef_.T
        intercept = np.atleast_1d(self.intercept_)
        if split:
            alone = predict_bands(X, weights, intercept, self._x_mean, self._bands)
            alone = np.moveaxis(alone, 1, 0)
            return alone[:, :, 0] if one else alone
        predicted = predict_ridge(X, weights, intercept)
        return predicted[:, 0] if one else predicted
