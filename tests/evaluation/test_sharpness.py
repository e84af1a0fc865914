import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from neurodecode.core.errors import DataError
from neurodecode.evaluation.sharpness import Sharpness
from tests.evaluation.evaluation_data import make_random_images, make_reconstructions, make_stimuli


@pytest.fixture
def planted():
    images = make_random_images(8, n_colours=3)
    noise = np.random.default_rng(1).random(images.shape)
    return make_stimuli(images), make_reconstructions((0.5 * images / 255 + 0.5 * noise)[:, None])


def test_sharpness_is_one_for_the_real_and_below_for_the_blurred(planted):
    stimuli, _ = planted
    real = np.asarray(stimuli.data)[:, None] / 255
    np.testing.assert_allclose(
        Sharpness().run(make_reconstructions(real), stimuli).values, 1, atol=1e-5
    )
    blurred = gaussian_filter(real, (0, 0, 2, 2, 0))
    scores = Sharpness().run(make_reconstructions(blurred), stimuli)
    assert scores.values.max() < 0.3
    assert scores.summary["chance"][0] == pytest.approx(1 / np.sqrt(8), abs=0.05)


def test_constant_images_are_refused(planted):
    _, made = planted
    with pytest.raises(DataError, match="constant"):
        Sharpness().run(made, make_stimuli(np.zeros((8, 16, 16, 3))))
