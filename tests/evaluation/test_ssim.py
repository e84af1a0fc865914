import numpy as np
import pytest
from skimage.metrics import structural_similarity

from neurodecode.core.errors import DataError
from neurodecode.evaluation.ssim import Ssim
from tests.evaluation.evaluation_data import make_random_images, make_reconstructions, make_stimuli


@pytest.fixture
def planted():
    images = make_random_images(8, n_colours=3)
    noise = np.random.default_rng(1).random(images.shape)
    return make_stimuli(images), make_reconstructions((0.5 * images / 255 + 0.5 * noise)[:, None])


def test_ssim_to_the_letter(planted):
    stimuli, made = planted
    from skimage.color import rgb2gray

    scores = Ssim(n_permutations=19).run(made, stimuli)
    expected = [
        structural_similarity(
            rgb2gray(a[0].astype(float)), rgb2gray(b / 255), gaussian_weights=True, sigma=1.5,
            use_sample_covariance=False, data_range=1.0,
        )
        for a, b in zip(made.data, stimuli.data, strict=True)
    ]  # fmt: skip
    np.testing.assert_allclose(scores.values, expected, atol=1e-5)
    assert scores.summary["p"][0] == pytest.approx(0.05)
    with pytest.raises(DataError, match="smaller than the window"):
        Ssim(size_px=10).run(made, stimuli)
