import numpy as np
import pytest

from neurodecode.core.errors import DataError
from neurodecode.core.raw import find_raw
from neurodecode.evaluation.digit_classifier import fit_digit_classifier, frame_digits
from neurodecode.evaluation.digit_confidence import DigitConfidence
from neurodecode.numerics.image_metrics import resize_images
from tests.evaluation.evaluation_data import make_reconstructions, make_stimuli


def make_digits(digits=(6, 9), n=15):
    from sklearn.datasets import load_digits

    data = load_digits()
    rows = np.concatenate([np.flatnonzero(data.target == d)[:n] for d in digits])
    images = resize_images(data.images[rows][..., None] / 16, 28, 28)
    return np.round(255 * images).astype(np.uint8), data.target[rows].astype(str)


def test_digits_are_read_and_noise_is_not():
    images, category = make_digits()
    stimuli = make_stimuli(images, category=category)
    real = make_reconstructions(images[:, None] / 255)
    stage = DigitConfidence(n_copies=0, n_passes=10)
    scores = stage.run(real, stimuli)
    assert scores.summary["value"][0] > 0.6
    np.testing.assert_allclose(scores.values, scores.ceiling, atol=1e-6)
    assert scores.summary["chance"][0] < 0.55
    assert scores.summary["p"][0] < 0.01
    wrong = stage.run(make_reconstructions(images[::-1][:, None] / 255), stimuli)
    assert wrong.summary["value"][0] < 0.2
    noise = np.random.default_rng(0).random((30, 1, 28, 28, 1))
    empty = stage.run(make_reconstructions(noise), stimuli)
    assert empty.summary["p"][0] > 0.01
    assert empty.summary["name"][1] == "confidence among 6, 9"


def test_frames_do_not_depend_on_place_size_or_slant():
    image = np.zeros((28, 28))
    image[4:20, 6:9] = 1
    image[17:20, 6:16] = 1
    moved, large = np.roll(image, (5, 4), (0, 1)), np.kron(image, np.ones((2, 2)))
    frame = frame_digits(np.array([image, moved]))
    np.testing.assert_allclose(frame[0], frame[1], atol=1e-12)
    assert np.corrcoef(frame[0], frame_digits(large[None])[0])[0, 1] > 0.9
    assert (frame_digits(np.zeros((1, 28, 28))) == 0).all()


def test_same_seed_same_reader():
    images, _ = make_digits()
    frames = frame_digits(images[..., 0] / 255)
    first, again = (fit_digit_classifier(0, 1, 3).predict_proba(frames) for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_other_categories_are_refused():
    images, _ = make_digits()
    stimuli = make_stimuli(images, category=["cat"] * len(images))
    with pytest.raises(DataError, match="the digits 0 to 9"):
        DigitConfidence().run(make_reconstructions(images[:, None] / 255), stimuli)


@pytest.mark.real_data
@pytest.mark.slow
def test_real_digits_are_read():
    from scipy.io import loadmat

    try:
        path = find_raw("digit69/digit69_28x28.mat", dataset="digit69", get="See data/README.md.")
    except DataError as error:
        pytest.skip(str(error))
    file = loadmat(path)
    shown = np.concatenate([file["stimTrn"], file["stimTest"]]).reshape(-1, 28, 28)
    images = np.ascontiguousarray(shown.transpose(0, 2, 1))[..., None]
    label = np.concatenate([file["labelTrn"], file["labelTest"]]).ravel()
    category = np.where(label == 1, "6", "9")
    stimuli = make_stimuli(images, category=category)
    scores = DigitConfidence().run(make_reconstructions(images[:, None] / 255), stimuli)
    assert scores.summary["value"][0] > 0.6  # among ten classes; chance 0.1
    assert scores.summary["value"][1] > 0.9  # 6 against 9


def test_digits_that_are_shown_are_not_learnt():
    """The reader of digits that come from its own collection is fitted without them."""
    from neurodecode.datasets.digits import Digits
    from neurodecode.evaluation.digit_confidence import _find_known_digits

    digits = Digits(n_items=3, first=5).run()
    assert _find_known_digits(digits) == [5, 6, 7]
    assert _find_known_digits(make_stimuli(make_digits()[0])) == []
    frames = frame_digits(make_digits()[0][..., 0] / 255)
    whole, without = (
        fit_digit_classifier(0, 1, 0, left_out).predict_proba(frames)
        for left_out in ((), range(900))
    )
    assert np.abs(whole - without).max() > 0.01
