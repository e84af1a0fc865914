import numpy as np
import pytest
import scipy.signal

from neurodecode.core.errors import DataError
from neurodecode.numerics.drift import make_cosines, make_polynomials, remove_drift


def test_degrees_zero_and_one_are_those_of_scipy():
    signals = np.random.default_rng(0).normal(size=(50, 4)) + np.arange(50)[:, None]
    for degree, kind in ((0, "constant"), (1, "linear")):
        ours = remove_drift(signals, make_polynomials(50, degree))
        np.testing.assert_allclose(
            ours, scipy.signal.detrend(signals, axis=0, type=kind), atol=1e-9
        )


@pytest.mark.parametrize("degree", [2, 5, 20])
def test_any_polynomial_of_the_degree_goes_and_the_next_stays(degree):
    place = np.linspace(0, 3, 200)
    basis = make_polynomials(200, degree)
    below = np.polynomial.Polynomial(np.random.default_rng(1).normal(size=degree + 1))(place)
    scale = np.abs(below).max()
    np.testing.assert_allclose(remove_drift(below, basis) / scale, 0, atol=1e-8)
    above = np.polynomial.legendre.Legendre.basis(degree + 1, domain=[0, 3])(place)
    assert np.linalg.norm(remove_drift(above, basis)) > 0.9 * np.linalg.norm(above)


@pytest.mark.parametrize(
    ("n", "t_r", "cutoff_s"), [(125, 2.4, 128.0), (362, 2.0, 100.0), (64, 2.0, 64.0)]
)
def test_cosines_are_those_of_nilearn(n, t_r, cutoff_s):
    from nilearn.glm.first_level.design_matrix import create_cosine_drift

    theirs = create_cosine_drift(1 / cutoff_s, np.arange(n) * t_r)
    ours = make_cosines(n, t_r, cutoff_s)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours[:, 1:], theirs[:, :-1], atol=1e-12)


def test_scans_left_out_leave_the_drift_of_the_others_as_it_was():
    some = np.r_[0:50, 80:200]
    np.testing.assert_allclose(make_cosines(some, 2.0, 128.0), make_cosines(200, 2.0, 128.0)[some])
    np.testing.assert_allclose(make_polynomials(some, 3), make_polynomials(200, 3)[some])
    assert make_cosines(some, 2.0, np.inf).tolist() == [[1.0]] * 170


def test_what_is_faster_than_the_cut_off_stays():
    t = np.arange(300) * 2.0
    slow, fast = np.cos(2 * np.pi * t / 300), np.sin(2 * np.pi * t / 20)
    left = remove_drift(np.stack([slow, fast], axis=1), make_cosines(300, 2.0, 128))
    assert np.linalg.norm(left[:, 0]) < 1e-2 * np.linalg.norm(slow)
    assert np.linalg.norm(left[:, 1] - fast) < 0.1 * np.linalg.norm(fast)


def test_the_mean_can_be_kept_and_large_means_lose_no_digits():
    signals = np.random.default_rng(2).normal(size=(40, 3))
    basis = make_polynomials(40, 2)
    kept = remove_drift(signals + 1e6, basis, keep_mean=True)
    np.testing.assert_allclose(kept.mean(axis=0), (signals + 1e6).mean(axis=0))
    np.testing.assert_allclose(
        remove_drift(signals + 1e6, basis), remove_drift(signals, basis), atol=1e-8
    )


def test_a_run_of_nothing_but_drift_is_refused():
    with pytest.raises(DataError, match=r"5 regressors.*6 scans.*Lower the degree"):
        remove_drift(np.zeros((6, 1)), make_polynomials(6, 4))
