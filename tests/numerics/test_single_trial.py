import numpy as np
import pytest

from neurodecode.numerics.drift import make_cosines
from neurodecode.numerics.hrf_library import CANONICAL, HrfShape, compute_response
from neurodecode.numerics.single_trial import (
    choose_fractions,
    estimate_betas,
    estimate_ridge_betas,
    make_separate_operator,
    rescale_betas,
    score_hrfs,
)
from neurodecode.numerics.single_trial_design import (
    find_cut_off,
    find_hidden,
    find_noise_components,
    make_run_design,
    measure_dependence,
)

SHAPES = (CANONICAL, HrfShape(7.0, 6.0))


def make_run(n_trials=12, isi_s=3.0, n_voxels=5, seed=0, conditions=None):
    rng = np.random.default_rng(seed)
    times_s = np.arange(60) * 1.2
    onsets = 2 + np.arange(n_trials) * isi_s
    kinds = np.arange(n_trials) % 3
    nuisance = np.column_stack([make_cosines(60, 1.2, 60.0), rng.normal(size=(60, 2))])
    design = make_run_design(
        times_s, onsets, np.full(n_trials, 0.5),
        np.arange(n_trials) if conditions is None else conditions, kinds, SHAPES, nuisance,
    )  # fmt: skip
    columns = [compute_response(times_s[:, None] - onsets, s, 0.5) for s in SHAPES]
    return design, columns, nuisance, rng.normal(size=(60, n_voxels)), kinds


@pytest.mark.parametrize("hrf", [0, 1])
def test_least_squares_all_is_the_joint_fit(hrf):
    design, columns, nuisance, data, _ = make_run()
    joint = np.linalg.lstsq(np.column_stack([columns[hrf], nuisance]), data, rcond=None)[0][:12]
    found = estimate_betas([design], [data], np.full(5, hrf), separate=False)
    np.testing.assert_allclose(found[0], joint, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("by_kind", [False, True])
def test_least_squares_separate_is_a_fit_per_trial(by_kind):
    design, columns, nuisance, data, kinds = make_run()
    expected = []
    for trial in range(12):
        rest = np.arange(12) != trial
        groups = [rest & (kinds == k) for k in range(3)] if by_kind else [rest]
        others = [columns[0][:, g].sum(axis=1) for g in groups]
        joint = np.column_stack([columns[0][:, trial], *others, nuisance])
        expected.append(np.linalg.lstsq(joint, data, rcond=None)[0][0])
    found = estimate_betas([design], [data], np.zeros(5, int), separate=True, by_kind=by_kind)
    np.testing.assert_allclose(found[0], expected, rtol=1e-6, atol=1e-8)


def test_one_trial_alone_has_no_others():
    np.testing.assert_allclose(make_separate_operator(np.array([[4.0]]), np.zeros(1)), [[0.25]])


def test_voxels_take_the_response_of_their_own():
    design, _, _, data, _ = make_run()
    hrfs = np.array([0, 1, 0, 1, 1])
    mixed = estimate_betas([design], [data], hrfs, separate=False)[0]
    for hrf in (0, 1):
        alone = estimate_betas([design], [data], np.full(5, hrf), separate=False)[0]
        np.testing.assert_allclose(mixed[:, hrfs == hrf], alone[:, hrfs == hrf])


def test_r2_in_sample_is_that_of_the_joint_fit():
    design, columns, nuisance, data, _ = make_run()
    base = data - nuisance @ np.linalg.lstsq(nuisance, data, rcond=None)[0]
    both = np.column_stack([columns[1], nuisance])
    left = data - both @ np.linalg.lstsq(both, data, rcond=None)[0]
    expected = 1 - (left**2).sum(axis=0) / (base**2).sum(axis=0)
    found = score_hrfs([design], [data], cross_validated=False)[1]
    np.testing.assert_allclose(found, expected)


def test_r2_across_runs_is_near_zero_for_noise_and_follows_conditions():
    shown = np.arange(12) % 4
    runs = [make_run(seed=s, n_voxels=300, conditions=np.roll(shown, s)) for s in range(4)]
    designs = [r[0] for r in runs]
    noise = score_hrfs(designs, [r[3] for r in runs], cross_validated=True)
    assert noise.max() < 0.15 and np.median(noise) < 0
    amplitudes = np.random.default_rng(1).normal(size=(4, 300))
    signal = [
        r[1][0] @ amplitudes[d.conditions] + 0.1 * r[3] for r, d in zip(runs, designs, strict=True)
    ]
    r2 = score_hrfs(designs, signal, cross_validated=True)
    assert np.median(r2[0]) > 0.9 and (r2[0] > r2[1]).mean() > 0.95
    # by hand, the third run from the other three
    betas = estimate_betas(designs, signal, np.zeros(300, int), separate=False)
    rest = np.concatenate([betas[0], betas[1], betas[3]])
    which = np.concatenate([designs[k].conditions for k in (0, 1, 3)])
    means = np.stack([rest[which == c].mean(axis=0) for c in range(4)])[designs[2].conditions]
    only = designs[2].trials[0] @ means
    clean = signal[2] - designs[2].nuisance[0] @ (designs[2].nuisance[0].T @ signal[2])
    one = ((clean - only) ** 2).sum(axis=0)
    total = [
        (s**2).sum(axis=0) - ((d.nuisance[0].T @ s) ** 2).sum(axis=0)
        for s, d in zip(signal, designs, strict=True)
    ]
    assert np.median(1 - one / total[2]) == pytest.approx(np.median(r2[0]), abs=0.03)


def test_fractions_are_chosen_by_the_repeats_of_other_runs():
    shown = np.arange(12)
    rng = np.random.default_rng(2)
    runs = [make_run(seed=s, isi_s=2.0, conditions=rng.permutation(shown)) for s in range(5)]
    designs = [r[0] for r in runs]
    amplitudes = rng.normal(size=(12, 200))
    level = np.repeat([0.02, 3.0], 100)  # quiet and noisy voxels
    data = [
        r[1][0] @ amplitudes[d.conditions] + level * rng.normal(size=(60, 200))
        for r, d in zip(runs, designs, strict=True)
    ]
    hrfs = np.zeros(200, int)
    fractions = np.array([0.1, 0.3, 0.6, 1.0])
    shrunk = estimate_ridge_betas(designs, data, hrfs, fractions)
    full = estimate_betas(designs, data, hrfs, separate=False)
    np.testing.assert_allclose(shrunk[0][-1], full[0], atol=1e-6)
    chosen = choose_fractions(designs, shrunk, full)
    assert np.median(chosen[:100]) == 3
    assert np.median(chosen[100:]) <= 1
    brought_back = rescale_betas(shrunk[0][0], full[0])
    np.testing.assert_allclose(brought_back.mean(axis=0), full[0].mean(axis=0))
    slope = [np.polyfit(brought_back[:, v], full[0][:, v], 1)[0] for v in (0, 150)]
    np.testing.assert_allclose(slope, 1.0)


def test_fractions_cannot_be_chosen_without_repeats_in_other_runs():
    runs = [make_run(conditions=np.arange(12) + 12 * s)[0] for s in range(2)]
    betas = [np.ones((1, 12, 3))] * 2
    with pytest.raises(ValueError, match="two runs"):
        choose_fractions(runs, betas, [b[0] for b in betas])


def test_trials_that_no_scan_sees_or_that_coincide_are_found():
    times_s = np.arange(60) * 1.2
    onsets, none = np.array([5.0, 5.0, 69.5, 62.0, -30.0]), np.zeros(5)
    assert find_cut_off(times_s, onsets, none, (CANONICAL,)).tolist() == [2, 4]
    columns = compute_response(times_s[:, None] - onsets[:2], CANONICAL)
    nuisance = np.column_stack([np.ones(60), columns[:, :1]])
    design = make_run_design(
        times_s, np.array([5.0, 20.0]), none[:2], np.arange(2), np.zeros(2, int), (CANONICAL,),
        nuisance,
    )  # fmt: skip
    assert find_hidden(design).tolist() == [0]
    design = make_run_design(
        times_s, onsets[:2], none[:2], np.arange(2), np.zeros(2, int), (CANONICAL,),
        np.ones((60, 1)),
    )  # fmt: skip
    assert measure_dependence(design) > 1e6
    assert measure_dependence(make_run()[0]) < 1e3


def test_noise_components_are_what_voxels_share():
    design, _, _, data, _ = make_run(n_voxels=200)
    rng = np.random.default_rng(3)
    shared = rng.normal(size=(60, 2))
    data = data + 5 * shared @ rng.normal(size=(2, 200))
    found = find_noise_components(design, data, 2)
    clean = shared - design.nuisance[0] @ (design.nuisance[0].T @ shared)
    left = clean - found @ (found.T @ clean)
    assert (left**2).sum() < 0.02 * (clean**2).sum()
    np.testing.assert_allclose(found.T @ found, np.eye(2), atol=1e-10)
