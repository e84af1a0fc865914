"""Outer folds: sharing of sums, bit-identity against test rows, inner folds."""

from __future__ import annotations

import numpy as np
import pytest

from neurodecode.core.errors import DataError
from neurodecode.numerics import ridge_folds
from neurodecode.numerics.inner_folds import assign_folds, assign_inner_folds
from neurodecode.numerics.ridge import RidgeOptions
from neurodecode.numerics.ridge_folds import fit_outer_folds

N, N_OUTER = 400, 4


def make_roles(n=N, n_outer=N_OUTER):
    fold = np.arange(n) % n_outer
    none = np.zeros(0, int)
    return [(np.flatnonzero(fold != k), none, np.flatnonzero(fold == k)) for k in range(n_outer)]


def fit_all(X, Y, shared=True, options=None, **changes):
    given = {"n_inner_folds": 3, "seed": 0, "alphas": (0.1, 10.0, 1e3), **changes}
    roles = make_roles(len(X))
    groups = np.arange(len(X))
    return list(
        fit_outer_folds(
            lambda k: (X, Y),
            roles,
            groups,
            options=options or RidgeOptions(),
            shared=shared,
            **given,
        )
    )


def make_data(n=N, p=8, v=5):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, p)) + 2
    return X, X @ rng.standard_normal((p, v)) + rng.standard_normal((n, v))


def test_shared_sums_give_the_same_fits(monkeypatch):
    X, Y = make_data()
    used = []
    share = ridge_folds.share_parts

    def watch(*args):
        used.append(share(*args))
        return used[-1]

    monkeypatch.setattr(ridge_folds, "share_parts", watch)
    together, apart = fit_all(X, Y), fit_all(X, Y, shared=False)
    assert len(used) == 1
    assert used[0] is not None
    for a, b in zip(together, apart, strict=True):
        np.testing.assert_allclose(a.fit.weights, b.fit.weights, atol=1e-12)
        np.testing.assert_allclose(a.fit.scores, b.fit.scores, atol=1e-12)


@pytest.mark.parametrize(("n", "p"), [(N, 8), (48, 100)])
@pytest.mark.parametrize("standardize", [False, True])
def test_a_test_row_cannot_reach_its_fold(n, p, standardize):
    X, Y = make_data(n, p)
    options = RidgeOptions(standardize=standardize)
    before = fit_all(X, Y, options=options, nested=True)
    for k in range(N_OUTER):
        row = make_roles(n)[k][2][3]
        X2, Y2 = X.copy(), Y.copy()
        X2[row] += 1e6
        Y2[row] -= 1e6
        after = fit_all(X2, Y2, options=options, nested=True)
        for name in ("weights", "intercept", "best_alphas", "scores"):
            a, b = getattr(before[k].fit, name), getattr(after[k].fit, name)
            assert a.tobytes() == b.tobytes(), name
        assert before[k].nested.tobytes() == after[k].nested.tobytes()
        assert not np.array_equal(
            before[(k + 1) % N_OUTER].fit.weights, after[(k + 1) % N_OUTER].fit.weights
        )


def test_inner_folds_keep_groups_together_and_are_even():
    groups = np.repeat(np.arange(30), 4)
    folds = assign_folds(groups, 5, seed=1)
    assert np.bincount(folds).tolist() == [24] * 5
    assert all(len(set(folds[groups == g])) == 1 for g in range(30))
    assert not np.array_equal(folds, assign_folds(groups, 5, seed=2))


def test_inner_folds_are_dealt_anew_where_an_outer_fold_would_lack_some():
    groups = np.repeat(np.arange(3), 10)
    train = [np.flatnonzero(groups != k) for k in range(3)]
    folds = assign_inner_folds(groups, train, 2, seed=0)
    for row, rows in zip(folds, train, strict=True):
        assert set(row[rows]) == {0, 1}
        assert (np.delete(row, rows) == -1).all()


def test_one_group_is_refused():
    with pytest.raises(DataError, match="1 independent groups"):
        assign_folds(np.zeros(10), 5, seed=0)
