import numpy as np
import pytest

from neurodecode.numerics import simulation as sim

N = sim.N_PIXELS


def make_grating(orientation_deg, wavelength, phase=0.0):
    # The contour of 0 degrees is horizontal, and turns anticlockwise; rows run downwards.
    down, across = np.mgrid[:N, :N]
    normal = np.deg2rad(orientation_deg + 90)
    along = across * np.cos(normal) - down * np.sin(normal)
    return (0.5 + 0.4 * np.cos(2 * np.pi * along / wavelength + phase)).astype(np.float32)


def make_sphere(n=4000):
    k = np.arange(n) + 0.5
    z, turn = 1 - 2 * k / n, np.pi * (1 + 5**0.5) * k
    ring = np.sqrt(1 - z**2)
    return 100 * np.stack([ring * np.cos(turn), ring * np.sin(turn), z], axis=1)


def make_code(centres, sizes, tuning, object_tuning=None):
    n = len(sizes)
    rng = np.random.default_rng(3)
    return sim.VisualCode(
        centres_deg=np.asarray(centres, float),
        sizes_deg=np.asarray(sizes, float),
        tuning=np.asarray(tuning, float),
        object_tuning=np.zeros((n, 5)) if object_tuning is None else object_tuning,
        object_units=rng.standard_normal((len(sim.CHANNELS), 5)),
        object_thresholds=rng.standard_normal(5),
    )


def test_images_on_the_grid_are_seen_as_they_are():
    images = np.random.default_rng(0).random((3, N, N, 1), np.float32)
    np.testing.assert_allclose(sim.view_images(images), images[..., 0], atol=1e-6)


def test_larger_images_are_averaged_over_blocks():
    images = np.random.default_rng(0).random((2, 3 * N, 3 * N, 1), np.float32)
    blocks = images[..., 0].reshape(2, N, 3, N, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(sim.view_images(images), blocks, atol=1e-6)


def test_colours_become_luminance_and_the_screen_is_grey():
    images = np.zeros((1, N // 2, N, 3), np.float32)
    images[..., 1] = 1.0
    seen = sim.view_images(images)[0]
    np.testing.assert_allclose(seen[N // 4 : -N // 4], 0.587, atol=1e-6)
    np.testing.assert_allclose(seen[: N // 4], sim.GREY, atol=1e-6)
    np.testing.assert_allclose(seen[-N // 4 :], sim.GREY, atol=1e-6)


@pytest.mark.parametrize("cycles", sim.CYCLES)
@pytest.mark.parametrize("orientation", sim.ORIENTATIONS_DEG)
def test_the_channel_of_a_grating_responds_most(orientation, cycles):
    maps = sim._filter(make_grating(orientation, N / cycles)[None])[0]
    inner = maps[: len(sim.CHANNELS) - 2, 8:-8, 8:-8].mean(axis=(1, 2))
    best = sim.CHANNELS[int(inner.argmax())]
    assert best == f"energy_{orientation:g}deg_{cycles}cycles"
    assert inner.max() == pytest.approx(0.4, rel=0.15)  # the grating's amplitude


def test_energy_ignores_phase():
    seen = np.stack([make_grating(45, 8, phase) for phase in (0, 1, 2, 3)])
    energy = sim._filter(seen)[:, :12, 8:-8, 8:-8].mean(axis=(2, 3)).max(axis=1)
    assert np.ptp(energy) < 0.03 * energy.mean()


def test_channels_of_an_image_do_not_depend_on_the_others():
    seen = np.random.default_rng(0).random((4, N, N), np.float32)
    alone = np.concatenate([sim.compute_channels(seen[k : k + 1]) for k in range(4)])
    np.testing.assert_array_equal(sim.compute_channels(seen), alone)


def test_pooling_is_the_mean_under_a_gaussian():
    rng = np.random.default_rng(0)
    channels = rng.standard_normal((2, 14, N, N)).astype(np.float32)
    centres, sizes = np.array([[1.0, -2.0], [-3.0, 0.5]]), np.array([0.7, 1.5])
    pooled = sim.pool_channels(channels, centres, sizes, visual_field_deg=8.0)
    y, x = np.mgrid[:N, :N]
    x, y = (x + 0.5) / N * 8 - 4, 4 - (y + 0.5) / N * 8
    for v in range(2):
        squared = (x - centres[v, 0]) ** 2 + (y - centres[v, 1]) ** 2
        field = np.exp(-squared / (2 * sizes[v] ** 2))
        expected = (channels * field).sum(axis=(2, 3)) / field.sum()
        np.testing.assert_allclose(pooled[:, :, v], expected, atol=1e-5)


def test_upper_right_light_is_seen_by_the_upper_right_field():
    seen = np.full((1, N, N), 0.5, np.float32)
    seen[0, :8, -8:] = 1.0
    centres = np.array([[3, 3], [-3, 3], [3, -3], [-3, -3]], float)
    pooled = sim.pool_channels(sim.compute_channels(seen), centres, np.full(4, 0.5), 8.0)
    assert pooled[0, -1].argmax() == 0


def test_drive_is_the_formula_of_the_code():
    rng = np.random.default_rng(0)
    seen = rng.random((6, N, N), np.float32)
    tuning, object_tuning = rng.random((3, 14)), rng.standard_normal((3, 5))
    tuning[2], object_tuning[:2] = 0, 0
    code = make_code([[1, 1], [-2, 0], [0.5, -1]], [0.5, 0.8, 2], tuning, object_tuning)
    z = sim.pool_channels(sim.compute_channels(seen), code.centres_deg, code.sizes_deg, 8.0)
    expected = np.stack([z[:, :, v] @ tuning[v] for v in range(3)], axis=1)
    normalised = z[:, :, 2] / np.sqrt(0.1**2 + np.mean(z[:, :, 2] ** 2, axis=1, keepdims=True))
    units = np.maximum(normalised @ code.object_units - code.object_thresholds, 0)
    expected[:, 2] += units @ object_tuning[2]
    np.testing.assert_allclose(sim.compute_drive(seen, code, 8.0), expected, atol=1e-4)


def test_vertices_that_see_no_difference_are_silent():
    seen = np.full((20, N, N), 0.5, np.float32)
    seen[:, :, : N // 4] = np.random.default_rng(0).random((20, N, N // 4), np.float32)
    code = make_code([[-3.5, 0], [3.5, 0]], [0.4, 0.4], np.ones((2, 14)))
    signal, silent = sim.standardise_drive(sim.compute_drive(seen, code, 8.0), code)
    assert silent.tolist() == [False, True]
    assert np.abs(signal[:, 1]).max() == 0
    np.testing.assert_allclose(signal[:, 0].mean(), 0, atol=1e-9)
    np.testing.assert_allclose(signal[:, 0].std(), 1, atol=1e-9)


def test_the_map_of_the_visual_field():
    sphere = make_sphere()
    pole = int(np.argmin(sphere[:, 1]))  # posterior
    inside = sim.find_patch(sphere, pole, 1000)
    distance = np.linalg.norm(sphere - sphere[pole], axis=1)
    assert distance[inside].max() <= np.delete(distance, inside).min()
    areas, centres = sim.map_visual_field(sphere, pole, inside, side=-1, radius_deg=4.0)
    np.testing.assert_allclose(np.bincount(areas) / 1000, sim.AREA_SHARES, atol=0.01)
    assert (centres[:, 0] <= 1e-9).all()
    assert np.linalg.norm(centres, axis=1).max() <= 4 + 1e-9
    height = sphere[inside, 2] - sphere[pole, 2]
    assert (centres[height > 5, 1] <= 0).all()  # dorsal of the pole: lower field
    assert (centres[height < -5, 1] >= 0).all()
    for area in range(4):  # eccentricity turns round at each border
        eccentricity = np.linalg.norm(centres[areas == area], axis=1)
        r = np.corrcoef(eccentricity, distance[inside][areas == area])[0, 1]
        assert r * (-1) ** area > 0.9
    sizes = sim.compute_field_sizes(areas, centres)
    assert sizes[areas == 3].mean() > 3 * sizes[areas == 0].mean()
