import numpy as np
import pytest

from neurodecode.numerics.fractional_ridge import Rotation, fit_fractional_ridge

FRACTIONS = np.array([0.05, 0.1, 0.3, 0.5, 0.9, 0.95, 1.0])


def make_problem(n_samples=80, n_features=30, decades=2.0, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_samples, n_features)) @ np.diag(np.logspace(0, -decades, n_features))
    return X, rng.normal(size=(n_samples, 40))


@pytest.mark.parametrize("decades", [0.0, 2.0, 4.0])
@pytest.mark.parametrize("shape", [(80, 30), (20, 50)])
def test_lengths_are_the_fractions_asked_for(shape, decades):
    X, Y = make_problem(*shape, decades=decades)
    weights, alphas = fit_fractional_ridge(X, Y, FRACTIONS)
    length = np.linalg.norm(weights, axis=1)
    np.testing.assert_allclose(length / length[-1], FRACTIONS[:, None] * np.ones(40), rtol=1e-8)
    for k in (1, 4):  # and each is ridge at its alpha
        for target in (0, 7):
            left = X.T @ X + alphas[k, target] * np.eye(X.shape[1])
            ridge = np.linalg.solve(left, X.T @ Y[:, target])
            np.testing.assert_allclose(weights[k, :, target], ridge, rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(weights[-1], np.linalg.pinv(X, rcond=1e-10) @ Y, atol=1e-6)


def test_agrees_with_the_fracridge_package():
    """Which interpolates on a grid: its own lengths miss the fractions by up to 0.006."""
    fracridge = pytest.importorskip("fracridge")
    X, Y = make_problem()
    ours, _ = fit_fractional_ridge(X, Y, FRACTIONS)
    theirs, _ = fracridge.fracridge(X, Y, FRACTIONS, jit=False)
    theirs = theirs.transpose(1, 0, 2)
    assert np.abs(ours - theirs).max() < 0.01 * np.abs(theirs).max()
    for a, b in zip(ours, theirs, strict=True):
        assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.9999


def test_order_of_fractions_and_a_silent_target():
    X, Y = make_problem()
    Y[:, 3] = 0
    weights, alphas = fit_fractional_ridge(X, Y, FRACTIONS)
    turned, _ = fit_fractional_ridge(Rotation.of(X), Y, FRACTIONS[::-1])
    np.testing.assert_array_equal(weights, turned[::-1])
    assert (weights[:, :, 3] == 0).all() and (alphas[:, 3] == 0).all()
    assert (np.diff(alphas[:, 0]) < 0).all()


def test_columns_that_depend_on_others_get_the_shortest_solution():
    X, Y = make_problem(decades=0.0)
    X[:, 5] = X[:, 6]
    weights, _ = fit_fractional_ridge(X, Y, np.array([0.5, 1.0]))
    np.testing.assert_allclose(weights[:, 5], weights[:, 6], atol=1e-10)
    np.testing.assert_allclose(weights[1], np.linalg.pinv(X) @ Y, atol=1e-8)
