"""How much memory a ridge fit takes, and how many targets at a time fit a limit.

Counted are the arrays that a fit holds at its fullest, the features and the block of targets it is
given included; the interpreter and its libraries (some 150 to 300 MB) come on top. With p
features and K inner folds, Gram matrices, bases and the work of making them take 3K + 8 times 8p²
bytes. A target costs its column, its products with the features once per fold, its weights, and its
scores. That any number of targets may have to be settled in float64 is allowed for.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np

from neurodecode.core.errors import UserError
from neurodecode.numerics.moments import BLOCK_BYTES, SINGLE_ROWS
from neurodecode.numerics.ridge_basis import SCORED_TARGETS
from neurodecode.numerics.ridge_grid import EXACT_TARGETS, RidgeOptions
from neurodecode.numerics.ridge_problem import READ_TARGETS

DEFAULTS = RidgeOptions()


@dataclass(frozen=True)
class RidgePlan:
    """Memory of a fit, block of targets by block of targets.

    Parameters
    ----------
    block_targets : int
        Targets per block; the last block may hold fewer.
    n_blocks : int
    fixed_bytes : int
        What does not grow with the targets, the features included.
    target_bytes : int
        What each target of a block adds, its column of the responses included.
    peak_bytes : int
        The most that is held at once.
    """

    block_targets: int
    n_blocks: int
    fixed_bytes: int
    target_bytes: int
    peak_bytes: int

    def describe(self, unit: str = "voxels") -> str:
        """Return the plan as one sentence.

        Examples
        --------
        >>> RidgePlan(25_000, 8, 10**9, 84_000, 3_100_000_000).describe()
        'needs 3.1 GB, will use 8 blocks of 25,000 voxels'
        """
        blocks = "1 block" if self.n_blocks == 1 else f"{self.n_blocks:,} blocks"
        return (
            f"needs {format_bytes(self.peak_bytes)}, will use {blocks} of "
            f"{self.block_targets:,} {unit}"
        )


def format_bytes(n: float) -> str:
    """Return a number of bytes in GB or MB, of 1e9 and 1e6 bytes."""
    return f"{n / 1e9:.1f} GB" if n >= 1e9 else f"{n / 1e6:.0f} MB"


def plan_ridge(
    n_samples: int,
    n_features: int,
    n_targets: int,
    n_folds: int,
    n_alphas: int,
    limit_bytes: int,
    options: RidgeOptions = DEFAULTS,
    *,
    dtype: np.dtype | type = np.float32,
    extra_target_bytes: int = 0,
) -> RidgePlan:
    """Say how much memory a cross-validated fit takes, in blocks of targets that fit a limit.

    The plan holds for ``fit_ridge_cv`` on all features and ``block_targets`` columns of the
    targets, called once per block, or for the ``fit`` of ``prepare_ridge_cv``, which does what
    concerns the features once. Blocks are of about equal size. It counts the machine's memory, not
    that of a GPU.

    Parameters
    ----------
    n_samples : int
        Rows of the features and targets held, test rows included.
    n_features, n_targets : int
    n_folds : int
        Inner folds; 1 for validation rows or a given alpha.
    n_alphas : int
        Of the grid, with what it may be extended by.
    limit_bytes : int
        The most to hold at once.
    options : RidgeOptions
        Of the fit; its solver decides between Gram and kernel matrices.
    dtype : numpy dtype
        Of the features, the targets and the weights.
    extra_target_bytes : int
        What the caller holds per target of a block beside the fit (predictions, say).

    Returns
    -------
    plan : RidgePlan

    Raises
    ------
    UserError
        Not even a block of 64 targets (or all of them, where there are fewer) fits.

    Examples
    --------
    >>> plan = plan_ridge(9000, 768, 200_000, 5, 10, 2_000_000_000)
    >>> plan.peak_bytes <= 2_000_000_000
    True
    """
    shape = n_samples, n_features, n_targets
    if options.solver == "kernel" or (options.solver == "auto" and n_features > n_samples):
        fixed, per_target = _count_kernel(*shape, n_folds, n_alphas, np.dtype(dtype).itemsize)
    else:
        fixed, per_target = _count_primal(*shape, n_folds, n_alphas, np.dtype(dtype).itemsize)
    per_target += extra_target_bytes
    least = min(64, n_targets)
    if fixed + least * per_target > limit_bytes:
        raise UserError(
            f"ridge: {n_samples:,} samples x {n_features:,} features need "
            f"{format_bytes(fixed + least * per_target)} for {least} targets at a time, and the "
            f"limit is {format_bytes(limit_bytes)}. Raise the limit, or reduce the features "
            "(features.pca)."
        )
    most = min(n_targets, (limit_bytes - fixed) // per_target)
    n_blocks = ceil(n_targets / most)
    block = ceil(n_targets / n_blocks)
    return RidgePlan(block, n_blocks, fixed, per_target, fixed + block * per_target)


def _count_primal(
    n_samples: int, n_features: int, n_targets: int, n_folds: int, n_alphas: int, size: int
) -> tuple[int, int]:
    """Return the bytes that are held whatever the targets, and those of each target."""
    n, p = n_samples, n_features
    fixed = size * n * p + min(BLOCK_BYTES, 8 * n * p) + 2 * size * min(n, SINGLE_ROWS) * p
    fixed += 8 * p**2 * (3 * n_folds + 8)
    exact = min(EXACT_TARGETS, n_targets) * (size * n + 8 * p * (n_folds + 1)) + 2 * BLOCK_BYTES
    chunk = min(READ_TARGETS, n_targets) * 8 * p * 4
    fixed += max(exact, chunk) + _count_scoring(p, n_targets, n_alphas, size)
    # The column, a row block of it, its products by part and one more, its weights.
    per_target = size * (n + min(n, SINGLE_ROWS)) + 8 * p * n_folds + 2 * size * p
    return fixed, per_target + _count_scores(n_alphas)


def _count_kernel(
    n_samples: int, n_features: int, n_targets: int, n_folds: int, n_alphas: int, size: int
) -> tuple[int, int]:
    n, p = n_samples, n_features
    fixed = size * n * p + 2 * 8 * n * min(p, 4096)
    fixed += 8 * n**2 * (2 * n_folds + 6)
    fixed += min(EXACT_TARGETS, n_targets) * 8 * (4 * n + 2 * p)
    fixed += _count_scoring(min(n, p), n_targets, n_alphas, size)
    return fixed, size * (n + p) + _count_scores(n_alphas)


def _count_scoring(width: int, n_targets: int, n_alphas: int, size: int) -> int:
    return min(SCORED_TARGETS, n_targets) * width * size * (2 * n_alphas + 8)


def _count_scores(n_alphas: int) -> int:
    """Return the bytes of a target's scores, their bounds, and what they are taken from."""
    return 8 * 10 * n_alphas + 1024
