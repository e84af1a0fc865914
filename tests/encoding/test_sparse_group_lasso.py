"""encoding.sparse_group_lasso gives what a direct call gives, and drops a useless band."""

import sys

import numpy as np
import pytest

from neurodecode.core.errors import UserError
from neurodecode.encoding.sparse_group_lasso import SparseGroupLasso
from neurodecode.features.concatenate import Concatenate
from neurodecode.numerics.himalaya_solvers import fit_sparse_group_lasso
from tests.encoding.test_banded_ridge import make_bands

pytest.importorskip("himalaya")
ON_CPU = {"execution": {"device": "cpu"}}


def test_weights_are_a_direct_calls_and_the_useless_band_is_dropped():
    from himalaya.backend import set_backend
    from himalaya.lasso import solve_sparse_group_lasso

    set_backend("numpy")
    features, responses, split, _ = make_bands()
    stage = SparseGroupLasso(
        l1_regs=(0.001, 0.01),
        l21_regs=(0.01, 0.1),
        n_inner_folds=3,
        max_iter=3000,
        tol=1e-7,
        **ON_CPU,
    )
    out = stage.run(features, responses, split)
    X = Concatenate().run(features).read_for(responses.samples["stimulus_id"]).astype(np.float64)
    for fold in split.folds():
        arrays = out["model"].for_fold(fold.number)
        mean, scale = X[fold.train].mean(axis=0), X[fold.train].std(axis=0)
        scaled = ((X - mean) / scale).astype(np.float32)
        y_mean = responses.data[fold.train].astype(np.float64).mean(axis=0)
        theirs = solve_sparse_group_lasso(
            scaled[fold.train], (responses.data[fold.train] - y_mean).astype(np.float32),
            groups=np.repeat([0, 1], [6, 9]), l1_reg=arrays["best_l1_regs"],
            l21_reg=arrays["best_l21_regs"], max_iter=1500, tol=1e-6, progress_bar=False,
        )  # fmt: skip
        mine = out["predictions"].data[out["predictions"].rows["fold"] == fold.number]
        np.testing.assert_allclose(mine, scaled[fold.test] @ theirs + y_mean, atol=2e-3)
        assert np.abs(arrays["weights"][6:]).mean() < 0.1 * np.abs(arrays["weights"][:6]).mean()


def test_penalties_are_chosen_as_by_hand():
    pytest.importorskip("himalaya.lasso")
    from himalaya.lasso import solve_sparse_group_lasso

    rng = np.random.default_rng(0)
    X = rng.standard_normal((90, 6)) + 1
    Y = X[:, :3] @ rng.standard_normal((3, 4)) + rng.standard_normal((90, 4)) + 2
    folds = np.arange(90) % 3
    pairs = [(np.flatnonzero(folds != k), np.flatnonzero(folds == k)) for k in range(3)]
    regs = {"l1_regs": (0.01, 0.1, 1.0), "l21_regs": (0.02, 0.2)}
    bands = [(0, 3), (3, 6)]
    fit = fit_sparse_group_lasso(
        X, Y, bands, pairs, **regs, standardize=False, solver_params={"max_iter": 500}
    )
    scores = {}
    for l1 in regs["l1_regs"]:
        for l21 in regs["l21_regs"]:
            per_fold = []
            for train, test in pairs:
                mean, y_mean = X[train].mean(axis=0), Y[train].mean(axis=0)
                found = solve_sparse_group_lasso(
                    X[train] - mean, Y[train] - y_mean, groups=np.repeat([0, 1], 3), l1_reg=l1,
                    l21_reg=l21, max_iter=500, progress_bar=False,
                )  # fmt: skip
                left = ((Y[test] - y_mean - (X[test] - mean) @ found) ** 2).sum(axis=0)
                per_fold.append(1 - left / ((Y[test] - Y[test].mean(axis=0)) ** 2).sum(axis=0))
            scores[l1, l21] = np.mean(per_fold, axis=0)
    for t in range(4):
        best = max(scores, key=lambda regs: scores[regs][t])
        ours = (fit.chosen["best_l1_regs"][t], fit.chosen["best_l21_regs"][t])
        assert ours == best
        assert abs(fit.chosen["cv_scores"][t] - scores[best][t]) < 1e-3


def test_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "himalaya", None)
    features, responses, split, _ = make_bands()
    with pytest.raises(UserError, match=r'Install it: pip install "neurodecode\[kernels\]"'):
        SparseGroupLasso(**ON_CPU).run(features, responses, split)
