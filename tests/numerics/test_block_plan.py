"""The grid of blocks keeps to the limit, and follows from shapes alone."""

import numpy as np
import pytest

from neurodecode.numerics.block_plan import RESIDENT_BYTES, plan_blocks, plan_ridge_blocks
from neurodecode.numerics.ridge_blocks import lay_out_rows
from neurodecode.numerics.ridge_grid import RidgeOptions

GB = 2**30


@pytest.mark.parametrize("limit_gb", [0.5, 1.0, 2.0, 8.0])
@pytest.mark.parametrize("per_voxel", [1_000, 150_000, 3_000_000])
def test_blocks_cover_all_voxels_and_keep_to_the_limit(limit_gb, per_voxel):
    plan = plan_blocks(200_000, 2**26, per_voxel, int(limit_gb * GB))
    assert [b.start for b in plan.blocks[1:]] == [b.stop for b in plan.blocks[:-1]]
    assert (plan.blocks[0].start, plan.blocks[-1].stop) == (0, 200_000)
    assert plan.peak_bytes <= limit_gb * GB or "more than the limit" in plan.words
    widths = {b.stop - b.start for b in plan.blocks[:-1]}
    assert all(w % 2048 == 0 or 2048 % w == 0 for w in widths), "blocks end with tiles"


def test_features_that_fill_the_memory_are_said():
    plan = plan_blocks(1000, 3 * GB, 1000, GB)
    assert plan.words.endswith("more than the limit of 1.0 GB")
    assert plan.blocks[0] == slice(0, 64)


def lay_out(n, n_outer, n_inner=5):
    fold, none = np.arange(n) % n_outer, np.zeros(0, int)
    roles = [(np.flatnonzero(fold != k), none, np.flatnonzero(fold == k)) for k in range(n_outer)]
    return lay_out_rows(roles, np.arange(n), 10, n_inner, 0, shared=True)


def test_whole_cortex_of_the_benchmark():
    rows = lay_out(9000, 5)
    plan = plan_ridge_blocks(rows, 9000, 768, 200_000, 10, RidgeOptions(), 2 * GB)
    assert len(rows.atoms) == 25
    assert 10 < len(plan.blocks) < 80
    assert plan.peak_bytes < 2 * GB
    more = plan_ridge_blocks(rows, 9000, 768, 200_000, 10, RidgeOptions(), 4 * GB)
    assert len(more.blocks) < len(plan.blocks)


def test_the_kernel_form_counts_its_kernels():
    rows = lay_out(2000, 2)
    primal = plan_ridge_blocks(rows, 2000, 500, 10_000, 10, RidgeOptions(), 2 * GB)
    kernel = plan_ridge_blocks(rows, 2000, 5000, 10_000, 10, RidgeOptions(), 2 * GB)
    assert kernel.peak_bytes - RESIDENT_BYTES > 8 * 1000**2 * 5
    assert len(kernel.blocks) > len(primal.blocks)
