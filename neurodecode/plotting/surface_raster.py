"""Draw triangle meshes as pixels, exactly and without a graphics card.

Each pixel's centre is looked up in the projected triangles (edge functions, Pineda 1988, "A
parallel algorithm for polygon rasterization"), the nearest wins. Values are interpolated linearly
within a triangle over those of its corners that have one; a pixel shows a value where corners with
one hold at least half of the weight.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

OVERSAMPLING = 2  # pixels are drawn at twice the resolution and averaged, to smooth edges


@dataclass(frozen=True, eq=False)
class Raster:
    """Which triangle each pixel shows.

    Parameters
    ----------
    shape : (height, width)
    pixels : array of int, shape (n_pixels,)
        Pixels that show a triangle, counted along rows.
    corners : array of int, shape (n_pixels, 3)
        Vertices of that triangle.
    weights : array of float32, shape (n_pixels, 3)
        Barycentric.
    """

    shape: tuple[int, int]
    pixels: np.ndarray
    corners: np.ndarray
    weights: np.ndarray

    def interpolate(self, values: np.ndarray) -> np.ndarray:
        """Return vertex values, shape (n_vertices,), at the pixels; NaN where there are none."""
        if np.isfinite(values).all():
            return np.einsum("ij,ij->i", values[self.corners], self.weights)
        finite = np.isfinite(values)
        total = np.einsum("ij,ij->i", finite[self.corners].astype(np.float64), self.weights)
        known = np.where(finite, values, 0.0)
        summed = np.einsum("ij,ij->i", known[self.corners], self.weights)
        return np.divide(summed, total, out=np.full(total.shape, np.nan), where=total >= 0.5)

    def spread(self, values: np.ndarray, empty: float) -> np.ndarray:
        """Return the pixels' values, shape (n_pixels, ...), as an image (height, width, ...)."""
        image = np.full((self.shape[0] * self.shape[1], *values.shape[1:]), empty)
        image[self.pixels] = values
        return image.reshape(*self.shape, *values.shape[1:])


def rasterize(
    points: np.ndarray, depth: np.ndarray, faces: np.ndarray, shape: tuple[int, int]
) -> Raster:
    """Return which triangle each pixel shows.

    Parameters
    ----------
    points : array, shape (n_vertices, 2)
        x to the right and y downwards, in pixels; the centre of the first pixel is (0.5, 0.5).
    depth : array, shape (n_vertices,)
        Larger is nearer to the viewer.
    faces : array of int, shape (n_faces, 3)
    shape : (height, width)
    """
    height, width = shape
    # Farthest first, so that what is written last is what the viewer sees.
    faces = faces[np.argsort(depth[faces].mean(axis=1), kind="stable")]
    corners = points[faces]
    edges = _compute_weights(corners)
    faces, corners, edges = (
        a[np.isfinite(edges).all(axis=(1, 2))] for a in (faces, corners, edges)
    )
    low = np.floor(corners.min(axis=1) - 0.5).astype(int)
    extent = (np.ceil(corners.max(axis=1) - 0.5).astype(int) - low + 1).max(axis=1)
    found, owners = [np.zeros(0, int)], [np.zeros(0, int)]
    # Triangles of like size are tried together, on as small a square of pixels as holds them.
    sizes = np.ceil(np.maximum(extent, 1) / 4).astype(int) * 4
    for size in np.unique(sizes):
        members = np.flatnonzero(sizes == size)
        x = low[members, 0, None] + np.arange(size)
        y = low[members, 1, None] + np.arange(size)
        inside = (((x >= 0) & (x < width))[:, None, :]) & (((y >= 0) & (y < height))[:, :, None])
        for k in range(3):
            along_x = edges[members, k, 0, None] * (x + 0.5) + edges[members, k, 2, None]
            along_y = edges[members, k, 1, None] * (y + 0.5)
            inside &= along_x[:, None, :] + along_y[:, :, None] >= -1e-6
        member, row, column = np.nonzero(inside)
        found.append(y[member, row] * width + x[member, column])
        owners.append(members[member])
    pixel, owner = np.concatenate(found), np.concatenate(owners)
    face = np.full(height * width, -1)
    np.maximum.at(face, pixel, owner)
    shown = np.flatnonzero(face >= 0)
    row, column = np.divmod(shown, width)
    weights = np.empty((len(shown), 3), np.float32)
    for k in range(3):
        along_x, along_y, constant = edges[:, k].T
        at = face[shown]
        weights[:, k] = along_x[at] * (column + 0.5) + along_y[at] * (row + 0.5) + constant[at]
    np.clip(weights, 0, 1, out=weights)
    return Raster((height, width), shown, faces[face[shown]], weights)


def _compute_weights(corners: np.ndarray) -> np.ndarray:
    """Return how the barycentric weights depend on x, y and 1: shape (n_faces, 3, 3).

    The weights sum to one and are 1 at their own corner, so they are the inverse of the matrix of
    the corners. NaN for triangles that are seen from their edge.
    """
    (x0, y0), (x1, y1), (x2, y2) = (corners[:, k].T for k in range(3))
    area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
    area = np.where(np.abs(area) < 1e-9, np.nan, area)
    rows = [
        np.stack([ya - yb, xb - xa, xa * yb - xb * ya], axis=1)
        for xa, ya, xb, yb in ((x1, y1, x2, y2), (x2, y2, x0, y0), (x0, y0, x1, y1))
    ]
    return np.stack(rows, axis=1) / area[:, None, None]


def shrink(pixels: np.ndarray) -> np.ndarray:
    """Return an image averaged over squares of ``OVERSAMPLING`` pixels."""
    height, width = (n // OVERSAMPLING for n in pixels.shape[:2])
    cut = pixels[: height * OVERSAMPLING, : width * OVERSAMPLING]
    return cut.reshape(height, OVERSAMPLING, width, OVERSAMPLING, -1).mean(axis=(1, 3))
