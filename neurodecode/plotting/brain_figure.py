"""Put the pictures of both hemispheres, a colour bar and their labels on one figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from neurodecode.plotting.brain_panels import (
    Paint,
    Panel,
    draw_flat,
    draw_solid,
    measure_flat,
    measure_solid,
)
from neurodecode.plotting.colours import OUTLINE_COLOURS, ColourScale
from neurodecode.plotting.cortex import HEMISPHERES, Cortex, load_fsaverage5
from neurodecode.plotting.figures import DPI, INK, MUTED, RED, add_pixels, add_text, make_figure

WIDTH_PX, EDGE_PX, GAP_PX = 1800, 30, 24
LABEL_PX, FLAT_GAP_PX, BAR_PX = 34, 22, 204
MOST_HEIGHT_PX, MOST_PX_PER_MM = 640, 3.2  # of solid views
LEAST_NAMED = 0.012  # share of its panel that a region covers to have its name there
FRONT_UP = ("dorsal", "ventral")
FOUR_VIEWS = ("lateral", "medial", "dorsal", "ventral")


@dataclass(frozen=True, eq=False)
class Layers:
    """What is drawn on the surface, by vertices of both hemispheres.

    Parameters
    ----------
    values : array of float, shape (n_vertices,)
        NaN is drawn as bare cortex.
    opacity : array of float, shape (n_vertices,), or None
    passes : array of bool, shape (n_vertices,), or None
        Where to draw a thin line around.
    outlines : mapping of str to array of bool, shape (n_vertices,)
        Regions to draw a line around, with their names.
    """

    values: np.ndarray
    opacity: np.ndarray | None = None
    passes: np.ndarray | None = None
    outlines: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class BrainFigure:
    """A drawn figure and where its panels lie.

    Parameters
    ----------
    figure : matplotlib Figure
    flat : mapping of hemisphere to (Panel, left, top)
        Corner of each flat map, pixels from the upper left of the figure.
    solid : mapping of (shape, hemisphere, view) to (Panel, left, top)
    """

    figure: Any
    flat: Mapping[str, tuple[Panel, int, int]]
    solid: Mapping[tuple[str, str, str], tuple[Panel, int, int]]


def plot_brain(
    layers: Layers,
    scale: ColourScale,
    *,
    cortex: Cortex | None = None,
    shapes: Sequence[str] = ("inflated", "flat"),
    views: Sequence[str] = FOUR_VIEWS,
    title: str = "",
    with_data: np.ndarray | None = None,
    notices: Sequence[str] = (),
) -> BrainFigure:
    """Draw values on the cortical surface.

    Parameters
    ----------
    layers : Layers
    scale : ColourScale
    cortex : Cortex or None
        fsaverage5 if None.
    shapes : sequence of {"inflated", "pial", "white", "flat"}
        Solid ones are drawn in every view.
    views : sequence of {"lateral", "medial", "dorsal", "ventral", "posterior", "anterior"}
    title : str
    with_data : array of bool, shape (n_vertices,), or None
        Crops the flat maps to these vertices; None shows them whole.
    notices : sequence of str
        Written in red beneath the title.
    """
    cortex = load_fsaverage5() if cortex is None else cortex
    paints = _halve_paint(layers, scale, cortex)
    rows = [
        row
        for shape in shapes
        if shape != "flat"
        for row in _draw_solid_rows(cortex, shape, split_views(views), paints)
    ]
    flat = _draw_flat_row(cortex, paints, with_data) if "flat" in shapes else {}
    lines = [line for notice in notices for line in _wrap(notice, 118)]
    top = EDGE_PX + (52 if title else 0) + 30 * len(lines) + (16 if lines else 0)
    heights = [max(panel.pixels.shape[0] for _, panel in row) for row in rows]
    flat_height = max((panel.pixels.shape[0] for panel, _ in flat.values()), default=0)
    body = sum(LABEL_PX + height + 44 for height in heights)
    body += flat_height + FLAT_GAP_PX if flat else 0
    figure = make_figure(WIDTH_PX, top + body + BAR_PX)
    if title:
        add_text(figure, WIDTH_PX / 2, EDGE_PX, title, size=11, weight="bold", ha="center")
    for number, line in enumerate(lines):
        at = EDGE_PX + (52 if title else 0) + 30 * number
        add_text(figure, WIDTH_PX / 2, at, line, size=7.5, color=RED, weight="bold", ha="center")
    n_solid = sum(shape != "flat" for shape in shapes)
    named = "flat" not in shapes  # else the names stand on the flat maps, which have room
    solid: dict[tuple[str, str, str], tuple[Panel, int, int]] = {}
    for row, height in zip(rows, heights, strict=True):
        placed = _place_solid(figure, row, top, height, several=n_solid > 1)
        for (shape, side, view), (panel, axes, left, at) in placed.items():
            _draw_lines(axes, panel, cortex, side, layers, named=named)
            solid[shape, side, view] = (panel, left, at)
        top += LABEL_PX + height + 44
    maps = {}
    for side, (panel, left) in flat.items():
        at = top + FLAT_GAP_PX + (flat_height - panel.pixels.shape[0]) // 2
        axes = add_pixels(figure, panel.pixels, left, at)
        if not rows:
            name = f"{side} hemisphere"
            add_text(figure, left + panel.pixels.shape[1] / 2, top - 8, name, size=8, ha="center")
        _draw_lines(axes, panel, cortex, side, layers, named=True)
        maps[side] = (panel, left, at)
    draw_colour_bar(figure, scale, top=int(figure.get_size_inches()[1] * DPI) - BAR_PX + 76)
    return BrainFigure(figure, maps, solid)


def split_views(views: Sequence[str]) -> list[Sequence[str]]:
    """Return the views by rows: up to three in each.

    Examples
    --------
    >>> split_views(["lateral", "medial", "dorsal", "ventral"])
    [['lateral', 'medial'], ['dorsal', 'ventral']]
    """
    n_rows = -(-len(views) // 3)
    most = -(-len(views) // n_rows) if n_rows else 1
    return [views[k : k + most] for k in range(0, len(views), most)]


def _halve_paint(layers: Layers, scale: ColourScale, cortex: Cortex) -> dict[str, Paint]:
    values = cortex.halve(layers.values)
    opacity = {} if layers.opacity is None else cortex.halve(layers.opacity)
    return {side: Paint(values[side], scale, opacity.get(side)) for side in HEMISPHERES}


def _draw_solid_rows(
    cortex: Cortex, shape: str, rows: Sequence[Sequence[str]], paints: Mapping[str, Paint]
) -> list[list[tuple[tuple[str, str, str], Panel]]]:
    """Return rows of panels: the left hemisphere's views, then the right one's, mirrored.

    All rows have one scale.
    """
    orders = [
        [("left", view) for view in views] + [("right", view) for view in views[::-1]]
        for views in rows
    ]
    scales = [MOST_PX_PER_MM]
    for order in orders:
        sizes = [measure_solid(cortex, shape, side, view) for side, view in order]
        room = WIDTH_PX - 2 * EDGE_PX - GAP_PX * (len(order) - 1) - 13 * len(order)
        scales.append(room / sum(width for width, _ in sizes))
        scales.append(MOST_HEIGHT_PX / max(height for _, height in sizes))
    return [
        [
            ((shape, side, view), draw_solid(cortex, shape, side, view, paints[side], min(scales)))
            for side, view in order
        ]
        for order in orders
    ]


def _draw_flat_row(
    cortex: Cortex, paints: Mapping[str, Paint], with_data: np.ndarray | None
) -> dict[str, tuple[Panel, int]]:
    """Return the panel of each hemisphere that has data, and its left edge."""
    chosen: dict[str, np.ndarray | None] = dict.fromkeys(HEMISPHERES)
    if with_data is not None:
        chosen = {side: half for side, half in cortex.halve(with_data).items() if half.any()}
    boxes = {side: measure_flat(cortex, side, half) for side, half in chosen.items()}
    widths = {side: box[1, 0] - box[0, 0] for side, box in boxes.items()}
    heights = [box[1, 1] - box[0, 1] for box in boxes.values()]
    gap = 2 * GAP_PX
    room = WIDTH_PX - 2 * EDGE_PX - gap * (len(boxes) - 1) - 14 * len(boxes)
    # A map of few vertices is not blown up beyond the height of a whole one.
    px_per_mm = min(room / sum(widths.values()), 820 / max(heights))
    panels = {
        side: draw_flat(cortex, side, paints[side], px_per_mm, box) for side, box in boxes.items()
    }
    total = sum(p.pixels.shape[1] for p in panels.values()) + gap * (len(panels) - 1)
    left = (WIDTH_PX - total) // 2
    placed: dict[str, tuple[Panel, int]] = {}
    for side, panel in panels.items():
        placed[side] = (panel, left)
        left += panel.pixels.shape[1] + gap
    return placed


def _place_solid(
    figure: Any,
    row: list[tuple[tuple[str, str, str], Panel]],
    top: int,
    row_height: int,
    several: bool,
) -> dict[tuple[str, str, str], tuple[Panel, Any, int, int]]:
    """Put a row of panels on the figure; ``several`` shapes are told apart by name."""
    total = sum(panel.pixels.shape[1] for _, panel in row) + GAP_PX * (len(row) - 1)
    left = (WIDTH_PX - total) // 2
    spans: dict[str, list[int]] = {}
    placed = {}
    for key, panel in row:
        shape, side, view = key
        height, width = panel.pixels.shape[:2]
        at = top + LABEL_PX + (row_height - height) // 2
        axes = add_pixels(figure, panel.pixels, left, at)
        placed[key] = (panel, axes, left, at)
        label = f"{view}, front up" if view in FRONT_UP else view
        below = top + LABEL_PX + row_height + 6
        add_text(figure, left + width / 2, below, label, size=7, color=MUTED, ha="center")
        spans.setdefault(side, []).extend((left, left + width))
        left += width + GAP_PX
    shape = row[0][0][0]
    for side, edges in spans.items():
        text = f"{side} hemisphere" + (f", {shape}" if several else "")
        add_text(figure, (min(edges) + max(edges)) / 2, top - 4, text, size=8, ha="center")
    return placed


def _draw_lines(
    axes: Any, panel: Panel, cortex: Cortex, side: str, layers: Layers, named: bool
) -> None:
    """Draw a line around what passes and around each region, with its name at its middle."""
    if layers.passes is not None:
        passing = cortex.halve(layers.passes.astype(float))[side]
        field = panel.raster.spread(panel.raster.interpolate(passing), 0.0)[::2, ::2]
        if 0 < field.mean() < 1 and field.max() >= 0.5:
            rows, columns = (np.arange(n) + 0.5 for n in field.shape)
            axes.contour(columns, rows, field, levels=[0.5], colors=INK, linewidths=0.6, zorder=2)
    for number, (name, region) in enumerate(layers.outlines.items()):
        inside = cortex.halve(region.astype(float))[side]
        field = panel.raster.spread(panel.raster.interpolate(inside), 0.0)[::2, ::2]
        if field.max() < 0.5:
            continue
        colour = OUTLINE_COLOURS[number % len(OUTLINE_COLOURS)]
        rows, columns = (np.arange(n) + 0.5 for n in field.shape)
        style = {"levels": [0.5], "zorder": 3}
        axes.contour(columns, rows, field, colors="white", linewidths=2.2, **style)
        axes.contour(columns, rows, field, colors=colour, linewidths=1.1, **style)
        within = np.argwhere(field >= 0.5)
        if not named or len(within) < LEAST_NAMED * field.size:
            continue
        middle = within.mean(axis=0)
        y, x = within[np.linalg.norm(within - middle, axis=1).argmin()]  # inside, if it is bent
        axes.text(
            x, y, name, ha="center", va="center", size=7, color=colour, family="DejaVu Sans",
            parse_math=False, zorder=4,
            bbox={"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 1.2},
        )  # fmt: skip


def draw_colour_bar(figure: Any, scale: ColourScale, top: int) -> None:
    """Draw a colour bar in the middle of a figure, with chance and threshold marked above it.

    Parameters
    ----------
    top : int
        Of the bar, pixels from the figure's top; needs 70 above it and 90 below.
    """
    width, height = figure.get_size_inches() * DPI
    bar, thick = 620, 26
    box = ((width - bar) / 2 / width, 1 - (top + thick) / height, bar / width, thick / height)
    axes = figure.add_axes(box)
    ramp = scale.colour_map()(np.linspace(0, 1, 256))[None, :, :3]
    axes.imshow(ramp, aspect="auto", extent=(scale.low, scale.high, 0, 1))
    axes.set_yticks([])
    axes.set_xticks(scale.list_ticks())
    axes.set_xlim(scale.low, scale.high)
    axes.tick_params(labelsize=7, labelfontfamily="DejaVu Sans", length=3, width=0.6, colors=INK)
    for spine in axes.spines.values():
        spine.set_visible(False)
    left = (width - bar) / 2
    for value, text, colour in (
        (scale.chance, "chance", INK),
        (scale.threshold, "threshold", MUTED),
    ):
        if value is None or not scale.low <= value <= scale.high:
            continue
        x = left + bar * (value - scale.low) / (scale.high - scale.low)
        both = (value, -value) if text == "threshold" and scale.low <= -value else (value,)
        for shade, line_width in (("white", 2.4), (colour, 1.2)):
            for at in both:  # a threshold holds on both sides of zero
                axes.axvline(at, ymin=-0.15, ymax=1.25, color=shade, lw=line_width, clip_on=False)
        # Above the bar; the threshold one line higher, so that the two never collide.
        lift = 36 if text == "chance" else 62
        written = f"{text} {round(value, 3) + 0.0:g}"
        add_text(figure, x, top - lift, written, size=7, color=colour, ha="center")
    add_text(figure, width / 2, top + thick + 44, scale.label, size=8.5, ha="center")


def _wrap(text: str, width: int) -> list[str]:
    import textwrap

    return textwrap.wrap(text, width) or [""]
