"""Voxelwise ridge as a scikit-learn estimator, for encoders and decoders alike.

Encoding and decoding differ in which side is X, not in the fit, so that there is one class.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from neurodecode.core.errors import DataError
from neurodecode.numerics.estimator_inputs import deal_rows, read_fit_inputs
from neurodecode.numerics.ridge import (
    DEFAULT_ALPHAS,
    RidgeOptions,
    fit_ridge,
    fit_ridge_cv,
    predict_ridge,
)


class RidgeRegressor(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Ridge regression with an alpha per target, chosen on inner folds.

    Parameters
    ----------
    alphas : sequence of float
        The grid, in units of the features' sum of squares. A single one is used as it is.
    n_inner_folds : int
    alpha_per_target : bool
    scoring : {"r2", "correlation"}
    fit_intercept, standardize : bool
    solver : {"auto", "primal", "kernel"}
    extend_alphas : int
        Decades by which the grid may grow on either side.
    constant_targets : {"refuse", "predict"}
    backend : {"numpy", "torch"}
    device : str
        Of torch: "cpu", "cuda", "mps", "auto".
    seed : int
        Of the deal of rows to inner folds.

    Attributes
    ----------
    coef_ : array, shape (n_targets, n_features), or (n_features,) for one-dimensional y
    intercept_ : array, shape (n_targets,), or float
    best_alphas_ : array, shape (n_targets,)
    alphas_ : array, shape (n_alphas,)
        The grid as extended.
    cv_scores_ : array, shape (n_alphas, n_targets)
        NaN for alphas by which the grid was extended for other targets.
    warnings_ : tuple of str

    Examples
    --------
    >>> X = np.arange(12.0).reshape(12, 1)
    >>> model = RidgeRegressor(alphas=(1e-3, 1.0), n_inner_folds=3).fit(X, 2 * X[:, 0] + 1)
    >>> model.best_alphas_, model.coef_.round(3)
    (array([0.001]), array([2.]))
    """

    def __init__(
        self,
        alphas: Any = DEFAULT_ALPHAS,
        *,
        n_inner_folds: int = 5,
        alpha_per_target: bool = True,
        scoring: str = "r2",
        fit_intercept: bool = True,
        standardize: bool = False,
        solver: str = "auto",
        extend_alphas: int = 0,
        constant_targets: str = "refuse",
        backend: str = "numpy",
        device: str = "cpu",
        seed: int = 0,
    ) -> None:
        self.alphas = alphas
        self.n_inner_folds = n_inner_folds
        self.alpha_per_target = alpha_per_target
        self.scoring = scoring
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.solver = solver
        self.extend_alphas = extend_alphas
        self.constant_targets = constant_targets
        self.backend = backend
        self.device = device
        self.seed = seed

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Choose alphas and fit.

        Parameters
        ----------
        X : array, shape (n_samples, n_features)
        y : array, shape (n_samples,) or (n_samples, n_targets)
        groups : array or None, shape (n_samples,)
            Group of each row, of any type that sorts. Rows of one group are held out together.

        Raises
        ------
        ValueError
            Values that cannot be fitted; the message says which.
        """
        X, targets, one = read_fit_inputs(self, X, y)
        alphas = np.unique(np.atleast_1d(np.asarray(self.alphas, np.float64)))
        options = RidgeOptions(
            scoring=self.scoring,  # type: ignore[arg-type]
            alpha_per_target=self.alpha_per_target,
            standardize=self.standardize,
            fit_intercept=self.fit_intercept,
            solver=self.solver,  # type: ignore[arg-type]
            extend_alphas=self.extend_alphas,
            constant_targets=self.constant_targets,  # type: ignore[arg-type]
            backend=self.backend,  # type: ignore[arg-type]
            device=self.device,
        )
        try:
            if len(alphas) == 1:
                fit = fit_ridge(X, targets, float(alphas[0]), options)
            else:
                folds = deal_rows(X, groups, self.n_inner_folds, self.seed)
                fit = fit_ridge_cv(X, targets, folds, alphas, options)
        except DataError as error:
            raise ValueError(str(error)) from error
        self.coef_ = fit.weights[:, 0] if one else fit.weights.T
        self.intercept_ = float(fit.intercept[0]) if one else fit.intercept
        self.best_alphas_ = fit.best_alphas
        self.alphas_ = fit.alphas
        self.cv_scores_ = fit.scores
        self.warnings_ = fit.warnings
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return predictions, shape (n_samples,) or (n_samples, n_targets)."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=[np.float64, np.float32])
        weights = self.coef_[:, None] if self.coef_.ndim == 1 else self.coef_.T
        predicted = predict_ridge(X, weights, np.atleast_1d(self.intercept_))
        return predicted[:, 0] if self.coef_.ndim == 1 else predicted
