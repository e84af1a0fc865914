"""Linear classifiers of scikit-learn, brought to one form: weights and intercepts in input units.

lda        linear discriminant analysis with the covariance within classes shrunk towards a
           diagonal; "auto" is the shrinkage of Ledoit and Wolf 2004, J. Multivariate Analysis 88.
           Priors are equal, so that classes that are shown more often are not preferred.
logistic   multinomial logistic regression, L2 penalty 1 / (2 C)
svm        linear support vector machines, one class against the rest (squared hinge loss)

A fit gives weights W (n_voxels, n_classes) and intercepts b (n_classes,); X W + b are decision
values, and of lda and logistic their softmax are class probabilities. Two classes get columns -d/2
and d/2 of the one decision value d, whose softmax is the same as its logistic function.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from neurodecode.core.errors import DataError
from neurodecode.numerics.inner_folds import assign_folds
from neurodecode.numerics.moments import find_constant

Method = Literal["lda", "logistic", "svm"]
MOST_COLUMNS = 10_000  # a covariance of them takes 0.8 GB


@dataclass(frozen=True)
class ClassifierOptions:
    """How a classifier is fitted.

    Parameters
    ----------
    method : {"lda", "logistic", "svm"}
    shrinkage : float in [0, 1] or "auto"
        Of lda.
    cs : sequence of float
        Inverse penalties of logistic and svm; of several, inner folds choose.
    standardize : bool
    n_inner_folds, seed : int
    """

    method: Method
    shrinkage: float | Literal["auto"]
    cs: Sequence[float]
    standardize: bool
    n_inner_folds: int
    seed: int


@dataclass(frozen=True)
class LinearClassifier:
    """A fitted classifier.

    Parameters
    ----------
    weights : array of float64, shape (n_voxels, n_classes)
    intercept : array of float64, shape (n_classes,)
    c : float
        The inverse penalty used; NaN for lda.
    """

    weights: np.ndarray
    intercept: np.ndarray
    c: float

    def decide(self, X: np.ndarray) -> np.ndarray:
        """Return decision values, shape (n_samples, n_classes)."""
        return np.asarray(X, np.float64) @ self.weights + self.intercept


def fit_classifier(
    X: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray,
    options: ClassifierOptions,
    where: str,
    validation: tuple[np.ndarray, np.ndarray] | None = None,
) -> LinearClassifier:
    """Fit one classifier, choosing its penalty on held-out samples where several are named.

    Parameters
    ----------
    X : array, shape (n_samples, n_voxels)
    labels : array of int, shape (n_samples,)
        0 to n_classes - 1, each of them there.
    groups : array, shape (n_samples,)
        Samples of one group share an inner fold.
    where : str
        For messages.
    validation : (X, labels) or None
        Samples on which the penalty is chosen; None makes inner folds.

    Raises
    ------
    DataError
        Too many voxels for a covariance, a class that an inner fold does not show, or a fit that
        does not converge.
    """
    X = np.asarray(X, np.float64)
    if options.method == "lda":
        if X.shape[1] > MOST_COLUMNS:
            raise DataError(
                f"{where}: {X.shape[1]} voxels are too many for the covariance of lda. Allowed: "
                f"{MOST_COLUMNS}. Select voxels first (preprocessing.select_voxels), or set "
                "method: svm or logistic."
            )
        return _fit(X, labels, float("nan"), options, where)
    best = options.cs[0]
    if len(options.cs) > 1:
        if validation is not None:
            fits = [_fit(X, labels, c, options, where) for c in options.cs]
            accuracy = [_count_right(fit, *validation) for fit in fits]
        else:
            folds = assign_folds(groups, options.n_inner_folds, options.seed)
            accuracy = [_count_inner(X, labels, folds, c, options, where) for c in options.cs]
        best = options.cs[int(np.argmax(accuracy))]  # of equals, the first named
    return _fit(X, labels, best, options, where)


def _count_right(fitted: LinearClassifier, X: np.ndarray, labels: np.ndarray) -> int:
    return int((fitted.decide(X).argmax(axis=1) == labels).sum())


def _count_inner(
    X: np.ndarray,
    labels: np.ndarray,
    folds: np.ndarray,
    c: float,
    options: ClassifierOptions,
    where: str,
) -> int:
    n_right = 0
    for fold in np.unique(folds):
        train, test = folds != fold, folds == fold
        if len(np.unique(labels[train])) < labels.max() + 1:
            raise DataError(
                f"{where}: an inner fold that chooses among cs leaves no sample of some class to "
                "train on. Name one value in cs, or set n_inner_folds higher."
            )
        fitted = _fit(X[train], labels[train], c, options, where)
        n_right += _count_right(fitted, X[test], labels[test])
    return n_right


def _fit(
    X: np.ndarray, labels: np.ndarray, c: float, options: ClassifierOptions, where: str
) -> LinearClassifier:
    mean, scale = X.mean(axis=0), np.ones(X.shape[1])
    if options.standardize:
        variance = X.var(axis=0)
        constant = find_constant(variance, mean, len(X))
        scale = np.where(constant, 1.0, np.sqrt(np.where(constant, 1.0, variance)))
    estimator = _make_estimator(c, labels, options)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        estimator.fit((X - mean) / scale, labels)
    if any("converge" in str(w.message).lower() for w in told):
        raise DataError(
            f"{where}: {options.method} with C = {c:g} did not converge. Set standardize: true, "
            "or lower cs."
        )
    weights = np.asarray(estimator.coef_, np.float64).T / scale[:, None]
    intercept = np.asarray(estimator.intercept_, np.float64) - mean @ weights
    if weights.shape[1] == 1:
        weights = np.concatenate([-weights / 2, weights / 2], axis=1)
        intercept = np.array([-intercept[0] / 2, intercept[0] / 2])
    return LinearClassifier(weights, intercept, c)


def _make_estimator(c: float, labels: np.ndarray, options: ClassifierOptions) -> Any:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import LinearSVC

    if options.method == "lda":
        n_classes = int(labels.max()) + 1
        priors = np.full(n_classes, 1 / n_classes)
        return LinearDiscriminantAnalysis(solver="lsqr", shrinkage=options.shrinkage, priors=priors)
    if options.method == "logistic":
        return LogisticRegression(C=c, max_iter=5000)
    return LinearSVC(C=c, max_iter=50_000, dual="auto", random_state=options.seed)


def compute_probabilities(decisions: np.ndarray) -> np.ndarray:
    """Return the softmax over classes, shape (n_samples, n_classes).

    Examples
    --------
    >>> compute_probabilities(np.array([[0.0, 0.0], [800.0, 0.0]])).tolist()
    [[0.5, 0.5], [1.0, 0.0]]
    """
    shifted = np.exp(decisions - decisions.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)
