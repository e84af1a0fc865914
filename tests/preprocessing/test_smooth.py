from dataclasses import replace

import numpy as np
import pytest

from neurodecode.core.artifacts import Responses, Space, make_samples
from neurodecode.core.errors import DataError
from neurodecode.preprocessing.smooth import Smooth
from tests.examples import make_epochs, make_responses

SAMPLES = make_samples(dataset="smooth", stimulus_id=["", ""])


def test_a_blob_in_noise_comes_out_in_a_volume():
    rng = np.random.default_rng(0)
    mask = np.ones((16, 16, 8), bool)
    place = np.stack(np.indices(mask.shape)).reshape(3, -1).T * 3.0
    blob = np.exp(-((place - place.mean(axis=0)) ** 2).sum(axis=1) / (2 * 5.0**2))
    data = 3 * np.stack([blob, blob]) + rng.normal(size=(2, mask.size))
    space = Space(kind="volume", mask=mask, affine=np.diag([3.0, 3, 3, 1]))
    out = Smooth(fwhm_mm=9).run(
        Responses(data=data.astype(np.float32), samples=SAMPLES, space=space)
    )
    before, after = (np.corrcoef(rows[0], blob)[0, 1] for rows in (data, out.data))
    assert after > 0.75 > before + 0.3
    assert out.data.dtype == np.float32


def test_noise_on_fsaverage5_becomes_as_smooth_as_asked_for():
    """Width from the correlation of neighbours: fwhm = d sqrt(-2 ln 2 / ln r), r at distance d."""
    from nilearn.datasets import load_fsaverage

    rng = np.random.default_rng(1)
    order = rng.permutation(20484)
    space = Space(kind="surface", mesh="fsaverage5", vertices=order)
    noise = rng.normal(size=(2, 20484)).astype(np.float32)
    out = Smooth(fwhm_mm=12).run(Responses(data=noise, samples=SAMPLES, space=space))
    values = np.empty(20484)
    values[order] = out.data[0]
    shapes = load_fsaverage("fsaverage5")
    white, pial = (shapes[name].parts["left"] for name in ("white_matter", "pial"))
    points = (white.coordinates + pial.coordinates) / 2
    start, end = np.asarray(white.faces)[:, 0], np.asarray(white.faces)[:, 1]
    distance = np.linalg.norm(points[start] - points[end], axis=1).mean()
    r = np.corrcoef(values[start], values[end])[0, 1]
    # of smoothed noise, r(d) = exp(-d² / (4 sigma²))
    width = distance * np.sqrt(-2 * np.log(2) / np.log(r))
    assert width == pytest.approx(12, rel=0.15)
    assert values.std() < 0.5


def test_hemispheres_stay_apart():
    space = Space(kind="surface", mesh="fsaverage5", vertices=np.arange(20484))
    sides = np.where(np.arange(20484) < 10242, 1.0, -1.0)[None].repeat(2, axis=0)
    out = Smooth(fwhm_mm=20).run(Responses(data=sides, samples=SAMPLES, space=space))
    np.testing.assert_allclose(out.data, sides)


def test_what_has_no_distances_is_refused():
    responses = make_responses()
    with pytest.raises(DataError, match="kind 'parcels'"):
        Smooth(fwhm_mm=6).run(replace(responses, space=Space(kind="parcels")))
    other = replace(responses.space, mesh="fsLR32k")
    with pytest.raises(DataError, match="surface is 'fsLR32k'"):
        Smooth(fwhm_mm=6).run(replace(responses, space=other))
    with pytest.raises(DataError, match=r"\(24, 6, 5\)"):
        Smooth(fwhm_mm=6).run(make_epochs())
    data = np.array(responses.data)
    data[0, 0] = np.nan
    with pytest.raises(DataError, match="NaN"):
        Smooth(fwhm_mm=6).run(replace(responses, data=data))
