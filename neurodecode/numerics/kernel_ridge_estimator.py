"""Kernel ridge as a scikit-learn estimator."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from neurodecode.core.errors import DataError
from neurodecode.numerics.estimator_inputs import deal_rows, read_fit_inputs
from neurodecode.numerics.kernel_ridge import Kernel, fit_kernel_ridge_cv, predict_kernel_ridge
from neurodecode.numerics.ridge import DEFAULT_ALPHAS, RidgeOptions


class KernelRidgeRegressor(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Kernel ridge regression with an alpha and a gamma per target, chosen on inner folds.

    Parameters
    ----------
    kernel : {"linear", "polynomial", "rbf", "cosine"}
    gammas : sequence of float or None
        Tried with every alpha; None takes 0.01 to 10 over the total variance of the features.
    degree, coef0 : int, float
        Of the polynomial.
    alphas : sequence of float
        In units of the kernel.
    n_inner_folds : int
    scoring : {"r2", "correlation"}
    fit_intercept, standardize : bool
    extend_alphas : int
    constant_targets : {"refuse", "predict"}
    seed : int
        Of the deal of rows to inner folds.

    Attributes
    ----------
    dual_coef_ : array, shape (n_samples, n_targets), or (n_samples,) for one-dimensional y
    intercept_ : array, shape (n_targets,), or float
    X_fit_ : array, shape (n_samples, n_features)
    best_alphas_, best_gammas_, cv_scores_ : array, shape (n_targets,)
    warnings_ : tuple of str

    Examples
    --------
    >>> X = np.linspace(-1, 1, 40)[:, None]
    >>> model = KernelRidgeRegressor(gammas=(1.0,), alphas=(1e-3, 1.0)).fit(X, X[:, 0] ** 2)
    >>> model.score(X, X[:, 0] ** 2) > 0.99
    True
    """

    def __init__(
        self,
        kernel: str = "rbf",
        *,
        gammas: Any = None,
        degree: int = 3,
        coef0: float = 1.0,
        alphas: Any = DEFAULT_ALPHAS,
        n_inner_folds: int = 5,
        scoring: str = "r2",
        fit_intercept: bool = True,
        standardize: bool = False,
        extend_alphas: int = 0,
        constant_targets: str = "refuse",
        seed: int = 0,
    ) -> None:
        self.kernel = kernel
        self.gammas = gammas
        self.degree = degree
        self.coef0 = coef0
        self.alphas = alphas
        self.n_inner_folds = n_inner_folds
        self.scoring = scoring
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.extend_alphas = extend_alphas
        self.constant_targets = constant_targets
        self.seed = seed

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Choose alphas and gammas, and fit.

        Parameters
        ----------
        X : array, shape (n_samples, n_features)
        y : array, shape (n_samples,) or (n_samples, n_targets)
        groups : array or None, shape (n_samples,)
            Rows of one group are held out together.

        Raises
        ------
        ValueError
            Values that cannot be fitted; the message says which.
        """
        X, targets, one = read_fit_inputs(self, X, y)
        options = RidgeOptions(
            scoring=self.scoring,  # type: ignore[arg-type]
            standardize=self.standardize,
            fit_intercept=self.fit_intercept,
            extend_alphas=self.extend_alphas,
            constant_targets=self.constant_targets,  # type: ignore[arg-type]
        )
        try:
            self._fit = fit_kernel_ridge_cv(
                X,
                targets,
                deal_rows(X, groups, self.n_inner_folds, self.seed),
                self._make_kernel(),
                () if self.gammas is None else np.atleast_1d(self.gammas).tolist(),
                np.atleast_1d(np.asarray(self.alphas, np.float64)),
                options,
            )
        except DataError as error:
            raise ValueError(str(error)) from error
        fit = self._fit
        self.dual_coef_ = fit.dual[:, 0] if one else fit.dual
        self.intercept_ = float(fit.intercept[0]) if one else fit.intercept
        self.X_fit_ = X
        self.best_alphas_, self.best_gammas_ = fit.best_alphas, fit.best_gammas
        self.cv_scores_, self.warnings_ = fit.scores, fit.warnings
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return predictions, shape (n_samples,) or (n_samples, n_targets)."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=[np.float64, np.float32])
        predicted = predict_kernel_ridge(self._fit, self._make_kernel(), self.X_fit_, X)
        return predicted[:, 0] if self.dual_coef_.ndim == 1 else predicted

    def _make_kernel(self) -> Kernel:
        return Kernel(self.kernel, int(self.degree), float(self.coef0))  # type: ignore[arg-type]
