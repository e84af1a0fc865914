"""Slices of a volume and its projections in a glass brain, drawn by nilearn on figures of ours.

nilearn (Abraham et al. 2014) cuts and projects; where panels lie, the colour bar and the words are
as on the surface maps. A grid that is tilted against the head's axes is drawn as it was scanned.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from neurodecode.plotting.brain_figure import draw_colour_bar
from neurodecode.plotting.colours import OUTLINE_COLOURS, ColourScale
from neurodecode.plotting.figures import DPI, MUTED, RED, add_text, make_figure
from neurodecode.plotting.volume_background import LEAST_GREY, Background, measure_tilt, resample

WIDTH_PX, EDGE_PX, GAP_PX, BAR_PX = 1800, 30, 16, 204
MOST_PX_PER_MM, MOST_ROW_PX = 9.0, 620
AXES = "xyz"
TILT_DEG = 1e-3  # more than that, beyond rounding, is drawn on the scan's own grid
FINE_MM = 1.0


@dataclass(frozen=True, eq=False)
class VolumeLayers:
    """What is drawn of a volume; arrays of one shape (x, y, z).

    Parameters
    ----------
    values : array of float
        0 where nothing is shown.
    opacity : array of float in [0, 1]
    passes : array of bool, or None
        Where to draw a thin line around.
    affine : array, shape (4, 4)
    mask : array of bool
    background : Background or None
    outlines : mapping of str to array of bool
    """

    values: np.ndarray
    opacity: np.ndarray
    passes: np.ndarray | None
    affine: np.ndarray
    mask: np.ndarray
    background: Background | None
    outlines: Mapping[str, np.ndarray]


def straighten(layers: VolumeLayers) -> VolumeLayers:
    """Return the layers on a grid along the head's axes: the same voxels, about the same middle."""
    import nibabel

    affine = layers.affine
    turn = nibabel.io_orientation(affine)
    straight = np.eye(4)
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    straight[:3, :3] = 0
    for axis, (to, sign) in enumerate(turn):
        straight[int(to), axis] = sign * sizes[axis]
    middle = (np.array(layers.mask.shape) - 1) / 2
    straight[:3, 3] = affine[:3, :3] @ middle + affine[:3, 3] - straight[:3, :3] @ middle
    background = layers.background
    if background is not None:
        factor = max(1, min(4, round(float(sizes.min()) / FINE_MM)))
        finer = np.diag([1 / factor] * 3 + [1.0])
        finer[:3, 3] = (1 / factor - 1) / 2
        shape = tuple(n * factor for n in layers.mask.shape)
        data = resample(background, shape, affine @ finer)
        background = Background(data, straight @ finer, background.words)
    return replace(layers, affine=straight, background=background)


def crop(layers: VolumeLayers) -> VolumeLayers:
    """Return the layers about the mask, where no background shows where that lies.

    A frame of two voxels is left, or a tenth of the mask's extent.
    """
    if layers.background is not None or not layers.mask.any():
        return layers
    places = np.argwhere(layers.mask)
    low, high = places.min(axis=0), places.max(axis=0) + 1
    frame = np.maximum(2, (high - low) // 10)
    low, high = np.maximum(low - frame, 0), np.minimum(high + frame, layers.mask.shape)
    inside = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    affine = layers.affine.astype(float)
    affine[:3, 3] += affine[:3, :3] @ low
    return replace(
        layers,
        values=layers.values[inside],
        opacity=layers.opacity[inside],
        passes=None if layers.passes is None else layers.passes[inside],
        affine=affine,
        mask=layers.mask[inside],
        outlines={name: region[inside] for name, region in layers.outlines.items()},
    )


def list_axes(shape: Sequence[int], affine: np.ndarray) -> list[str]:
    """Return the axes, "x", "y" or "z", that can be cut: whose planes are more than a line."""
    import nibabel

    to_head = nibabel.io_orientation(affine)[:, 0].astype(int)
    extent = {AXES[to]: n for to, n in zip(to_head, shape, strict=True)}
    return [a for a in AXES if all(n > 1 for other, n in extent.items() if other != a)]


def choose_cuts(layers: VolumeLayers, n_cuts: int) -> dict[str, list[float]]:
    """Return where to cut, mm, for every axis that can be cut.

    One cut goes through the strongest value; several are spread evenly between the 2nd and the
    98th percentile of the places of what passes (of the mask, where nothing does), a voxel apart
    or more.
    """
    weight = np.abs(layers.values) * layers.opacity
    strong = layers.passes if layers.passes is not None else layers.opacity >= 1
    chosen = strong if strong.any() else layers.mask
    peak = np.unravel_index(np.where(layers.mask, weight, -1).argmax(), weight.shape)
    places = np.argwhere(chosen) @ layers.affine[:3, :3].T + layers.affine[:3, 3]
    at_peak = layers.affine[:3, :3] @ np.array(peak) + layers.affine[:3, 3]
    cuts = {}
    for axis in list_axes(weight.shape, layers.affine):
        along, k = places[:, AXES.index(axis)], AXES.index(axis)
        if n_cuts == 1:
            cuts[axis] = [float(at_peak[k])]
            continue
        # planes of the grid, so that no cut falls between two
        planes = np.unique(np.round(along, 3))
        low, high = np.percentile(along, [2, 98])
        wanted = np.linspace(low, high, min(n_cuts, len(planes)))
        nearest = planes[np.abs(planes[:, None] - wanted).argmin(axis=0)]
        cuts[axis] = [float(c) for c in np.unique(nearest)]
    return cuts


def plot_slices(
    layers: VolumeLayers,
    scale: ColourScale,
    cuts: Mapping[str, Sequence[float]],
    *,
    title: str = "",
    notices: Sequence[str] = (),
) -> Any:
    """Draw slices: a row for each axis, or one row where there is one cut for each.

    Parameters
    ----------
    cuts : mapping of {"x", "y", "z"} to sequence of float
        Millimetres.

    Returns
    -------
    figure : matplotlib Figure
    """
    from nibabel import Nifti1Image
    from nilearn import plotting

    low, high = _measure_extent(layers)
    extent = high - low
    if all(len(some) == 1 for some in cuts.values()):
        rows = [[(axis, some[0]) for axis, some in cuts.items()]]
    else:
        rows = [[(axis, cut) for cut in some] for axis, some in cuts.items()]
    sizes = {axis: np.delete(extent, AXES.index(axis)) for axis in cuts}
    px_per_mm = MOST_PX_PER_MM
    for row in rows:
        room = WIDTH_PX - 2 * EDGE_PX - GAP_PX * (len(row) - 1)
        px_per_mm = min(px_per_mm, room / sum(sizes[axis][0] for axis, _ in row))
        px_per_mm = min(px_per_mm, MOST_ROW_PX / max(sizes[axis][1] for axis, _ in row))
    heights = [max(sizes[axis][1] for axis, _ in row) * px_per_mm for row in rows]
    legend = 40 if layers.outlines else 0
    top, figure = _start_figure(sum(heights) + 52 * len(rows) + legend, title, notices)
    image = Nifti1Image(layers.values.astype(np.float32), layers.affine)
    values, opacity, affine = _turn(layers.affine, layers.values, layers.opacity)
    ground = None if layers.background is None else _grey(layers.background)
    for row, height in zip(rows, heights, strict=True):
        widths = [sizes[axis][0] * px_per_mm for axis, _ in row]
        left = (WIDTH_PX - sum(widths) - GAP_PX * (len(row) - 1)) / 2
        for (axis, cut), width in zip(row, widths, strict=True):
            tall = sizes[axis][1] * px_per_mm
            display = plotting.plot_stat_map(
                image, bg_img=None, figure=figure,
                axes=_make_box(figure, left, top + (height - tall) / 2, width, tall),
                display_mode=axis, cut_coords=[cut], colorbar=False, draw_cross=False,
                annotate=False, cmap=scale.colour_map(), vmin=scale.low, vmax=scale.high,
                symmetric_cbar=False, threshold=None, transparency=0.0, black_bg=False,
            )  # fmt: skip
            axes = display.axes[cut].ax
            if ground is not None:
                _lay(axes, *ground, axis, cut)
            _lay(axes, scale(values), opacity, affine, axis, cut)
            _draw_contours(display, layers, ground is None)
            _set_limits(axes, low, high, axis)
            _label(figure, axis, cut, left, top + height, width)
            left += width + GAP_PX
        top += height + 52
    _draw_legend(figure, layers.outlines, top)
    draw_colour_bar(figure, scale, top=int(figure.get_size_inches()[1] * DPI) - BAR_PX + 76)
    return figure


def plot_glass(
    layers: VolumeLayers, scale: ColourScale, *, title: str = "", notices: Sequence[str] = ()
) -> Any:
    """Draw the strongest value that passes along each line of sight, in the MNI152 outline.

    Returns
    -------
    figure : matplotlib Figure
    """
    from nibabel import Nifti1Image
    from nilearn import plotting

    height = 500
    top, figure = _start_figure(height + 20, title, notices)
    passing = np.where(layers.opacity >= 1, layers.values, 0.0).astype(np.float32)
    plotting.plot_glass_brain(
        Nifti1Image(passing, layers.affine), figure=figure,
        axes=_make_box(figure, EDGE_PX, top, WIDTH_PX - 2 * EDGE_PX, height), display_mode="lyrz",
        colorbar=False, cmap=scale.colour_map(), vmin=scale.low, vmax=scale.high,
        symmetric_cbar=False, plot_abs=False, threshold=1e-9, black_bg=False,
        resampling_interpolation="nearest",
    )  # fmt: skip
    draw_colour_bar(figure, scale, top=int(figure.get_size_inches()[1] * DPI) - BAR_PX + 76)
    return figure


def _measure_extent(layers: VolumeLayers) -> tuple[np.ndarray, np.ndarray]:
    """Return where what is drawn begins and ends along x, y, z, mm, whole voxels."""
    ends = []
    for shape, affine in [(layers.mask.shape, layers.affine)] + (
        []
        if layers.background is None
        else [(layers.background.data.shape, layers.background.affine)]
    ):
        corners = np.array(np.meshgrid(*[(-0.5, n - 0.5) for n in shape])).reshape(3, -1)
        placed = affine[:3, :3] @ corners + affine[:3, 3:]
        ends.append(np.stack([placed.min(axis=1), placed.max(axis=1)]))
    return np.min([e[0] for e in ends], axis=0), np.max([e[1] for e in ends], axis=0)


def _start_figure(body: float, title: str, notices: Sequence[str]) -> tuple[float, Any]:
    lines = [line for notice in notices for line in textwrap.wrap(notice, 118)]
    top = EDGE_PX + (60 if title else 0) + 30 * len(lines) + (16 if lines else 0)
    figure = make_figure(WIDTH_PX, int(top + body + BAR_PX))
    if title:
        add_text(figure, WIDTH_PX / 2, EDGE_PX, title, size=11, weight="bold", ha="center")
    for number, line in enumerate(lines):
        at = EDGE_PX + (60 if title else 0) + 30 * number
        add_text(figure, WIDTH_PX / 2, at, line, size=7.5, color=RED, weight="bold", ha="center")
    return top, figure


def _make_box(
    figure: Any, left: float, top: float, width: float, height: float
) -> tuple[float, float, float, float]:
    across, down = figure.get_size_inches() * DPI
    return left / across, 1 - (top + height) / down, width / across, height / down


def _turn(affine: np.ndarray, *volumes: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return volumes with axes to the right, front and top, and then their affine."""
    import nibabel

    turn = nibabel.io_orientation(affine)
    back = nibabel.orientations.inv_ornt_aff(turn, volumes[0].shape)
    return *(nibabel.apply_orientation(v, turn) for v in volumes), affine @ back


def _grey(background: Background) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a background's colours, its opacity (0 where it is 0) and its affine, not oblique."""
    data, affine = background.data, background.affine
    if measure_tilt(affine) > TILT_DEG:
        corners = np.array(np.meshgrid(*[(0, n - 1) for n in data.shape])).reshape(3, -1)
        ends = affine[:3, :3] @ corners + affine[:3, 3:]
        straight = np.diag([FINE_MM] * 3 + [1.0])
        straight[:3, 3] = ends.min(axis=1)
        shape = tuple(int(n) + 1 for n in np.ptp(ends, axis=1) / FINE_MM)
        data, affine = resample(background, shape, straight), straight
    data, affine = _turn(affine, np.nan_to_num(data))
    seen = data[data > 0]
    low, high = np.percentile(seen, [1, 99]) if len(seen) else (0.0, 1.0)
    # lighter than black, so that dark colours of values stand out
    grey = 0.3 + 0.65 * np.clip((data - low) / max(float(high - low), 1e-9), 0, 1)
    return np.repeat(grey[..., None], 3, axis=-1), (data > LEAST_GREY * high).astype(float), affine


def _lay(
    axes: Any, colours: np.ndarray, opacity: np.ndarray, affine: np.ndarray, axis: str, cut: float
) -> None:
    """Lay one slice over what is there, voxel by voxel.

    nilearn spreads a slice between the middles of its outermost voxels, and stretches opacities
    between the least and the greatest that there are; here both are as they are.
    """
    k = AXES.index(axis)
    sizes, start = np.diag(affine)[:3], affine[:3, 3]
    plane = int(np.rint((cut - start[k]) / sizes[k]))
    if not 0 <= plane < opacity.shape[k]:
        return
    shown = np.take(colours, plane, axis=k).swapaxes(0, 1)
    alpha = np.take(opacity, plane, axis=k).T
    low, high = start - sizes / 2, start + (np.array(opacity.shape) - 0.5) * sizes
    across, up = (i for i in range(3) if i != k)
    axes.imshow(
        np.concatenate([shown, alpha[..., None]], axis=-1), origin="lower",
        extent=(low[across], high[across], low[up], high[up]), interpolation="nearest",
    )  # fmt: skip


def _set_limits(axes: Any, low: np.ndarray, high: np.ndarray, axis: str) -> None:
    across, up = (i for i in range(3) if i != AXES.index(axis))
    axes.set_xlim(low[across], high[across])
    axes.set_ylim(low[up], high[up])


def _draw_contours(display: Any, layers: VolumeLayers, bare: bool) -> None:
    from nibabel import Nifti1Image

    def add(inside: np.ndarray, colour: str, width: float) -> None:
        if inside.any() and not inside.all():
            image = Nifti1Image(inside.astype(np.float32), layers.affine)
            display.add_contours(image, levels=[0.5], colors=[colour], linewidths=width)

    if bare:
        add(layers.mask, "#aab2b8", 0.6)
    if layers.passes is not None:
        add(layers.passes, "#111111", 0.5)
    for number, region in enumerate(layers.outlines.values()):
        add(region, OUTLINE_COLOURS[number % len(OUTLINE_COLOURS)], 1.1)


def _label(figure: Any, axis: str, cut: float, left: float, bottom: float, width: float) -> None:
    """Write where a slice lies, between the sides that are to its left and right."""
    sides = "PA" if axis == "x" else "LR"
    written = f"{cut:.1f}".removesuffix(".0").replace("-0", "0" if round(cut, 1) == 0 else "-0")
    text = f"{sides[0]}    {axis} = {written}    {sides[1]}"
    add_text(figure, left + width / 2, bottom + 4, text, size=6.5, color=MUTED, ha="center")


def _draw_legend(figure: Any, outlines: Mapping[str, np.ndarray], top: float) -> None:
    if not outlines:
        return
    step = min(220, (WIDTH_PX - 2 * EDGE_PX) / len(outlines))
    left = (WIDTH_PX - step * len(outlines)) / 2
    for number, name in enumerate(outlines):
        colour = OUTLINE_COLOURS[number % len(OUTLINE_COLOURS)]
        at = left + step * (number + 0.5)
        add_text(figure, at, top, name, size=7.5, color=colour, ha="center", weight="bold")
