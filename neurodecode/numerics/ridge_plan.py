"""How much memory a ridge fit takes, and how many targets at a time fit a limit.

Counted are the arrays that a fit holds at its fullest, the features and the block of targets it is
given included; the interpreter and its libraries (some 150 to 300 MB) come on top. With p
features, K splits and P parts (the inner folds), one Gram matrix is 8p² bytes and is held once per
part, about twice per split, and six times while a basis is made. A target costs its column, its
products with the features once per part and twice more, its weights, and its scores.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np

from neurodecode.core.errors import UserError
from neurodecode.numerics.moments import BLOCK_BYTES
from neurodecode.numerics.ridge_basis import SCORED_TARGETS
from neurodecode.numerics.ridge_grid import RidgeOptions

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
    targets, called once per block. Blocks are of about equal size.

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
    size = np.dtype(dtype).itemsize
    kernel = options.solver == "kernel" or (options.solver == "auto" and n_features > n_samples)
    width = min(n_features, n_samples)  # coordinates of a target
    fixed = size * n_samples * n_features + 2 * BLOCK_BYTES
    fixed += SCORED_TARGETS * n_features * size * (2 * n_alphas + 8)
    if kernel:
        # The kernel of all rows, and per split the dual basis and the held-out coordinates.
        fixed += 8 * n_samples**2 * (n_folds * 2 + 6) + 8 * n_samples * 4096
        per_target = size * n_samples + 8 * (3 * n_samples + 3 * width + n_features)
    else:
        fixed += 8 * n_features**2 * (3 * n_folds + 8)
        per_target = size * n_samples + 8 * n_features * (n_folds + 3)
    per_target += size * n_features + 8 * 3 * n_alphas + 64 + extra_target_bytes
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
