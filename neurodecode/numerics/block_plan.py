"""How many voxels are fitted at a time, so that a fit keeps to a limit of memory.

The grid follows from shapes and the limit alone: whoever computes, the blocks are the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from neurodecode.numerics.moments import iterate_blocks
from neurodecode.numerics.ridge_blocks import RidgeRows, choose_fold_form
from neurodecode.numerics.ridge_grid import RidgeOptions
from neurodecode.numerics.ridge_problem import SHARED_BYTES

TILE = 2048  # columns of a tile of a stored table: blocks that end with one read nothing twice
FEWEST = 64
RESIDENT_BYTES = 350 * 2**20  # the interpreter, its libraries, and buffers of fixed size


@dataclass(frozen=True)
class BlockPlan:
    """A grid of blocks of voxels, and the memory that it takes.

    Parameters
    ----------
    blocks : tuple of slice
        Of the voxels, in order.
    peak_bytes : int
        About what the process takes in all.
    limit_bytes : int
    n_voxels : int
    """

    blocks: tuple[slice, ...]
    peak_bytes: int
    limit_bytes: int
    n_voxels: int

    @property
    def words(self) -> str:
        """Return the plan as a sentence."""
        gigabytes = self.peak_bytes / 2**30
        if len(self.blocks) == 1:
            text = f"{self.n_voxels:,} voxels in one go, about {gigabytes:.1f} GB of memory"
        else:
            width = self.blocks[0].stop - self.blocks[0].start
            text = (
                f"{self.n_voxels:,} voxels in {len(self.blocks)} blocks of {width:,}, about "
                f"{gigabytes:.1f} GB of memory per worker"
            )
        if self.peak_bytes > self.limit_bytes:
            text += f", more than the limit of {self.limit_bytes / 2**30:.1f} GB"
        return text


def plan_blocks(
    n_voxels: int,
    fixed_bytes: int,
    bytes_per_voxel: int,
    limit_bytes: int,
    width: int | None = None,
) -> BlockPlan:
    """Return the widest blocks that fit; of FEWEST targets where not even these do.

    Parameters
    ----------
    n_voxels : int
    fixed_bytes : int
        Beside the responses: features, and what blocks share.
    bytes_per_voxel : int
    limit_bytes : int
    width : int or None
        Voxels of a block, where that is settled.

    Examples
    --------
    >>> plan_blocks(200_000, 2**28, 150_000, 2**31).words
    '200,000 voxels in 25 blocks of 8,192, about 1.7 GB of memory per worker'
    """
    if width is None:
        room = limit_bytes - RESIDENT_BYTES - fixed_bytes
        width = max(FEWEST, room // bytes_per_voxel)
        if width < n_voxels:
            width = width - width % TILE if width >= TILE else 1 << (width.bit_length() - 1)
    width = min(width, n_voxels)
    peak = RESIDENT_BYTES + fixed_bytes + width * bytes_per_voxel
    return BlockPlan(tuple(iterate_blocks(n_voxels, width)), peak, limit_bytes, n_voxels)


def plan_ridge_blocks(
    rows: RidgeRows,
    n_samples: int,
    n_features: int,
    n_voxels: int,
    n_alphas: int,
    options: RidgeOptions,
    limit_bytes: int,
    *,
    item_bytes: int = 4,
    per_voxel: int = 1,
    width: int | None = None,
) -> BlockPlan:
    """Return the blocks of a voxelwise ridge (ridge_blocks.py).

    Parameters
    ----------
    rows : RidgeRows
    n_samples : int
        Rows that are read.
    item_bytes : int
        Of a value of features and responses.
    per_voxel : int
        Targets of one voxel; more than 1 for epochs.
    width : int or None
        Voxels of a block, where that is settled.
    """
    n_splits = max(len(fold.splits) for fold in rows.folds)
    n_train = max(len(fold.train) for fold in rows.folds)
    n_test = sum(len(fold.test) for fold in rows.folds)
    squares = 8 * n_features**2
    fixed = 2 * item_bytes * n_samples * n_features
    if any(choose_fold_form(n_features, fold, options) == "kernel" for fold in rows.folds):
        fixed += 8 * n_train**2 * (2 * n_splits + 4)
        per_target = 8 * (4 * n_train + 3 * n_features)
    else:
        n_held = len(rows.atoms) if len(rows.atoms) * squares < SHARED_BYTES else n_splits
        fixed += squares * (4 * n_splits + n_held + 8)
        per_target = 8 * n_features * (rows.n_sums + 5)
    per_target += item_bytes * (2 * n_samples + n_test)
    per_target += 4 * n_features * len(rows.folds) + 8 * 4 * n_alphas
    return plan_blocks(n_voxels, fixed, per_target * per_voxel, limit_bytes, width)
