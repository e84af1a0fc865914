"""Ridge regression by the length of its solution, as a fraction of that of least squares.

Rokem and Kay 2020, GigaScience 9:giaa133. With X = U S Wᵀ the solution is
W diag(s / (s² + alpha)) Uᵀ y; rotated, least squares is b = Uᵀ y / s, and ridge
s² / (s² + alpha) b, whose length falls from |b| to 0 as alpha grows. For each target and
fraction f this solves

    sum_i (s[i]² / (s[i]² + alpha))² b[i]² = f² sum_i b[i]²

They interpolate between alphas of a grid. Here the interpolation starts Newton's method on the
logarithms of both sides, for all targets at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

GRID_STEP = 0.25  # of log10(alpha)
N_NEWTON = 4
TOLERANCE = 1e-10  # relative; smaller singular values count as none


@dataclass(frozen=True)
class Rotation:
    """Singular value decomposition of a design, without singular values that are none.

    Parameters
    ----------
    left : array, shape (n_samples, n_values)
    values : array, shape (n_values,)
    right : array, shape (n_values, n_features)
    """

    left: np.ndarray
    values: np.ndarray
    right: np.ndarray

    @classmethod
    def of(cls, design: np.ndarray) -> Rotation:
        """Decompose a design, (n_samples, n_features)."""
        left, values, right = np.linalg.svd(design, full_matrices=False)
        kept = values > TOLERANCE * values.max(initial=0.0)
        return cls(left[:, kept], values[kept], right[kept])


def find_alphas(values: np.ndarray, rotated: np.ndarray, fractions: np.ndarray) -> np.ndarray:
    """Return the alpha at which ridge has a fraction of the length of least squares.

    Parameters
    ----------
    values : array, shape (n_values,)
        Singular values of the design, positive.
    rotated : array, shape (n_values, n_targets)
        Least squares in the rotated space.
    fractions : array, shape (n_fractions,)
        In (0, 1].

    Returns
    -------
    alphas : array, shape (n_fractions, n_targets)
        0 for a fraction of 1, and for targets without any response.
    """
    squares, power = values**2, rotated**2
    total = power.sum(axis=0)
    low, high = np.log10(squares.min() * 1e-3), np.log10(squares.max() / fractions.min() * 1e1)
    grid = np.arange(low, high + GRID_STEP, GRID_STEP)
    shrunk = (squares / (squares + 10.0 ** grid[:, None])) ** 2
    shares = shrunk @ power / np.where(total > 0, total, 1.0)  # falls along the grid
    alphas = np.zeros((len(fractions), rotated.shape[1]))
    for row, fraction in zip(alphas, fractions, strict=True):
        if fraction >= 1:
            continue
        wanted = fraction**2
        at = np.clip((shares > wanted).sum(axis=0), 1, len(grid) - 1)
        above, below = (np.take_along_axis(shares, (at - k)[None], axis=0)[0] for k in (1, 0))
        with np.errstate(divide="ignore", invalid="ignore"):
            part = np.clip((above - wanted) / (above - below), 0, 1)
        log = (grid[at - 1] + np.nan_to_num(part) * GRID_STEP) * np.log(10)
        for _ in range(N_NEWTON):
            alpha = np.exp(log)
            weights = squares[:, None] / (squares[:, None] + alpha)
            length = (weights**2 * power).sum(axis=0)
            slope = -2 * (weights**2 * (1 - weights) * power).sum(axis=0)
            with np.errstate(divide="ignore", invalid="ignore"):
                step = np.log(length / (wanted * total)) * length / slope
            log -= np.where(np.isfinite(step), np.clip(step, -2, 2), 0)
        row[:] = np.where(total > 0, np.exp(log), 0)
    return alphas


def fit_fractional_ridge(
    design: np.ndarray | Rotation, data: np.ndarray, fractions: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Fit ridge at each fraction of the length of least squares.

    Parameters
    ----------
    design : array, shape (n_samples, n_features), or its Rotation
    data : array, shape (n_samples, n_targets)
    fractions : array, shape (n_fractions,)
        In (0, 1], in any order.

    Returns
    -------
    weights : array, shape (n_fractions, n_features, n_targets)
    alphas : array, shape (n_fractions, n_targets)

    Examples
    --------
    >>> design, data = np.array([[2.0, 0], [0, 1]]), np.array([[2.0], [1]])
    >>> weights, _ = fit_fractional_ridge(design, data, np.array([0.5, 1.0]))
    >>> np.linalg.norm(weights, axis=1).ravel().round(6)
    array([0.707107, 1.414214])
    """
    rotation = design if isinstance(design, Rotation) else Rotation.of(np.asarray(design))
    rotated = rotation.left.T @ data / rotation.values[:, None]
    alphas = find_alphas(rotation.values, rotated, np.asarray(fractions, np.float64))
    squares = rotation.values[:, None] ** 2
    weights = np.stack([rotation.right.T @ (squares / (squares + a) * rotated) for a in alphas])
    return weights, alphas
