import numpy as np
import pytest
import torch
from scipy import stats
from skimage.color import rgb2gray
from skimage.metrics import structural_similarity

from neurodecode.numerics.image_metrics import (
    compute_ssim,
    correlate_pixels,
    make_grey,
    match_colours,
    measure_sharpness,
    resize_images,
)


@pytest.fixture
def images():
    return np.random.default_rng(0).random((2, 3, 24, 31, 3)).astype(np.float32)


@pytest.mark.parametrize("size", [(12, 31), (50, 60), (7, 9)])
def test_resizing_equals_torch_antialiased(images, size):
    given = torch.from_numpy(images[0]).permute(0, 3, 1, 2)
    expected = torch.nn.functional.interpolate(given, size, mode="bilinear", antialias=True)
    found = resize_images(images[0], *size)
    np.testing.assert_allclose(found, expected.permute(0, 2, 3, 1).numpy(), atol=1e-5)


def test_ssim_equals_scikit_image(images):
    first, second = (make_grey(x) for x in images)
    np.testing.assert_allclose(first, rgb2gray(images[0]), atol=1e-6)
    expected = [
        structural_similarity(
            a.astype(float), b.astype(float), gaussian_weights=True, sigma=1.5,
            use_sample_covariance=False, data_range=1.0,
        )
        for a, b in zip(first, second, strict=True)
    ]  # fmt: skip
    np.testing.assert_allclose(compute_ssim(first, second), expected, atol=1e-10)
    np.testing.assert_allclose(compute_ssim(first, first), 1)


def test_pixel_correlation_equals_scipy(images):
    first, second = images
    expected = [
        stats.pearsonr(a.ravel(), b.ravel()).statistic for a, b in zip(*images, strict=True)
    ]
    np.testing.assert_allclose(correlate_pixels(first, second), expected, atol=1e-6)
    assert correlate_pixels(np.full_like(first, 0.1), second).tolist() == [0, 0, 0]


def test_grey_is_repeated_to_three_colours(images):
    grey, colour = match_colours(images[0][..., :1], images[1])
    assert grey.shape == colour.shape
    assert (grey[..., 0] == grey[..., 2]).all()


@pytest.mark.parametrize("measure", ["gradient", "laplacian"])
def test_sharpness_falls_with_blur_and_grows_with_contrast(images, measure):
    from scipy.ndimage import gaussian_filter

    grey = make_grey(images[0]).astype(np.float64)
    sharp = measure_sharpness(grey, measure)
    assert (measure_sharpness(gaussian_filter(grey, (0, 1, 1)), measure) < 0.5 * sharp).all()
    np.testing.assert_allclose(measure_sharpness(2 * grey, measure), 2 * sharp)
    assert measure_sharpness(np.ones((1, 5, 5)), measure)[0] == 0
