from __future__ import annotations

import numpy as np

from neurodecode.plotting.surface_raster import rasterize, shrink


def test_covers_exactly_the_pixels_whose_centre_is_inside() -> None:
    from matplotlib.path import Path

    rng = np.random.default_rng(0)
    for _ in range(20):
        triangle = rng.uniform(-5, 35, (3, 2))
        raster = rasterize(triangle, np.zeros(3), np.array([[0, 1, 2]]), (30, 30))
        x, y = np.meshgrid(np.arange(30) + 0.5, np.arange(30) + 0.5)
        inside = Path(triangle).contains_points(np.stack([x.ravel(), y.ravel()], axis=1))
        assert np.array_equal(np.flatnonzero(inside), raster.pixels)


def test_interpolates_a_plane_exactly() -> None:
    rng = np.random.default_rng(1)
    points = rng.uniform(0, 40, (3, 2))
    values = 3 * points[:, 0] - 2 * points[:, 1] + 1
    raster = rasterize(points, np.zeros(3), np.array([[0, 1, 2]]), (40, 40))
    y, x = np.divmod(raster.pixels, 40)
    np.testing.assert_allclose(
        raster.interpolate(values), 3 * (x + 0.5) - 2 * (y + 0.5) + 1, atol=1e-3
    )


def test_the_nearer_triangle_hides_the_farther() -> None:
    points = np.array([[0, 0], [20, 0], [0, 20]] * 2, float)
    for near in (0, 1):
        depth = np.repeat([1.0, 1.0], 3)
        depth[near * 3 : near * 3 + 3] = 5.0
        raster = rasterize(points, depth, np.array([[0, 1, 2], [3, 4, 5]]), (20, 20))
        assert set(np.unique(raster.corners)) == set(range(near * 3, near * 3 + 3))


def test_a_missing_corner_leaves_the_half_near_it_empty() -> None:
    points = np.array([[0, 0], [40, 0], [0, 40]], float)
    raster = rasterize(points, np.zeros(3), np.array([[0, 1, 2]]), (40, 40))
    shown = raster.spread(raster.interpolate(np.array([np.nan, 2.0, 2.0])), -1.0)
    assert np.isnan(shown[1, 1])
    assert shown[1, 35] == 2.0
    assert shown[39, 39] == -1.0


def test_shrink_averages_squares() -> None:
    image = np.arange(16.0).reshape(4, 4, 1)
    np.testing.assert_allclose(shrink(image)[..., 0], [[2.5, 4.5], [10.5, 12.5]])
