import numpy as np
import pytest

from neurodecode.numerics.noise_ceilings import estimate_reliability, place_repeats, solve_ratio
from tests.numerics.ceiling_data import plant_repeats, square_spearman_brown, step_up_halves

METHODS = ("ncsnr", "split_half", "explainable_variance")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("rho", [0.1, 0.5, 0.9])
@pytest.mark.parametrize(("n_repeats", "mixed"), [(2, False), (3, False), (5, True)])
def test_planted_reliability_is_estimated_without_bias(method, rho, n_repeats, mixed):
    """The standard error of these means is below 0.002."""
    data, stimulus = plant_repeats(rho, n_repeats, 1000, 300, mixed=mixed, seed=1)
    estimate = estimate_reliability(data, stimulus, method).rho
    assert abs(estimate.mean() - rho) < 0.006


@pytest.mark.parametrize("method", METHODS)
def test_voxels_without_signal_come_out_negative_as_often_as_positive(method):
    data, stimulus = plant_repeats(0.0, 3, 200, 2000, seed=2)
    estimate = estimate_reliability(data, stimulus, method).rho
    assert abs(estimate.mean()) < 0.005
    assert 0.45 < (estimate < 0).mean() < 0.56


def test_wrong_ways_fail_the_same_test():
    data, _ = plant_repeats(0.5, 3, 1000, 300, seed=1)
    repeats = data.reshape(3, 1000, 300)
    truth = 3 * 0.5 / (1 + 2 * 0.5)
    assert step_up_halves(repeats).mean() < truth - 0.01  # one repeat against two
    assert square_spearman_brown(repeats[:2]).mean() < 2 / 3 - 0.1
    data, _ = plant_repeats(0.05, 2, 100, 3000, seed=3)
    clipped = np.maximum(estimate_reliability(data, np.tile(np.arange(100), 2), "ncsnr").rho, 0)
    assert clipped.mean() > 0.06


def test_ncsnr_is_that_of_nsd():
    """Noise variance: mean over stimuli of the variance of repeats. Signal: what is left of 1."""
    data, stimulus = plant_repeats(0.4, 3, 2000, 20, seed=4)
    data = (data - data.mean(axis=0)) / data.std(axis=0)
    noise = data.reshape(3, 2000, 20).var(axis=0, ddof=1).mean(axis=0)
    published = np.sqrt((1 - noise) / noise)
    found = estimate_reliability(data, stimulus, "ncsnr").ncsnr
    np.testing.assert_allclose(found, published, rtol=1e-3)


def test_equal_repeats_give_the_textbook_analysis_of_variance():
    from scipy.stats import f_oneway

    data, stimulus = plant_repeats(0.3, 4, 50, 10, seed=5)
    F = f_oneway(*(data[stimulus == i] for i in range(50))).statistic
    expected = (F - 1) / (F + 3)
    np.testing.assert_allclose(estimate_reliability(data, stimulus, "ncsnr").rho, expected)


def test_unequal_repeats_solve_the_equation_of_mandel_and_paule():
    data, stimulus = plant_repeats(0.3, 5, 40, 6, mixed=True, seed=6)
    ratio = (lambda rho: rho / (1 - rho))(estimate_reliability(data, stimulus, "ncsnr").rho)
    n = np.bincount(stimulus)[:, None]
    means = np.stack([data[stimulus == i].mean(axis=0) for i in range(40)])
    noise = ((data - means[stimulus]) ** 2).sum(axis=0) / (len(data) - 40)
    weights = n / (1 + n * ratio)
    centre = (weights * means).sum(axis=0) / weights.sum(axis=0)
    scatter = (weights * (means - centre) ** 2).sum(axis=0)
    np.testing.assert_allclose(scatter, 39 * noise)
    np.testing.assert_allclose(solve_ratio(means, n[:, 0], noise, 1.0), ratio)


def test_explainable_variance_is_schoppe_and_voxelwise_tutorials():
    data, stimulus = plant_repeats(0.3, 4, 50, 10, seed=7)
    repeats = data.reshape(4, 50, 10)
    total = repeats.var(axis=1, ddof=1).mean(axis=0)
    signal = (4 * repeats.mean(axis=0).var(axis=0, ddof=1) - total) / 3
    found = estimate_reliability(data, stimulus, "explainable_variance").rho
    np.testing.assert_allclose(found, signal / total)
    # bias-corrected explainable variance of z-scored repeats, as voxelwise_tutorials computes it
    z = (repeats - repeats.mean(axis=1, keepdims=True)) / repeats.std(axis=1, ddof=1, keepdims=True)
    ev = z.mean(axis=0).var(axis=0, ddof=1)
    corrected = ev - (1 - ev) / 3
    pairs = [
        np.corrcoef(repeats[a, :, 0], repeats[b, :, 0])[0, 1] for b in range(4) for a in range(b)
    ]
    split = estimate_reliability(data, stimulus, "split_half").rho
    np.testing.assert_allclose(split, corrected)
    assert split[0] == pytest.approx(np.mean(pairs))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("mixed", [False, True])
def test_influence_is_what_leaving_a_stimulus_out_changes(method, mixed):
    data, stimulus = plant_repeats(0.4, 4, 60, 3, mixed=mixed, seed=8)
    found = estimate_reliability(data, stimulus, method)
    changes = []
    for left_out in range(60):
        kept = stimulus != left_out
        renumbered = np.unique(stimulus[kept], return_inverse=True)[1]
        changes.append(found.rho - estimate_reliability(data[kept], renumbered, method).rho)
    # With unequal numbers the weights and means of the others change a little, too.
    allowed = 0.15 if mixed else 1e-7
    assert np.std(found.influence - changes) < allowed * np.std(changes)


def test_a_shift_between_repeats_is_noise_to_ncsnr_alone():
    data, stimulus = plant_repeats(0.5, 2, 400, 50, seed=9)
    fading = data.copy()
    fading[400:] -= 2.0
    for method in METHODS:
        before = estimate_reliability(data, stimulus, method).rho.mean()
        after = estimate_reliability(fading, stimulus, method).rho.mean()
        assert (abs(after - before) < 1e-9) == (method != "ncsnr"), method


@pytest.mark.parametrize("method", METHODS)
def test_scale_and_offset_do_not_matter_and_edges_are_defined(method):
    data, stimulus = plant_repeats(0.5, 3, 30, 4, seed=10)
    first = estimate_reliability(data, stimulus, method)
    second = estimate_reliability(1e6 + 3e-3 * data, stimulus, method)
    np.testing.assert_allclose(first.rho, second.rho, rtol=1e-4)
    perfect = np.tile(data[:30], (3, 1))
    perfect[:, 0] = 7.0
    found = estimate_reliability(perfect, stimulus, method)
    assert np.isnan(found.rho[0]) and np.isnan(found.ncsnr[0])
    np.testing.assert_allclose(found.rho[1:], 1.0)
    np.testing.assert_allclose(found.influence[:, 1:], 0.0, atol=1e-12)
    assert np.isnan(first.rho).sum() == 0


def test_places_follow_the_order_of_rows():
    stimulus = np.array([2, 0, 2, 1, 0, 2])
    np.testing.assert_array_equal(place_repeats(stimulus), [[1, 3, 0], [4, -1, 2], [-1, -1, 5]])
