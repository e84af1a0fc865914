import numpy as np
import pytest

from neurodecode.numerics.volume_projection import make_projection

AFFINE = np.array([[2.0, 0, 0, -10], [0, 2.5, 0, -12], [0, 0, 3, -9], [0, 0, 0, 1]])
SHAPE = (10, 9, 8)


def make_surfaces(n=40, seed=0):
    rng = np.random.default_rng(seed)
    centre = rng.uniform((2, 2, 2), np.array(SHAPE) - 2, (n, 3)) @ AFFINE[:3, :3] + AFFINE[:3, 3]
    return centre, centre + rng.normal(scale=1.5, size=(n, 3))


def test_a_linear_field_is_read_exactly():
    white, pial = make_surfaces()
    slope = np.array([0.3, -1.0, 2.0])
    places = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), -1).reshape(-1, 3)
    field = (places @ AFFINE[:3, :3].T + AFFINE[:3, 3]) @ slope
    depths = (0.0, 0.25, 1.0)
    weights = make_projection(white, pial, np.ones(SHAPE, bool), AFFINE, depths, "linear")
    expected = np.mean([(white + d * (pial - white)) @ slope for d in depths], axis=0)
    np.testing.assert_allclose(weights @ field, expected, atol=1e-9)


@pytest.mark.parametrize("interpolation", ["nearest", "linear"])
def test_voxels_outside_the_mask_take_no_part(interpolation):
    white, pial = make_surfaces()
    mask = np.zeros(SHAPE, bool)
    mask[:5] = True
    weights = make_projection(white, pial, mask, AFFINE, interpolation=interpolation)
    total = np.asarray(weights.sum(axis=1)).ravel()
    assert weights.shape == (40, mask.sum())
    assert set(total.round(9)) == {0.0, 1.0}
    far = (np.minimum(white, pial)[:, 0] - AFFINE[0, 3]) / 2 > 5.2
    assert far.any()
    assert not total[far].any()
