import numpy as np
import pytest
from pydantic import ValidationError

from neurodecode.core.artifacts import Stimuli, make_items
from neurodecode.core.errors import DataError
from neurodecode.features.gabor import Gabor
from neurodecode.features.gabor_network import GaborPyramid
from neurodecode.numerics.gabor import make_gabor_filter, make_gabor_scale

SETTINGS = {"size_px": 32, "n_scales": 3, "n_orientations": 4, "cycles_per_image": (2, 8)}


def make_stimuli(images):
    data = np.rint(np.asarray(images) * 255).astype(np.uint8)[..., None]
    return Stimuli(data=data, items=make_items([f"image{i}" for i in range(len(data))], data))


def make_grating(cycles, theta, phase=0.0, size=32):
    y, x = (np.mgrid[:size, :size] + 0.5) / size
    wave = np.cos(2 * np.pi * cycles * (x * np.cos(theta) + y * np.sin(theta)) + phase)
    return 0.5 + 0.4 * wave


def read_channels(features, n_orientations=4):
    """Return energies averaged over places, shape (n_images, n_scales, n_orientations)."""
    bands = [b for name, b in features.bands.items() if name != "luminance"]
    n = len(features.data)
    return np.stack(
        [features.data[:, a:b].reshape(n, n_orientations, -1).mean(-1) for a, b in bands], axis=1
    )


def test_a_grating_peaks_at_its_own_channel():
    cycles, thetas = (2.0, 4.0, 8.0), np.arange(4) * np.pi / 4
    images = [make_grating(f, theta) for f in cycles for theta in thetas]
    found = read_channels(Gabor(**SETTINGS).run(make_stimuli(images))).reshape(12, 12)
    np.testing.assert_array_equal(found.argmax(axis=1), np.arange(12))
    second = np.sort(found, axis=1)[:, -2]
    assert (found.max(axis=1) > 1.3 * second).all()


def test_energy_does_not_depend_on_phase_but_phase_pairs_do():
    phases = np.arange(8) * np.pi / 4
    stimuli = make_stimuli([make_grating(8, np.pi / 4, phase) for phase in phases])
    energy = Gabor(**SETTINGS, compression="none").run(stimuli)
    a, b = energy.bands["8_cycles"]
    grid = energy.data[:, a:b].reshape(8, 4, 8, 8)[:, 1, 2:6, 2:6]  # its channel, off the edges
    assert (grid.std(axis=0) / grid.mean(axis=0)).max() < 0.02
    pairs = Gabor(**SETTINGS, output="phase_pairs", compression="none").run(stimuli)
    a, b = pairs.bands["8_cycles"]
    even = pairs.data[:, a:b].reshape(8, 2, 4, 8, 8)[:, 0, 1, 4, 4]
    assert np.ptp(even) > 0.9 * 2 * np.sqrt(grid[:, 2, 2].mean())


def test_responses_are_correlations_with_the_filters():
    rng = np.random.default_rng(0)
    height, width = 20, 28
    images = rng.random((3, height, width)).astype(np.float32)
    scale = make_gabor_scale(height, width, 4, 6)
    assert scale.grid == (4, 6)
    found = GaborPyramid([scale], "cpu").respond(images)[0]
    y, x = np.mgrid[:height, :width] + 0.5
    for orientation, row, column in [(0, 0, 0), (1, 2, 3), (5, 3, 5)]:
        # The equation at the head of numerics/gabor.py, written out anew.
        theta = orientation * np.pi / 6
        dy, dx = y - (row + 0.5) * height / 4, x - (column + 0.5) * width / 6
        sigma = 0.5622 * height / 4
        envelope = np.exp(-(dy**2 + dx**2) / (2 * sigma**2))
        angle = 2 * np.pi * 4 / height * (dx * np.cos(theta) + dy * np.sin(theta))
        for part, wave in enumerate((np.cos(angle), np.sin(angle))):
            wavelet = envelope * wave
            wavelet -= envelope * wavelet.sum() / envelope.sum()
            wavelet /= np.linalg.norm(wavelet)
            built = make_gabor_filter(scale, orientation, row, column)[part]
            np.testing.assert_allclose(built, wavelet, atol=1e-4)
            expected = (images * wavelet).sum(axis=(1, 2))
            np.testing.assert_allclose(
                found[:, part, orientation, row, column], expected, atol=2e-3
            )


def test_filters_have_mean_zero_and_length_one():
    scale = make_gabor_scale(32, 32, 2, 4)
    for row in range(2):
        for even_or_odd in make_gabor_filter(scale, 3, row, 1):
            assert abs(even_or_odd.sum()) < 1e-9
            assert np.linalg.norm(even_or_odd) == pytest.approx(1)


def test_the_pyramid_of_kay_has_as_many_places_as_cycles():
    features = Gabor(luminance=False).run(make_stimuli(np.full((1, 128, 128), 0.5)))
    assert features.data.shape == (1, 8 * (1 + 4 + 16 + 64 + 256 + 1024))
    assert list(features.bands)[-1] == "32_cycles"
    np.testing.assert_allclose(features.data, 0, atol=1e-4)  # nothing but luminance


def test_luminance_is_the_last_column():
    images = np.full((2, 16, 16), 0.2)
    images[1] = 0.6
    features = Gabor(size_px=16, n_scales=1, cycles_per_image=(2, 2)).run(make_stimuli(images))
    np.testing.assert_allclose(features.data[:, -1], [0.2, 0.6], atol=1e-6)
    assert features.bands["luminance"] == (32, 33)


def test_pooling_averages_places():
    rng = np.random.default_rng(1)
    stimuli = make_stimuli(rng.random((2, 32, 48)))
    fine = Gabor(**SETTINGS).run(stimuli)
    coarse = Gabor(**SETTINGS, grid=4).run(stimuli)
    a, b = fine.bands["8_cycles"]
    c, d = coarse.bands["8_cycles"]
    expected = fine.data[:, a:b].reshape(2, 4, 4, 2, 6, 2).mean(axis=(3, 5))
    np.testing.assert_allclose(coarse.data[:, c:d].reshape(2, 4, 4, 6), expected, rtol=1e-5)
    assert coarse.bands["2_cycles"] == fine.bands["2_cycles"]
    assert coarse.bands["luminance"][1] == coarse.data.shape[1]


def test_compression_and_batches():
    stimuli = make_stimuli(np.random.default_rng(2).random((7, 32, 32)))
    energy = Gabor(**SETTINGS, compression="none", luminance=False).run(stimuli).data
    for compression, expected in (("sqrt", np.sqrt(energy)), ("log", np.log1p(energy))):
        stage = Gabor(**SETTINGS, compression=compression, luminance=False)
        np.testing.assert_allclose(stage.run(stimuli).data, expected, rtol=1e-5)
    one = Gabor(**SETTINGS, execution={"batch_size": 1}).run(stimuli)
    three = Gabor(**SETTINGS, execution={"batch_size": 3}).run(stimuli)
    np.testing.assert_allclose(one.data, three.data, atol=1e-5)
    assert one.extractor == three.extractor
    np.testing.assert_array_equal(one.items["digest"], stimuli.items["digest"])


def test_bad_settings_are_refused():
    with pytest.raises(ValidationError, match="64 pixels hold at most 32 cycles"):
        Gabor(size_px=64, cycles_per_image=(1, 40))
    with pytest.raises(ValidationError, match="phase_pairs are signed"):
        Gabor(output="phase_pairs")
    with pytest.raises(ValidationError, match=r"Give \(low, high\)"):
        Gabor(cycles_per_image=(8, 2))
    with pytest.raises(DataError, match="shorter side of 16 pixels holds at most 8"):
        Gabor(size_px=None).run(make_stimuli(np.zeros((1, 16, 16))))
