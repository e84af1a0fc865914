"""Correlations, bootstrap intervals, permutation p-values and their corrections.

Resampling is over units of independence: rows of one unit (all presentations of a photograph, all
trials of a run) are drawn together.

Sources: the expanded percentile interval is Hesterberg 2015, The American Statistician 69(4),
section 4.3; p = (1 + b) / (1 + m) is Phipson and Smyth 2010; the false discovery rate is Benjamini
and Hochberg 1995, under any dependence Benjamini and Yekutieli 2001; the maximum statistic is
Nichols and Holmes 2002.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Interval = tuple[float, float]
BLOCK = 200  # bootstrap draws held in memory at once


def link_rows(columns: Sequence[np.ndarray]) -> np.ndarray:
    """Group rows that share a value in any of the columns, directly or through others.

    Parameters
    ----------
    columns : sequence of arrays of str, each of shape (n_rows,)
        Empty text names nothing and links nothing.

    Returns
    -------
    groups : array of int, shape (n_rows,)
        Numbered in the order of their first row.

    Examples
    --------
    >>> link_rows([np.array(["a", "b", "c", "d"]), np.array(["x", "y", "y", ""])])
    array([0, 1, 1, 2])
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    n = len(columns[0])
    starts, ends, n_nodes = [], [], n
    for column in columns:
        text = np.asarray(column).astype(str)
        names, code = np.unique(text, return_inverse=True)
        named = text != ""
        starts.append(np.flatnonzero(named))
        ends.append(n_nodes + code[named])  # a node for each value; rows are linked through it
        n_nodes += len(names)
    start, end = np.concatenate(starts), np.concatenate(ends)
    graph = coo_matrix((np.ones(len(start), bool), (start, end)), shape=(n_nodes, n_nodes))
    labels = connected_components(graph, directed=False)[1][:n]
    return number_groups(labels)


def number_groups(labels: np.ndarray) -> np.ndarray:
    """Return labels as whole numbers, in the order of their first row.

    Examples
    --------
    >>> number_groups(np.array(["b", "a", "b"]))
    array([0, 1, 0])
    """
    _, first, code = np.unique(labels, return_index=True, return_inverse=True)
    order = np.empty(len(first), np.int64)
    order[np.argsort(first, kind="stable")] = np.arange(len(first))
    return order[code]


def correlate_columns(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Pearson correlation of each column of one array with that of the other.

    Parameters
    ----------
    first, second : arrays, shape (n_rows, n_columns)

    Returns
    -------
    r : array, shape (n_columns,)
        NaN where a column is constant.
    """
    x = standardize_columns(np.asarray(first, np.float64))
    y = standardize_columns(np.asarray(second, np.float64))
    return np.clip((x * y).sum(axis=0), -1, 1)


def standardize_columns(values: np.ndarray) -> np.ndarray:
    """Centre columns and scale them to unit length; constant columns become NaN."""
    constant = np.ptp(values, axis=0) == 0
    centred = values - values.mean(axis=0)
    length = np.where(constant, np.nan, np.sqrt((centred**2).sum(axis=0)))
    return centred / length


def average_fisher_z(r: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Average correlations over the first axis as tanh(mean(arctanh(r))).

    Correlations of exactly one are taken as 1 - 1e-12, so that a perfect fold stays finite.

    Parameters
    ----------
    r : array, shape (n_groups, ...)
        NaN is left out; all NaN gives NaN.
    weights : array, shape (n_groups,), or None

    Examples
    --------
    >>> average_fisher_z(np.array([0.5, 0.5, np.nan])).round(3)
    np.float64(0.5)
    """
    z = np.arctanh(np.clip(r, -1 + 1e-12, 1 - 1e-12))
    w = np.ones(len(r)) if weights is None else np.asarray(weights, np.float64)
    w = np.where(np.isfinite(z), w.reshape(-1, *(1,) * (z.ndim - 1)), 0.0)
    total = w.sum(axis=0)
    mean = np.where(w > 0, z, 0.0) * w
    return np.tanh(mean.sum(axis=0) / np.where(total > 0, total, np.nan))


def bootstrap_counts(n_units: int, n_bootstrap: int, rng: np.random.Generator) -> np.ndarray:
    """Draw units with replacement.

    Returns
    -------
    counts : array, shape (n_bootstrap, n_units)
        How often each unit was drawn.
    """
    return rng.multinomial(n_units, np.full(n_units, 1 / n_units), size=n_bootstrap)


def read_interval(draws: np.ndarray, n_units: int, level: float = 0.95) -> Interval:
    """Return the expanded percentile interval of bootstrap draws.

    The plain percentile interval is too narrow with few units. Its tail probability is replaced by
    that of Student's t with n - 1 degrees of freedom, corrected by sqrt(n / (n - 1)); with many
    units the two are the same.

    Parameters
    ----------
    draws : array, shape (n_bootstrap,)
    n_units : int
        With fewer than two there is no interval: NaN.
    """
    from scipy.stats import norm, t

    draws = draws[np.isfinite(draws)]
    if n_units < 2 or not len(draws):
        return float("nan"), float("nan")
    reach = np.sqrt(n_units / (n_units - 1)) * t.ppf((1 - level) / 2, n_units - 1)
    tail = norm.cdf(reach)
    low, high = np.quantile(draws, [tail, 1 - tail])
    return float(low), float(high)


def bootstrap_mean(
    values: np.ndarray,
    units: np.ndarray,
    *,
    n_bootstrap: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Bootstrap interval of a mean, resampling units of independence.

    Parameters
    ----------
    values : array, shape (n_rows,)
        NaN rows are left out.
    units : array, shape (n_rows,)
        Rows of one unit are drawn together.

    Returns
    -------
    low, high : float
        NaN with fewer than two units.
    """
    kept = np.isfinite(values)
    if not kept.any():
        return float("nan"), float("nan")
    code = number_groups(units[kept])
    sums = np.bincount(code, weights=values[kept])
    sizes = np.bincount(code)
    rng = np.random.default_rng(seed)
    draws = []
    for start in range(0, n_bootstrap, BLOCK):
        counts = bootstrap_counts(len(sizes), min(BLOCK, n_bootstrap - start), rng)
        draws.append((counts @ sums) / (counts @ sizes))
    return read_interval(np.concatenate(draws), len(sizes), level)


def bound_share(value: float, n_units: int, level: float = 0.95) -> Interval:
    """Return an interval of a share that was 0 or 1 in every unit, where a bootstrap has no width.

    The mean share is no smaller than the probability that a unit is right throughout, whose bound
    after n of n is ((1 - level) / 2)^(1 / n) (Clopper and Pearson 1934).

    Examples
    --------
    >>> bound_share(1.0, 12)[0].__round__(3)
    0.735
    """
    bound = ((1 - level) / 2) ** (1 / n_units)
    return (bound, 1.0) if value == 1 else (0.0, 1 - bound)


def compute_p(null: np.ndarray, observed: float, *, lower_is_better: bool = False) -> float:
    """One-sided p-value (1 + #{null at least as good}) / (1 + n), never zero.

    Examples
    --------
    >>> compute_p(np.array([0.1, 0.2, 0.9]), 0.5)
    0.5
    """
    null = np.asarray(null, np.float64)
    null = null[np.isfinite(null)]
    if not np.isfinite(observed) or not len(null):
        return float("nan")
    # Equal values that differ by rounding count as equal.
    slack = 1e-12 * max(1.0, abs(observed))
    hits = null <= observed + slack if lower_is_better else null >= observed - slack
    return float((1 + hits.sum()) / (1 + len(null)))


def count_p(null: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """One-sided p-values (1 + #{null at least as large}) / (1 + n) of each column."""
    hits = (null >= observed - 1e-12).sum(axis=0)
    return np.where(np.isfinite(observed), (1 + hits) / (1 + len(null)), np.nan)


def permute_signs(
    differences: np.ndarray, units: np.ndarray, *, n_permutations: int = 5000, seed: int = 0
) -> float:
    """Two-sided p-value of a mean paired difference, by flipping the signs of units.

    Parameters
    ----------
    differences : array, shape (n_rows,)
    units : array, shape (n_rows,)
        All rows of a unit flip together.
    """
    kept = np.isfinite(differences)
    if not kept.any():
        return float("nan")
    sums = np.bincount(number_groups(units[kept]), weights=differences[kept])
    rng = np.random.default_rng(seed)
    null = []
    for start in range(0, n_permutations, BLOCK):
        size = (min(BLOCK, n_permutations - start), len(sums))
        null.append(np.abs(rng.choice([-1.0, 1.0], size=size) @ sums))
    return compute_p(np.concatenate(null), abs(float(sums.sum())))


def control_fdr(p: np.ndarray, *, dependent: bool = False) -> np.ndarray:
    """q-values of the false discovery rate; NaN stay NaN and are not counted as tests.

    Parameters
    ----------
    p : array, shape (n_targets,)
    dependent : bool
        Benjamini-Yekutieli, which holds under any dependence; else Benjamini-Hochberg, which
        holds for independent and for positively dependent tests.
    """
    from scipy.stats import false_discovery_control

    q = np.full(p.shape, np.nan)
    tested = np.isfinite(p)
    if tested.any():
        q[tested] = false_discovery_control(p[tested], method="by" if dependent else "bh")
    return q


def correct_by_maximum(null_maxima: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Family-wise p-values from the largest value of each permutation.

    Parameters
    ----------
    null_maxima : array, shape (n_permutations,)
    observed : array, shape (n_targets,)
        NaN stay NaN.
    """
    ordered = np.sort(null_maxima)
    hits = len(ordered) - np.searchsorted(ordered, observed - 1e-12, side="left")
    return np.where(np.isfinite(observed), (1 + hits) / (1 + len(ordered)), np.nan)


def shuffle_units(
    exchangeable: Sequence[np.ndarray], n_rows: int, rng: np.random.Generator
) -> np.ndarray:
    """Return a random order of rows that exchanges whole units.

    Parameters
    ----------
    exchangeable : sequence of arrays
        From list_exchangeable. The order of rows inside a unit stays.

    Returns
    -------
    order : array of int, shape (n_rows,)
        ``data[order]`` is the shuffled data.
    """
    order = np.arange(n_rows)
    for places in exchangeable:
        order[places.ravel()] = places[rng.permutation(len(places))].ravel()
    return order


def list_exchangeable(units: np.ndarray, strata: np.ndarray) -> list[np.ndarray]:
    """Return the sets of units that may change places: those of one stratum, equal in size.

    Parameters
    ----------
    units, strata : arrays, shape (n_rows,)
        A unit that lies in several strata counts as one unit in each.

    Returns
    -------
    sets : list of arrays of int, each of shape (n_units, n_rows_of_a_unit)
        Row numbers; only sets of two units or more.
    """
    found: dict[tuple[int, int], list[np.ndarray]] = {}
    code = number_groups(units)
    for number, stratum in enumerate(np.unique(strata)):
        rows = np.flatnonzero(strata == stratum)
        rows = rows[np.argsort(code[rows], kind="stable")]
        for unit in np.split(rows, np.flatnonzero(np.diff(code[rows])) + 1):
            found.setdefault((number, len(unit)), []).append(unit)
    return [np.stack(group) for group in found.values() if len(group) > 1]


def count_orders(exchangeable: Sequence[np.ndarray]) -> float:
    """Return how many distinct orders ``shuffle_units`` can give, infinite where above 1e15."""
    from scipy.special import gammaln

    logs = sum(gammaln(len(places) + 1) for places in exchangeable)
    return float(np.round(np.exp(logs))) if logs < np.log(1e15) else float("inf")
