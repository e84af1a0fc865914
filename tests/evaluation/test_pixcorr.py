import numpy as np
import pytest
from scipy import stats

from neurodecode.core.errors import DataError
from neurodecode.evaluation.pixcorr import Pixcorr
from tests.evaluation.evaluation_data import make_random_images, make_reconstructions, make_stimuli


@pytest.fixture
def planted():
    images = make_random_images(8, n_colours=3)
    noise = np.random.default_rng(1).random(images.shape)
    return make_stimuli(images), make_reconstructions((0.5 * images / 255 + 0.5 * noise)[:, None])


def test_pixel_correlation_per_item_and_by_chance(planted):
    stimuli, made = planted
    scores = Pixcorr().run(made, stimuli)
    r = np.array(
        [[stats.pearsonr(a.ravel(), b.ravel()).statistic for b in stimuli.data] for a in made.data]
    )
    np.testing.assert_allclose(scores.values, np.diag(r), atol=1e-6)
    off = r[~np.eye(8, dtype=bool)].mean()
    assert scores.summary["chance"][0] == pytest.approx(off, abs=0.02)
    assert scores.summary["p"][0] == pytest.approx(1 / 101)
    assert scores.scale == "r"


def test_images_that_are_all_alike_raise_chance(planted):
    images = np.clip(make_random_images(8).astype(int) // 4 + 20 * np.arange(16)[:, None], 0, 255)
    images = images.reshape(8, 16, 16, 1)
    mean = np.broadcast_to(images.mean(axis=0) / 255, images.shape)
    scores = Pixcorr().run(make_reconstructions(mean[:, None]), make_stimuli(images))
    assert scores.summary["value"][0] > 0.5
    assert scores.summary["chance"][0] == pytest.approx(scores.summary["value"][0], abs=0.02)
    assert scores.summary["p"][0] > 0.3


def test_samples_are_averaged_and_sizes_matched(planted):
    stimuli, made = planted
    two = make_reconstructions(np.concatenate([made.data, 1 - made.data], axis=1))
    np.testing.assert_allclose(Pixcorr().run(two, stimuli).values, 0, atol=1e-6)
    scores = Pixcorr(size_px=10).run(made, stimuli)
    assert scores.notices[0] == "Compared at 10 x 10 pixels."
    grey = make_reconstructions(made.data[..., :1])
    assert Pixcorr().run(grey, stimuli).values.shape == (8,)


def test_interval_resamples_stimuli_not_presentations():
    images = make_random_images(6)
    ids = np.repeat([f"s{i:03d}" for i in range(6)], 5)
    rng = np.random.default_rng(0)
    strength = np.repeat(rng.random(6), 5)[:, None, None, None]
    shown = images[np.repeat(np.arange(6), 5)] / 255
    made = strength * shown + (1 - strength) * rng.random(shown.shape)
    summary = {
        unit: Pixcorr(n_permutations=0, resample=unit)
        .run(make_reconstructions(made[:, None], ids, run=np.tile(list("abcde"), 6)),
             make_stimuli(images)).summary
        for unit in ("stimulus", "run")
    }  # fmt: skip
    width = {unit: (table["high"] - table["low"])[0] for unit, table in summary.items()}
    assert summary["stimulus"]["n_units"][0] == 6
    assert width["stimulus"] > 5 * width["run"]


def test_refusals(planted):
    stimuli, made = planted
    with pytest.raises(DataError, match="absent"):
        Pixcorr().run(made, stimuli.take(np.arange(4)))
    broken = made.data.copy()
    broken[0, 0, 0, 0, 0] = np.nan
    with pytest.raises(DataError, match="NaN"):
        Pixcorr().run(make_reconstructions(broken), stimuli)
