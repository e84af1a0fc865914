"""Which feature space explains what: product measure, and inclusion-exclusion over subsets.

Product measure (Pratt 1987; Dupré la Tour et al. 2022, NeuroImage 264, 119728, eq. 15 and 16): a
joint model's predictions are a sum over bands, ŷ = Σ_b ŷ_b, and so are its scores,

    R² = Σ_b [ŷ_bᵀ(2y - ŷ)] / yᵀy,      r = Σ_b [ŷ_bᵀy / (||ŷ|| ||y||)].

Variance partitioning (commonality analysis; Lescroart, Stansbury and Gallant 2015, Frontiers in
Computational Neuroscience 9, 135): models of all subsets S of bands have scores f(S). What exactly
the bands in T have in common, C(T), solves f(S) = Σ_{T ∩ S ≠ ∅} C(T):

    C(T) = Σ_{R ⊆ T} (-1)^(|T| - |R|) [f(all) - f(all without R)].

Either is a ratio of sums over held-out rows, so that a bootstrap draw of units of independence is
one matrix product, the same draw for all bands and subsets. Rows are centred on the mean of their
held-out part once; drawing units does not move it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from neurodecode.numerics.statistics import BLOCK, average_fisher_z, bootstrap_counts

Metric = Literal["r", "r2"]
Subset = frozenset[str]
LEAST_UNITS = 3  # in a held-out part, for units to be drawn within it


@dataclass(frozen=True, eq=False)
class UnitSums:
    """Sums over the rows of each unit within each held-out part.

    Parameters
    ----------
    part : array of int, shape (n_units,)
        The part that each unit lies in, from 0.
    total : array of float64, shape (n_units, n_voxels)
        Σ y², y about the mean of its part.
    """

    part: np.ndarray
    total: np.ndarray


@dataclass(frozen=True, eq=False)
class BandSums(UnitSums):
    """Of predictions by band.

    Parameters
    ----------
    cross : array of float64, shape (n_bands, n_units, n_voxels)
        Of r: Σ ŷ_b y, all about the mean of their part. Of R²: Σ ŷ_b (2y - ŷ), all about the mean
        of the part's responses, of which each band takes an equal share.
    square : array of float64, shape (n_units, n_voxels)
        Σ ŷ², about the mean of its part.
    """

    cross: np.ndarray
    square: np.ndarray


@dataclass(frozen=True, eq=False)
class ErrorSums(UnitSums):
    """Of predictions by subset of bands.

    Parameters
    ----------
    errors : mapping of subset to array of float64, shape (n_units, n_voxels)
        Σ (y - ŷ)².
    """

    errors: Mapping[Subset, np.ndarray]


def sum_bands(
    predicted: np.ndarray,
    measured: np.ndarray,
    parts: np.ndarray,
    units: np.ndarray,
    metric: Metric,
) -> BandSums:
    """Return what split scores are made of.

    Parameters
    ----------
    predicted : array, shape (n_bands, n_rows, n_voxels)
    measured : array, shape (n_rows, n_voxels)
    parts : array of int, shape (n_rows,)
        Fold or run within which a score is taken, from 0.
    units : array of int, shape (n_rows,)
        Unit of independence.
    """
    labels, row_unit = _number_units(parts, units)
    y = _centre(np.asarray(measured, np.float64), parts)
    mean = np.asarray(measured, np.float64) - y
    bands = np.asarray(predicted, np.float64)
    if metric == "r":
        bands = np.stack([_centre(band, parts) for band in bands])
        whole = bands.sum(axis=0)
        cross = np.stack([_sum_units(band * y, row_unit) for band in bands])
    else:
        bands = bands - mean / len(bands)
        whole = bands.sum(axis=0)
        cross = np.stack([_sum_units(band * (2 * y - whole), row_unit) for band in bands])
    return BandSums(labels, _sum_units(y**2, row_unit), cross, _sum_units(whole**2, row_unit))


def split_scores(sums: BandSums, metric: Metric, counts: np.ndarray | None = None) -> np.ndarray:
    """Return each band's share of the joint score; over bands they sum to it.

    r is taken within each part and averaged by Fisher's z. A band's share is weighed by the same
    chords, Σ_p (arctanh(r_p) / r_p) c_pb, so that shares keep their sum.

    Parameters
    ----------
    counts : array or None, shape (n_units,)
        How often each unit was drawn.

    Returns
    -------
    scores : array, shape (n_bands, n_voxels)
        NaN where the voxel never varies. A share can be negative.
    """
    weights = np.ones(len(sums.part)) if counts is None else counts
    if metric == "r2":
        total = weights @ sums.total
        return (weights @ sums.cross) / np.where(total > 0, total, np.nan)
    n_parts = int(sums.part.max()) + 1
    of_part = np.where(sums.part == np.arange(n_parts)[:, None], weights, 0.0)
    length = np.sqrt((of_part @ sums.square) * (of_part @ sums.total))
    known = length > 0
    shares = (of_part @ sums.cross) / np.where(known, length, np.nan)  # (bands, parts, voxels)
    r = np.clip(shares.sum(axis=0), -1 + 1e-12, 1 - 1e-12)
    chord = np.where(np.abs(r) > 1e-6, np.arctanh(r) / np.where(r == 0, 1.0, r), 1.0)
    joint = average_fisher_z(r)
    z = np.arctanh(joint)
    back = np.where(np.abs(z) > 1e-6, joint / np.where(z == 0, 1.0, z), 1.0)
    n = np.where(known.any(axis=0), known.sum(axis=0), np.nan)
    return back * np.where(known, chord * shares, 0.0).sum(axis=1) / n


def sum_errors(
    predicted: Mapping[Subset, np.ndarray],
    measured: np.ndarray,
    parts: np.ndarray,
    units: np.ndarray,
) -> ErrorSums:
    """Return what variance partitioning is made of.

    Parameters
    ----------
    predicted : mapping of subset to array, shape (n_rows, n_voxels)
    measured : array, shape (n_rows, n_voxels)
    parts, units : arrays of int, shape (n_rows,)
    """
    labels, row_unit = _number_units(parts, units)
    y = np.asarray(measured, np.float64)
    total = _sum_units(_centre(y, parts) ** 2, row_unit)
    errors = {
        subset: _sum_units((y - np.asarray(guess, np.float64)) ** 2, row_unit)
        for subset, guess in predicted.items()
    }
    return ErrorSums(labels, total, errors)


def score_subsets(sums: ErrorSums, counts: np.ndarray | None = None) -> dict[Subset, np.ndarray]:
    """Return R² of each subset's model, (n_voxels,) each; NaN where the voxel never varies."""
    weights = np.ones(len(sums.part)) if counts is None else counts
    total = weights @ sums.total
    total = np.where(total > 0, total, np.nan)
    return {subset: 1 - (weights @ errors) / total for subset, errors in sums.errors.items()}


def list_subsets(bands: Sequence[str]) -> list[Subset]:
    """Return all subsets of bands but the empty one, small ones first.

    Examples
    --------
    >>> [sorted(s) for s in list_subsets(["a", "b"])]
    [['a'], ['b'], ['a', 'b']]
    """
    return [
        frozenset(chosen) for n in range(1, len(bands) + 1) for chosen in combinations(bands, n)
    ]


def partition_variance(
    scores: Mapping[Subset, np.ndarray], bands: Sequence[str]
) -> dict[Subset, np.ndarray]:
    """Return what exactly the bands of each subset have in common, by inclusion and exclusion.

    Parameters
    ----------
    scores : mapping of subset to array
        R² of the models of all subsets of the bands but the empty one.
    bands : sequence of str

    Returns
    -------
    parts : dict of subset to array
        Of one band: its unique variance, R² of all bands minus R² of the others. They sum to the
        R² of all bands. Parts can be negative: by suppression, or by what a band that explains
        nothing costs in held-out data.

    Examples
    --------
    >>> a, b, ab = frozenset("a"), frozenset("b"), frozenset("ab")
    >>> parts = partition_variance({a: 0.3, b: 0.2, ab: 0.4}, ["a", "b"])
    >>> {"".join(sorted(part)): round(float(v), 3) for part, v in parts.items()}
    {'a': 0.2, 'b': 0.1, 'ab': 0.1}
    """
    every = frozenset(bands)
    # what is lost when the bands of R are left out: all parts that lie within R
    lost = {
        subset: scores[every] - (scores[every - subset] if every - subset else 0.0)
        for subset in list_subsets(bands)
    }
    return {
        subset: np.asarray(
            sum(
                (-1) ** (len(subset) - len(inner)) * value
                for inner, value in lost.items()
                if inner <= subset
            )
        )
        for subset in lost
    }


def find_unique_p(
    sums: ErrorSums, band: str, bands: Sequence[str], n_permutations: int, seed: int
) -> np.ndarray:
    """Return the p-value of a band's unique variance: units' gains with their signs flipped.

    Returns
    -------
    p : array, shape (n_voxels,)
        One-sided, (1 + b) / (1 + n_permutations); NaN where the voxel never varies.
    """
    rng = np.random.default_rng(seed)
    every = frozenset(bands)
    gains = sums.errors[every - {band}] - sums.errors[every]
    if np.bincount(sums.part).min() < LEAST_UNITS:  # what is drawn: whole parts
        gains = np.stack([gains[sums.part == p].sum(axis=0) for p in np.unique(sums.part)])
    observed, slack = gains.sum(axis=0), 1e-12 * np.abs(gains).sum(axis=0)
    hits = np.zeros(gains.shape[1])
    for start in range(0, n_permutations, BLOCK):
        size = (min(BLOCK, n_permutations - start), len(gains))
        hits += (rng.choice([-1.0, 1.0], size=size) @ gains >= observed - slack).sum(axis=0)
    varies = sums.total.sum(axis=0) > 0
    return np.where(varies, (1 + hits) / (1 + n_permutations), np.nan)


def draw_units(sums: UnitSums, n_bootstrap: int, seed: int) -> Iterator[np.ndarray]:
    """Yield how often each unit was drawn, (n_units,) for each draw.

    Units are drawn within their part; where a part holds fewer than three, whole parts are.
    """
    rng = np.random.default_rng(seed)
    sizes = np.bincount(sums.part)
    for start in range(0, n_bootstrap, BLOCK):
        n = min(BLOCK, n_bootstrap - start)
        counts = np.zeros((n, len(sums.part)))
        if sizes.min() < LEAST_UNITS:
            counts = bootstrap_counts(len(sizes), n, rng)[:, sums.part].astype(np.float64)
        else:
            for part, size in enumerate(sizes):
                counts[:, sums.part == part] = bootstrap_counts(int(size), n, rng)
        yield from counts


def count_units(sums: UnitSums) -> int:
    """Return how many units, or parts, ``draw_units`` draws from."""
    sizes = np.bincount(sums.part)
    return len(sizes) if sizes.min() < LEAST_UNITS else len(sums.part)


def bootstrap_regions(
    compute: Callable[[np.ndarray], np.ndarray],
    sums: UnitSums,
    regions: Sequence[np.ndarray],
    n_bootstrap: int,
    seed: int,
) -> np.ndarray:
    """Return draws of the mean over regions of several values per voxel.

    Parameters
    ----------
    compute : callable
        Gives values of shape (n_values, n_voxels) for counts of shape (n_units,).
    regions : sequence of array of bool, each of shape (n_voxels,)

    Returns
    -------
    draws : array, shape (n_bootstrap, n_regions, n_values)
    """
    masks = np.stack(regions).astype(np.float64)
    draws = []
    for counts in draw_units(sums, n_bootstrap, seed):
        values = compute(counts)
        known = np.isfinite(values)
        n = masks @ known.T
        draws.append((masks @ np.where(known, values, 0.0).T) / np.where(n > 0, n, np.nan))
    return np.stack(draws)


def _number_units(parts: np.ndarray, units: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the part of each unit, and the unit of each row; a unit in two parts counts twice."""
    pairs, row_unit = np.unique(np.stack([parts, units]), axis=1, return_inverse=True)
    return pairs[0].astype(int), np.ravel(row_unit)


def _sum_units(values: np.ndarray, row_unit: np.ndarray) -> np.ndarray:
    order = np.argsort(row_unit, kind="stable")
    starts = np.flatnonzero(np.diff(row_unit[order], prepend=-1))
    return np.add.reduceat(values[order], starts, axis=0)


def _centre(values: np.ndarray, parts: np.ndarray) -> np.ndarray:
    out = np.empty_like(values)
    for part in np.unique(parts):
        rows = parts == part
        # A constant column minus its mean is rounding error, not variance.
        constant = np.ptp(values[rows], axis=0) == 0
        out[rows] = np.where(constant, 0.0, values[rows] - values[rows].mean(axis=0))
    return out
