"""Stacked ridge regression as a scikit-learn estimator."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from neurodecode.core.errors import DataError
from neurodecode.numerics.banded_ridge_checks import check_bands
from neurodecode.numerics.estimator_inputs import deal_rows, find_edges, read_fit_inputs
from neurodecode.numerics.ridge import DEFAULT_ALPHAS, RidgeOptions, predict_ridge
from neurodecode.numerics.stacking import fit_stacked_cv, predict_stacked_bands


class StackedRidgeRegressor(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """A ridge regression per band, combined by convex weights for each target.

    Parameters
    ----------
    bands : sequence of int or None
        Number of columns of each band, in order; None takes all columns as one band.
    alphas : sequence of float
    n_inner_folds : int
        Of the choice of alphas, and of the predictions that the shares are fitted to.
    scoring : {"r2", "correlation"}
        What alphas maximise.
    fit_intercept, standardize : bool
    constant_targets : {"refuse", "predict"}
    seed : int
        Of the deal of rows to inner folds.

    Attributes
    ----------
    coef_ : array, shape (n_targets, n_features), or (n_features,) for one-dimensional y
    intercept_ : array, shape (n_targets,), or float
    shares_ : array, shape (n_bands, n_targets)
    best_alphas_ : array, shape (n_bands, n_targets)
    warnings_ : tuple of str

    Examples
    --------
    >>> X = np.random.default_rng(0).standard_normal((60, 4))
    >>> model = StackedRidgeRegressor((2, 2), alphas=(0.01, 1.0)).fit(X, X[:, 0])
    >>> model.shares_.round(2).ravel().tolist()
    [1.0, 0.0]
    """

    def __init__(
        self,
        bands: Any = None,
        *,
        alphas: Any = DEFAULT_ALPHAS,
        n_inner_folds: int = 5,
        scoring: str = "r2",
        fit_intercept: bool = True,
        standardize: bool = False,
        constant_targets: str = "refuse",
        seed: int = 0,
    ) -> None:
        self.bands = bands
        self.alphas = alphas
        self.n_inner_folds = n_inner_folds
        self.scoring = scoring
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.constant_targets = constant_targets
        self.seed = seed

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Fit each band, and the shares.

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
            constant_targets=self.constant_targets,  # type: ignore[arg-type]
        )
        try:
            check_bands(self._bands, X.shape[1])
            folds = deal_rows(X, groups, self.n_inner_folds, self.seed)
            alphas = np.atleast_1d(np.asarray(self.alphas, np.float64))
            fit = fit_stacked_cv(X, targets, self._bands, folds, alphas, options)
        except DataError as error:
            raise ValueError(str(error)) from error
        self._fit = fit
        self.coef_ = fit.weights[:, 0] if one else fit.weights.T
        self.intercept_ = float(fit.intercept[0]) if one else fit.intercept
        self.shares_, self.best_alphas_ = fit.shares, fit.best_alphas
        self.warnings_ = fit.warnings
        return self

    def predict(self, X: Any, *, split: bool = False) -> np.ndarray:
        """Predict with all bands, or with each one's share: (n_bands, n_samples, n_targets)."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=[np.float64, np.float32])
        one = self.coef_.ndim == 1
        if split:
            alone = np.moveaxis(predict_stacked_bands(X, self._fit, self._bands), 1, 0)
            return alone[:, :, 0] if one else alone
        predicted = predict_ridge(X, self._fit.weights, self._fit.intercept)
        return predicted[:, 0] if one else predicted
