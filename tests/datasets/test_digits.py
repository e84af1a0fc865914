import numpy as np
import pytest
from pydantic import ValidationError
from sklearn.datasets import load_digits

from neurodecode.core.digests import digest_array
from neurodecode.core.errors import DataError
from neurodecode.datasets.digits import FACTS, Digits, resize_digits


def test_facts_hold_for_what_scikit_learn_ships():
    bundled = load_digits()
    assert bundled.images.shape == (FACTS["n_items"], *FACTS["image_shape"])
    assert (bundled.images.min(), bundled.images.max()) == FACTS["value_range"]
    assert tuple(np.bincount(bundled.target)) == FACTS["n_per_class"]


def test_original_size_keeps_every_pixel():
    stimuli = Digits(size_px=8).run()
    bundled = load_digits()
    assert stimuli.data.dtype == np.uint8
    np.testing.assert_allclose(stimuli.data[..., 0] / 255 * 16, bundled.images, atol=16 / 510)
    assert stimuli.items["id"][:2].tolist() == ["digits/0000", "digits/0001"]
    np.testing.assert_array_equal(stimuli.items["category"], bundled.target.astype(str))


def test_enlarged_digits_average_back_to_the_originals():
    images = load_digits().images[:100]
    large = resize_digits(images, 16)[..., 0].astype(float)
    means = large.reshape(100, 8, 2, 8, 2).mean((2, 4)) / 255 * 16
    assert large.shape == (100, 16, 16)
    assert np.corrcoef(means.ravel(), images.ravel())[0, 1] > 0.98


def test_a_flat_image_stays_flat():
    np.testing.assert_array_equal(resize_digits(np.full((1, 8, 8), 8.0), 20), 128)


def test_ranges_are_disjoint_and_seeded():
    one = Digits(n_items=50, shuffle=True, seed=3, classes=(6, 9)).run()
    two = Digits(n_items=50, first=50, shuffle=True, seed=3, classes=(6, 9)).run()
    assert not set(one.items["id"]) & set(two.items["id"])
    assert set(one.items["category"]) == {"6", "9"}
    again = Digits(n_items=50, shuffle=True, seed=3, classes=(6, 9)).run()
    assert digest_array(one.data) == digest_array(again.data)
    other = Digits(n_items=50, shuffle=True, seed=4, classes=(6, 9)).run()
    assert set(other.items["id"]) != set(one.items["id"])


def test_more_than_there_are_is_refused():
    with pytest.raises(DataError, match=r"only 31 of the 181 digits of classes \[6\]"):
        Digits(classes=(6,), first=150, n_items=50).run()
    with pytest.raises(DataError, match="only 0 of the 1797"):
        Digits(first=1797).run()


@pytest.mark.parametrize(
    "settings", [{"classes": (10,)}, {"classes": ()}, {"size_px": 0}, {"first": -1}]
)
def test_bad_settings_are_refused(settings):
    with pytest.raises(ValidationError):
        Digits(**settings)
