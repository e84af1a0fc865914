"""The memory that a ridge fit is planned to take, against what it takes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from neurodecode.core.errors import UserError
from neurodecode.numerics.ridge_grid import RidgeOptions
from neurodecode.numerics.ridge_plan import plan_ridge

FIT = """
import re, sys
from pathlib import Path
import numpy as np
from neurodecode.core.device import limit_threads
from neurodecode.numerics.inner_folds import assign_folds
from neurodecode.numerics.ridge import RidgeOptions, prepare_ridge_cv

n, p, v, solver, decay = *(int(word) for word in sys.argv[1:4]), sys.argv[4], float(sys.argv[5])
rng = np.random.default_rng(0)
warm = rng.standard_normal((60, 5), np.float32)
options, alphas = RidgeOptions(solver=solver), np.logspace(-5 * decay, 7, 10)

def peak():
    status = Path("/proc/self/status").read_text()  # rusage counts the parent's memory, too
    return 1024 * int(re.search("VmHWM:\\s+(\\d+) kB", status)[1])

with limit_threads(1):
    # libraries and their buffers
    prepare_ridge_cv(warm, np.arange(60) % 3, options).fit(warm, alphas)
    before = peak()
    X = rng.standard_normal((n, p), np.float32)
    X *= np.arange(1, p + 1, dtype=np.float32) ** -decay
    prepared = prepare_ridge_cv(X, assign_folds(np.arange(n), 5, 0), options)
    for _ in range(2):  # blocks, nothing of which is kept
        prepared.fit(rng.standard_normal((n, v), np.float32), alphas)
    print(peak() - before)
"""


@pytest.mark.parametrize("limit", [4 * 10**8, 10**9, 3 * 10**9])
def test_blocks_fit_the_limit_and_cover_all_targets(limit):
    plan = plan_ridge(2000, 300, 50_000, 5, 10, limit)
    assert plan.peak_bytes <= limit
    assert plan.peak_bytes == plan.fixed_bytes + plan.block_targets * plan.target_bytes
    assert (plan.n_blocks - 1) * plan.block_targets < 50_000 <= plan.n_blocks * plan.block_targets


def test_a_limit_too_low_is_refused():
    with pytest.raises(UserError, match=r"for 64 targets at a time, and the limit is 50 MB"):
        plan_ridge(9000, 768, 8000, 5, 10, 50 * 10**6)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells its peak")
@pytest.mark.parametrize(
    ("n", "p", "v", "solver", "decay"),
    [
        (3000, 100, 6000, "auto", 0),
        # all of them settled in float64
        pytest.param(2000, 300, 2000, "auto", 2, marks=pytest.mark.slow),
        pytest.param(500, 1500, 2000, "kernel", 0, marks=pytest.mark.slow),
    ],
)
def test_a_fit_keeps_to_its_plan(n, p, v, solver, decay):
    plan = plan_ridge(n, p, v, 5, 10, 10**11, RidgeOptions(solver=solver))
    assert plan.n_blocks == 1
    command = [sys.executable, "-c", FIT, str(n), str(p), str(v), solver, str(decay)]
    taken = int(subprocess.run(command, check=True, capture_output=True, env=os.environ).stdout)
    print(f"planned {plan.peak_bytes / 1e6:.0f} MB, taken {taken / 1e6:.0f} MB")
    assert taken <= plan.peak_bytes
    assert taken > plan.peak_bytes / 4  # a plan far too large would make blocks too small
