"""encoding.multiple_kernel_ridge gives what a direct call of himalaya gives."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from neurodecode.core.artifacts import TRAIN, VALIDATION
from neurodecode.core.errors import DataError, UserError
from neurodecode.core.rows import group_samples
from neurodecode.encoding.multiple_kernel_ridge import MultipleKernelRidge
from neurodecode.features.concatenate import Concatenate
from neurodecode.numerics.inner_folds import assign_inner_folds
from tests.encoding.test_banded_ridge import make_bands
from tests.encoding.test_ridge import N_ITEMS

pytest.importorskip("himalaya")
ON_CPU = {"execution": {"device": "cpu"}}


@pytest.mark.parametrize("solver", ["random_search", "hyper_gradient"])
def test_equals_a_direct_call(solver):
    from himalaya.backend import set_backend
    from himalaya.kernel_ridge import MultipleKernelRidgeCV
    from himalaya.scoring import r2_score

    set_backend("numpy")
    features, responses, split, _ = make_bands()
    alphas = (0.1, 1.0, 10.0)
    stage = MultipleKernelRidge(
        solver=solver, n_iter=6, alphas=alphas, n_inner_folds=3, seed=3, **ON_CPU
    )
    out = stage.run(features, responses, split)
    groups = group_samples(responses.samples, "stimulus", "test")
    folds = assign_inner_folds(groups, [f.train for f in split.folds()], 3, 3)
    X = Concatenate().run(features).read_for(responses.samples["stimulus_id"]).astype(np.float64)
    params = {"score_func": r2_score, "progress_bar": False}
    if solver == "random_search":
        params |= {"n_iter": 6, "alphas": np.float32(alphas), "concentration": [0.1, 1.0]}
    else:
        params |= {"max_iter": 6}
    for fold in split.folds():
        centred = X - X[fold.train].mean(axis=0)
        K = np.stack([centred[:, a:b] @ centred[fold.train, a:b].T for a, b in ((0, 6), (6, 15))])
        inside = folds[fold.number][fold.train]
        pairs = [(np.flatnonzero(inside != k), np.flatnonzero(inside == k)) for k in range(3)]
        model = MultipleKernelRidgeCV(
            "precomputed", solver=solver, solver_params=params, cv=pairs, random_state=3,
            fit_intercept=solver == "random_search",
        )  # fmt: skip
        y_mean = responses.data[fold.train].astype(np.float64).mean(axis=0)
        targets = (responses.data[fold.train] - y_mean).astype(np.float32)
        model.fit(K[:, fold.train].astype(np.float32), targets)
        mine = out["predictions"].data[out["predictions"].rows["fold"] == fold.number]
        theirs = model.predict(K[:, fold.test].astype(np.float32)) + y_mean
        np.testing.assert_allclose(mine, theirs, atol=2e-3)
        np.testing.assert_allclose(
            out["model"].for_fold(fold.number)["deltas"], model.deltas_, atol=1e-4
        )


def test_validation_rows_are_refused():
    features, responses, split, _ = make_bands()
    roles = np.array(split.roles)
    roles[(roles == TRAIN) & (np.tile(np.arange(N_ITEMS), 3) % 5 == 0)] = VALIDATION
    with pytest.raises(DataError, match="himalaya fits all rows that it chooses on"):
        MultipleKernelRidge(**ON_CPU).run(features, responses, replace(split, roles=roles))


def test_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "himalaya", None)
    features, responses, split, _ = make_bands()
    with pytest.raises(UserError, match=r'Install it: pip install "neurodecode\[kernels\]"'):
        MultipleKernelRidge(**ON_CPU).run(features, responses, split)
