import numpy as np
import pytest
from skimage.color import rgb2lab, rgb2xyz

from neurodecode.core.artifacts import Stimuli, make_items
from neurodecode.core.errors import DataError
from neurodecode.features.image_statistics import ImageStatistics, measure_images
from tests.examples import make_stimuli


def make_images(data):
    data = np.asarray(data, np.uint8)
    return Stimuli(data=data, items=make_items([f"i{k}" for k in range(len(data))], data))


def test_luminance_is_that_of_scikit_image():
    data = np.random.default_rng(0).integers(0, 256, (5, 9, 7, 3), np.uint8)
    features = ImageStatistics().run(make_images(data))
    Y = rgb2xyz(data)[..., 1]
    np.testing.assert_allclose(features.data[:, 0], Y.mean(axis=(1, 2)), atol=1e-3)
    np.testing.assert_allclose(features.data[:, 1], Y.std(axis=(1, 2)), atol=1e-3)
    assert features.bands == {"luminance": (0, 1), "contrast": (1, 2), "colour": (2, 5)}
    assert features.extractor["columns"][2:] == ["red_green", "blue_yellow", "saturation"]


def test_colours_lie_on_their_axes():
    names = {"red": (200, 40, 40), "green": (40, 200, 40), "blue": (40, 40, 200), "grey": (90,) * 3}
    data = np.stack([np.broadcast_to(np.uint8(c), (4, 4, 3)) for c in names.values()])
    found = dict(zip(names, measure_images(data / 255)["colour"], strict=True))
    lab = dict(zip(names, rgb2lab(data)[:, 0, 0], strict=True))
    for name in ("red", "green"):
        assert np.sign(found[name][0]) == np.sign(lab[name][1])
    assert np.sign(found["blue"][1]) == -np.sign(lab["blue"][2])
    np.testing.assert_allclose(found["grey"], 0, atol=1e-12)
    assert found["red"][2] > 0.4


def test_contrast_of_a_checkerboard_is_half_its_range():
    board = np.indices((8, 8)).sum(axis=0) % 2 * 255
    features = ImageStatistics(bands=["contrast"]).run(make_images(board[None, ..., None]))
    assert features.data[0, 0] == pytest.approx(0.5)


def test_grey_images_have_no_colour():
    with pytest.raises(DataError, match="no colour"):
        ImageStatistics().run(make_stimuli())
    with pytest.raises(DataError, match="twice"):
        ImageStatistics(bands=["contrast", "contrast"]).run(make_stimuli())
    data = ImageStatistics(bands=["contrast", "luminance"]).run(make_stimuli()).data
    assert data.shape == (12, 2)
