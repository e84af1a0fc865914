"""The memory that a ridge fit is planned to take, against what it takes."""

from __future__ import annotations

import pytest

from neurodecode.core.errors import UserError
from neurodecode.numerics.ridge_plan import plan_ridge


@pytest.mark.parametrize("limit", [4 * 10**8, 10**9, 3 * 10**9])
def test_blocks_fit_the_limit_and_cover_all_targets(limit):
    plan = plan_ridge(2000, 300, 50_000, 5, 10, limit)
    assert plan.peak_bytes <= limit
    assert plan.peak_bytes == plan.fixed_bytes + plan.block_targets * plan.target_bytes
    assert (plan.n_blocks - 1) * plan.block_targets < 50_000 <= plan.n_blocks * plan.block_targets


def test_a_limit_too_low_is_refused():
    with pytest.raises(UserError, match=r"for 64 targets at a time, and the limit is 50 MB"):
        plan_ridge(9000, 768, 8000, 5, 10, 50 * 10**6)
