import numpy as np
import pytest
from PIL import Image
from skimage.measure import block_reduce

from neurodecode.core.artifacts import Reconstructions, Stimuli, make_items
from neurodecode.core.errors import DataError
from neurodecode.core.tables import Table
from neurodecode.features.pixels import Pixels, pixels_to_images


def make_stimuli(n=7, height=12, width=12, n_colours=3, seed=0):
    data = np.random.default_rng(seed).integers(0, 256, (n, height, width, n_colours), np.uint8)
    return Stimuli(data=data, items=make_items([f"image{i}" for i in range(n)], data))


def test_pixels_come_back_as_images():
    stimuli = make_stimuli(height=5, width=8)
    features = Pixels().run(stimuli)
    extractor = features.extractor
    images = pixels_to_images(
        features.data, extractor["height"], extractor["width"], extractor["n_colours"]
    )
    assert features.data.dtype == np.float32
    np.testing.assert_array_equal(np.rint(images * 255).astype(np.uint8), stimuli.data)
    for column in ("id", "source", "digest"):
        np.testing.assert_array_equal(features.items[column], stimuli.items[column])


def test_shrinking_averages_areas():
    stimuli = make_stimuli()
    features = Pixels(size_px=4).run(stimuli)
    expected = block_reduce(stimuli.data.astype(float) / 255, (1, 3, 3, 1), np.mean)
    np.testing.assert_allclose(features.data, expected.reshape(7, -1), atol=1e-6)


def test_shrinking_by_a_fraction_agrees_with_pillows_box_filter():
    stimuli = make_stimuli(n=2, height=15, width=15, n_colours=1)
    found = Pixels(size_px=4).run(stimuli).data.reshape(2, 4, 4)
    for image, small in zip(stimuli.data[..., 0], found, strict=True):
        # Pillow's box takes whole pixels, ours their shared parts; both keep the mean.
        assert small.mean() == pytest.approx(image.mean() / 255, abs=1e-6)
        box = np.asarray(
            Image.fromarray(image.astype(np.float32)).resize((5, 5), Image.Resampling.BOX)
        )
        exact = Pixels(size_px=5).run(
            Stimuli(data=image[None, ..., None], items=make_items(["a"], image[None]))
        )
        np.testing.assert_allclose(exact.data.reshape(5, 5), box / 255, atol=1e-6)


def test_grey_is_pillows_luminance():
    stimuli = make_stimuli(n=3)
    features = Pixels(grey=True).run(stimuli)
    for image, row in zip(stimuli.data, features.data, strict=True):
        expected = np.asarray(Image.fromarray(image).convert("L"), float) / 255
        np.testing.assert_allclose(row.reshape(12, 12), expected, atol=1.01 / 255)
    assert features.extractor["n_colours"] == 1


@pytest.mark.parametrize(
    ("size_px", "shape"), [(6, (6, 9)), ((4, 10), (4, 10)), (None, (12, 18)), (24, (24, 36))]
)
def test_size_is_that_of_the_shorter_side(size_px, shape):
    features = Pixels(size_px=size_px).run(make_stimuli(height=12, width=18))
    assert (features.extractor["height"], features.extractor["width"]) == shape
    assert features.data.shape == (7, shape[0] * shape[1] * 3)
    assert 0 <= features.data.min() <= features.data.max() <= 1


def test_batch_size_does_not_matter():
    stimuli = make_stimuli(height=11, width=13)
    first = Pixels(size_px=5, execution={"batch_size": 1}).run(stimuli)
    second = Pixels(size_px=5, execution={"batch_size": 3}).run(stimuli)
    np.testing.assert_array_equal(first.data, second.data)
    assert first.extractor == second.extractor


def test_reconstructions_are_read_like_stimuli():
    stimuli = make_stimuli(n=3)
    data = (stimuli.data / np.float32(255))[:, None].repeat(2, axis=1)
    data[:, 1] = 1 - data[:, 1]
    several = Reconstructions(
        data=data, items=Table({"id": stimuli.items["id"], "fold": [0, 0, 1]})
    )
    one = Reconstructions(data=data[:, :1], items=several.items)
    expected = Pixels(size_px=4).run(stimuli).data
    np.testing.assert_array_equal(Pixels(size_px=4).run(one).data, expected)
    both = Pixels(size_px=4).run(several).data
    assert both.shape == (3, 2, 48)
    np.testing.assert_array_equal(both[:, 0], expected)
    np.testing.assert_allclose(both[:, 1], 1 - expected, atol=1e-6)


def test_golden_vector_is_the_same_everywhere():
    golden = Pixels(size_px=8).run(make_stimuli()).extractor["golden"]
    assert golden == Pixels(size_px=8).run(make_stimuli(seed=1)).extractor["golden"]
    assert len(golden) == 16
    # The red ramp rises by four a pixel: its first cells average 14 and 46 of 255.
    np.testing.assert_allclose(golden[0:6:3], np.array([14, 46]) / 255, atol=1e-4)


def test_bad_input_is_refused():
    text = Stimuli(data=np.array(["a"]), items=make_items(["a"], np.array(["a"])), of="text")
    with pytest.raises(DataError, match="of kind 'text'"):
        Pixels().run(text)
    with pytest.raises(DataError, match="one colour or three"):
        Pixels().run(make_stimuli(n_colours=4))
    with pytest.raises(DataError, match="features, but 2 x 2 x 1 pixels are 4"):
        pixels_to_images(np.zeros((1, 5)), 2, 2, 1)
    wrong = Reconstructions(
        data=np.full((1, 1, 4, 4, 1), 255, np.float32), items=Table({"id": ["a"], "fold": [0]})
    )
    with pytest.raises(DataError, match=r"values from 255 to 255.*\[0, 1\]"):
        Pixels().run(wrong)
