"""Fewer products than alphas: quadratic forms at a few alphas give those at all of them.

In the eigenbasis the weights of alpha are D_α q with D_α = diag 1/(λ + α). As functions of λ, the
D of neighbouring alphas resemble each other: all of them are combinations of a few, the skeleton,
to within rounding. With D_α = Σ_s C_αs D_s,

    bᵀ_α G b_α = Σ_st C_αs C_αt  (D_s q)ᵀ G (D_t q),

and only the skeleton's vectors are multiplied by G. The skeleton is taken by pivoted QR, as in the
interpolative decomposition of Cheng, Gimbutas, Martinsson and Rokhlin (2005, "On the compression
of low rank matrices", section 3), and grows until the error of λ D_α, which bounds that of the
predictions in units of the targets' norm, is below a tolerance for every λ and α.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

TOLERANCE = 1e-7  # of float32; in float64 every alpha has its own product
MOST_GROWTH = 8.0  # of rounding errors, by the combination


@dataclass(frozen=True, eq=False)
class AlphaGrid:
    """Alphas as factors of the coordinates of one basis.

    Parameters
    ----------
    factors : array of float64, shape (n_alphas, n_components)
        (1 + α) / (λ + α), of size 1, whatever alpha is; λ and α over λ_max.
    size : array of float64, shape (n_alphas,)
        1 / (1 + α): what weights from these factors are to be multiplied with.
    skeleton : array of int, shape (n_products,)
        Alphas whose vectors are multiplied.
    combine : array of float64 or None, shape (n_alphas, n_products)
        C; None where each alpha is multiplied for itself.
    growth : array of float64, shape (n_alphas,)
        Σ|C| of each alpha, 1 or more.
    """

    factors: np.ndarray
    size: np.ndarray
    skeleton: np.ndarray
    combine: np.ndarray | None
    growth: np.ndarray

    def combine_forms(self, forms: np.ndarray) -> np.ndarray:
        """Return the quadratic form of each alpha from those of all pairs of the skeleton.

        Parameters
        ----------
        forms : array of float64, shape (n_targets, n_products, n_products)
            Of a triangle, so that they need not be symmetric.

        Returns
        -------
        squares : array of float64, shape (n_alphas, n_targets)
        """
        if self.combine is None:
            return np.diagonal(forms, axis1=1, axis2=2).T
        pairs = self.combine[:, :, None] * self.combine[:, None]
        return np.asarray(pairs.reshape(len(pairs), -1) @ forms.reshape(len(forms), -1).T)


def make_grid(values: np.ndarray, alphas: np.ndarray, dtype: np.dtype) -> AlphaGrid:
    """Return alphas as factors, with a skeleton where that saves products.

    Parameters
    ----------
    values : array of float64, shape (n_components,)
        λ / λ_max.
    alphas : array of float64, shape (n_alphas,)
        α / λ_max, positive.
    dtype : float32 or float64
        Of the products.
    """
    from scipy.linalg import qr, solve_triangular

    factors = (1 + alphas[:, None]) / (values + alphas[:, None])
    size = 1 / (1 + alphas)
    every, ones = np.arange(len(alphas)), np.ones(len(alphas))
    whole = AlphaGrid(factors, size, every, None, ones)
    if dtype != np.float32 or len(alphas) < 3:
        return whole
    wanted = factors * values
    if not wanted.any():
        return whole
    triangle, order = qr(wanted.T, mode="r", pivoting=True, check_finite=False)
    for n in range(1, min(len(alphas), len(values))):
        if abs(triangle[n, n]) > TOLERANCE * np.sqrt(len(values)):
            continue
        combine = np.zeros((len(alphas), n))
        combine[order[:n]] = np.eye(n)
        combine[order[n:]] = solve_triangular(triangle[:n, :n], triangle[:n, n:]).T
        error = np.abs(combine @ wanted[order[:n]] - wanted).max()
        growth = np.abs(combine).sum(axis=1)
        if error < TOLERANCE and growth.max() < MOST_GROWTH:
            return AlphaGrid(factors, size, order[:n], combine, np.maximum(growth, 1.0))
    return whole
