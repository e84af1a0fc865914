"""Nulls of time series: predictions given to the wrong times, all permutations by matrix products.

A score needs no permuted prediction, only its product with the responses; that is linear in

blocks          the products of every block of the prediction with every block of the responses,
                of which a permutation of blocks sums one per row and column;
circular_shift  the circular cross-correlation, of which a shift is one entry (one FFT for all);
phases          the cross-spectrum, whose phases are turned (Prichard and Theiler 1994): with C the
                cross-spectrum and a the angles, sum over f of Re C cos a - Im C sin a.

So a thousand permutations of all voxels are one matrix product per stretch of time, or one FFT.
Nothing crosses the edge of a segment (a stretch of scans of one run), and each is drawn on its
own. Draws are the same for all voxels (what the maximum over voxels needs), and follow from the
seed and the segment's number alone, so that voxels may come in blocks.

exchange        for trials: whole units change places within their part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from neurodecode.numerics.statistics import count_orders, list_exchangeable, shuffle_units

Kind = Literal["exchange", "blocks", "circular_shift", "phases"]
FEWEST_BLOCKS = 5
CROSSED = float(np.sqrt(2))


@dataclass(frozen=True)
class Null:
    """How predictions are given to the wrong times.

    Parameters
    ----------
    kind : {"exchange", "blocks", "circular_shift", "phases"}
    n_permutations : int
    seed : int
    block_rows : int
        Of "blocks": the least length of a block.
    gap_rows : int
        Of "circular_shift": shifts left out on either side of 0.
    stretch : float
        By which null scores are widened about their mean: CROSSED where parts train each other's
        models (voxel_scores.py), else 1.
    """

    kind: Kind
    n_permutations: int
    seed: int = 0
    block_rows: int = 1
    gap_rows: int = 0
    stretch: float = 1.0

    def count_distinct(self, segments: Sequence[np.ndarray], units: np.ndarray | None) -> float:
        """Return how many permutations there are, infinite where above 1e15."""
        from scipy.special import gammaln

        if self.kind == "phases":
            return float("inf") if any(len(rows) > 2 for rows in segments) else 1.0
        if self.kind == "exchange":
            return count_orders(list_units(segments, units))
        if self.kind == "blocks":
            sizes = [cut_blocks(len(rows), self.block_rows)[0] for rows in segments]
            logs = sum(float(gammaln(n + 1)) for n in sizes)
        else:
            logs = sum(np.log(len(rows) - 2 * self._limit_gap(len(rows))) for rows in segments)
        return float(np.round(np.exp(logs))) if logs < np.log(1e15) else float("inf")

    def _limit_gap(self, n_rows: int) -> int:
        """Return the shifts left out on either side: of a short segment, all but one or two."""
        return min(self.gap_rows, (n_rows - 1) // 2)

    def multiply(
        self, x: np.ndarray, y: np.ndarray, number: int, units: np.ndarray | None = None
    ) -> np.ndarray:
        """Return the products of permuted predictions with the responses of one segment.

        Parameters
        ----------
        x, y : arrays of float64, shape (n_rows, n_voxels)
            Predictions and responses in the order of time, about the mean of their part.
        number : int
            Of the segment, which gives it its own draws.
        units : array of int, shape (n_rows,), or None
            Of "exchange": units of independence; rows where None.

        Returns
        -------
        products : array of float64, shape (n_permutations, n_voxels)
        """
        rng = np.random.default_rng([self.seed, number])
        if self.kind == "exchange":
            return _exchange(x, y, self.n_permutations, units, rng)
        if self.kind == "blocks":
            orders = draw_blocks(len(x), self.block_rows, self.n_permutations, rng)
            return permute_blocks(x, y, orders)
        if self.kind == "circular_shift":
            gap = self._limit_gap(len(x))
            shifts = rng.integers(gap, len(x) - gap, self.n_permutations)
            return shift_circularly(x, y, shifts)
        return turn_phases(x, y, draw_phases(len(x), self.n_permutations, rng))


def cut_blocks(n_rows: int, block_rows: int) -> tuple[int, int]:
    """Return how many blocks a segment holds, and their length.

    As many blocks of at least ``block_rows`` as there is room for, and then as long as there is
    room for; the fewer than n_blocks rows that are left at the end stay in their place.

    Examples
    --------
    >>> cut_blocks(157, 14)
    (11, 14)
    >>> cut_blocks(150, 13)
    (11, 13)
    """
    n_blocks = max(1, n_rows // block_rows)
    return n_blocks, n_rows // n_blocks


def draw_blocks(
    n_rows: int, block_rows: int, n_permutations: int, rng: np.random.Generator
) -> np.ndarray:
    """Return orders of blocks, shape (n_permutations, n_blocks)."""
    n_blocks, _ = cut_blocks(n_rows, block_rows)
    return np.argsort(rng.random((n_permutations, n_blocks)), axis=1)


def permute_blocks(x: np.ndarray, y: np.ndarray, orders: np.ndarray) -> np.ndarray:
    """Return the products of responses with predictions whose blocks changed places.

    Parameters
    ----------
    x, y : arrays, shape (n_rows, n_voxels)
    orders : array of int, shape (n_permutations, n_blocks)
        ``orders[i, j]`` is the block of x that comes to place j.

    Examples
    --------
    >>> x, y = np.array([[1.0], [2], [3], [4]]), np.array([[1.0], [1], [0], [10]])
    >>> permute_blocks(x, y, np.array([[0, 1], [1, 0]])).ravel().tolist()
    [43.0, 27.0]
    """
    n_blocks = orders.shape[1]
    length = len(x) // n_blocks
    whole = n_blocks * length
    ours = x[:whole].reshape(n_blocks, length, -1).transpose(2, 0, 1)
    theirs = y[:whole].reshape(n_blocks, length, -1).transpose(2, 1, 0)
    products = np.matmul(ours, theirs).reshape(x.shape[1], -1).T  # row: block of x and its place
    chosen = np.zeros((len(orders), n_blocks * n_blocks))
    chosen[np.arange(len(orders))[:, None], orders * n_blocks + np.arange(n_blocks)] = 1
    return chosen @ products + (x[whole:] * y[whole:]).sum(axis=0)


def shift_circularly(x: np.ndarray, y: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Return the products of responses with predictions that are late by some rows, cyclically.

    Parameters
    ----------
    x, y : arrays, shape (n_rows, n_voxels)
    shifts : array of int, shape (n_permutations,)

    Examples
    --------
    >>> x, y = np.array([[1.0], [2], [3]]), np.array([[1.0], [0], [10]])
    >>> shift_circularly(x, y, np.array([0, 1])).round(9).ravel().tolist()
    [31.0, 23.0]
    """
    cross = np.conj(np.fft.rfft(x, axis=0)) * np.fft.rfft(y, axis=0)
    return np.fft.irfft(cross, len(x), axis=0)[shifts]


def draw_phases(n_rows: int, n_permutations: int, rng: np.random.Generator) -> np.ndarray:
    """Return angles, shape (n_permutations, n_rows // 2 + 1).

    0 at frequency 0, so that means stay; 0 or pi at the highest of an even number of rows, where
    the spectrum is real.
    """
    angles = rng.uniform(0, 2 * np.pi, (n_permutations, n_rows // 2 + 1))
    angles[:, 0] = 0
    if n_rows % 2 == 0:
        angles[:, -1] = np.where(angles[:, -1] < np.pi, 0, np.pi)
    return angles


def turn_phases(x: np.ndarray, y: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Return the products of responses with predictions whose phases were turned.

    Parameters
    ----------
    x, y : arrays, shape (n_rows, n_voxels)
    angles : array, shape (n_permutations, n_rows // 2 + 1)
        The same for all voxels.
    """
    n = len(x)
    weights = np.full((n // 2 + 1, 1), 2 / n)  # each frequency but these two stands for two
    weights[0] = 1 / n
    if n % 2 == 0:
        weights[-1] = 1 / n
    cross = weights * np.fft.rfft(x, axis=0) * np.conj(np.fft.rfft(y, axis=0))
    return np.cos(angles) @ cross.real - np.sin(angles) @ cross.imag


def list_units(segments: Sequence[np.ndarray], units: np.ndarray | None) -> list[np.ndarray]:
    """Return the sets of units that may change places, as statistics.list_exchangeable does."""
    n = sum(len(rows) for rows in segments)
    strata = np.empty(n, np.int64)
    for number, rows in enumerate(segments):
        strata[rows] = number
    return list_exchangeable(np.arange(n) if units is None else units, strata)


def _exchange(
    x: np.ndarray,
    y: np.ndarray,
    n_permutations: int,
    units: np.ndarray | None,
    rng: np.random.Generator,
) -> np.ndarray:
    places = list_exchangeable(
        np.arange(len(x)) if units is None else units, np.zeros(len(x), np.int64)
    )
    products = np.empty((n_permutations, x.shape[1]))
    for i in range(n_permutations):
        np.einsum("ij,ij->j", x[shuffle_units(places, len(x), rng)], y, out=products[i])
    return products
