"""Ridge in blocks of targets: the fits of one go, and test rows that reach nothing."""

import numpy as np
import pytest

from neurodecode.numerics.ridge import RidgeOptions
from neurodecode.numerics.ridge_block_fit import fit_block
from neurodecode.numerics.ridge_blocks import (
    BlockMoments,
    LazyTargets,
    compute_atoms,
    lay_out_rows,
    prepare_fold,
)
from neurodecode.numerics.ridge_folds import fit_outer_folds
from tests.numerics.test_ridge_folds import N_OUTER, N, make_data, make_roles

ALPHAS = (0.1, 10.0, 1e3)


def fit_blocks(X, Y, width=2, alphas=ALPHAS, shared=True, **changes):
    """Return, per outer fold, weights, intercepts, alphas and predictions of all targets."""
    options = RidgeOptions(**changes)
    rows = lay_out_rows(make_roles(len(X)), np.arange(len(X)), len(alphas), 3, 0, shared=shared)
    atoms = compute_atoms(X, rows, options)
    found = []
    for k in range(len(rows.folds)):
        mine = prepare_fold(X, rows, k, options, atoms)
        fits = [
            fit_block(
                BlockMoments(X, lambda fold, s=s: Y[:, s : s + width], rows),
                k, mine, alphas, options, s,
            )
            for s in range(0, Y.shape[1], width)
        ]  # fmt: skip
        found.append(
            [
                np.concatenate([getattr(f, name) for f in fits], axis=-1)
                for name in ("weights", "intercept", "best_alphas", "predictions")
            ]
        )
    return found


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("scoring", ["r2", "correlation"])
@pytest.mark.parametrize(("n", "p"), [(N, 8), (48, 100)])
@pytest.mark.parametrize("shared", [False, True])
def test_the_fits_are_those_of_one_go(n, p, standardize, scoring, shared):
    X, Y = make_data(n, p)
    options = RidgeOptions(standardize=standardize, scoring=scoring)
    whole = fit_outer_folds(
        lambda k: (X, Y), make_roles(n), np.arange(n), ALPHAS, options,
        n_inner_folds=3, seed=0, shared=True,
    )  # fmt: skip
    blocks = fit_blocks(X, Y, standardize=standardize, scoring=scoring, shared=shared)
    for ours, theirs in zip(blocks, whole, strict=True):
        wanted = (theirs.fit.weights, theirs.fit.intercept, theirs.fit.best_alphas)
        for a, b in zip(ours, (*wanted, theirs.predictions), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize(("n", "p"), [(N, 8), (48, 100)])
def test_a_test_row_cannot_reach_its_fold(n, p):
    X, Y = make_data(n, p)
    before = fit_blocks(X, Y)
    for k in range(N_OUTER):
        row = make_roles(n)[k][2][3]
        X2, Y2 = X.copy(), Y.copy()
        X2[row] += 1e6
        Y2[row] -= 1e6
        after = fit_blocks(X2, Y2)
        for a, b in zip(before[k][:3], after[k][:3], strict=True):
            assert a.tobytes() == b.tobytes()
        assert not np.array_equal(before[(k + 1) % N_OUTER][0], after[(k + 1) % N_OUTER][0])


def test_atoms_are_what_outer_folds_have_in_common():
    rows = lay_out_rows(make_roles(), np.arange(N), 3, 3, 0, shared=True)
    assert len(rows.atoms) == 3 * N_OUTER
    np.testing.assert_array_equal(np.sort(np.concatenate(rows.atoms)), np.arange(N))
    for fold, members in zip(rows.folds, rows.members, strict=True):
        for part, atoms in zip(fold.parts, members, strict=True):
            both = np.sort(np.concatenate([rows.atoms[a] for a in atoms]))
            np.testing.assert_array_equal(both, part)
    assert not lay_out_rows(make_roles(), np.arange(N), 3, 3, 0, shared=False).atoms


def test_the_grid_grows_for_those_alone_that_gain():
    """A noise target beside one that wants a tiny alpha keeps what it gets by itself."""
    X = make_data(v=1)[0]
    rng = np.random.default_rng(1)
    faint = 0.02 * X[:, :1] + rng.standard_normal((len(X), 1))
    clean = X @ rng.standard_normal((8, 1)) + 1e-3 * rng.standard_normal((len(X), 1))
    alphas = (1e4, 1e5)
    given = {"alphas": alphas, "extend_alphas": 8}
    alone = fit_blocks(X, faint, **given)
    beside = fit_blocks(X, np.hstack([faint, clean]), **given)
    for a, b in zip(alone, beside, strict=True):
        assert b[2][1] < 1e3 <= b[2][0]
        np.testing.assert_array_equal(a[2], b[2][:1])


def test_all_targets_are_read_a_block_at_a_time():
    Y = np.random.default_rng(0).standard_normal((10, 12))
    read = []

    def read_block(block):
        read.append((block.start, block.stop))
        return lambda fold: Y[:, 2 * block.start : 2 * block.stop] + fold

    lazy = LazyTargets(read_block, [slice(0, 4), slice(4, 6)], per_voxel=2).as_seen(3)
    assert lazy.shape[1] == 12
    for columns in (slice(0, 8), slice(0, 8), slice(8, 12)):
        np.testing.assert_array_equal(lazy[:, columns], Y[:, columns] + 3)
    np.testing.assert_array_equal(lazy[np.array([1, 5]), slice(8, 12)], Y[[1, 5], 8:] + 3)
    assert read == [(0, 4), (4, 6)]
