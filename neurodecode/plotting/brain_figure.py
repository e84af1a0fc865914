"""Put the pictures of both hemispheres, a colour bar and their labels on one figure.

Colour maps are perceptually uniform and readable with colour-blindness: inferno and its relatives
for values on one side of chance, a blue-to-red one with a light middle for both sides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurodecode.plotting.brain_panels import (
    Panel,
    draw_flat,
    draw_inflated,
    measure_flat,
    measure_inflated,
)
from neurodecode.plotting.figures import DPI, INK, MUTED, RED, add_pixels, add_text, make_figure
from neurodecode.plotting.fsaverage5 import HEMISPHERES, N_VERTICES

WIDTH_PX, EDGE_PX, GAP_PX = 1800, 30, 24
INFLATED_ROW = (
    ("left", "lateral"), ("left", "medial"), ("left", "posterior"),
    ("right", "posterior"), ("right", "medial"), ("right", "lateral"),
)  # fmt: skip
OUTLINE_COLOURS = ("#0b6e4f", "#1f5fbf", "#8a2be2", "#00838f", "#5d4037", "#111111")


@dataclass(frozen=True)
class ColourScale:
    """Which value gets which colour.

    Parameters
    ----------
    low, high : float
        Values at the ends.
    name : str
        A matplotlib colour map.
    label : str
        What the colour bar says.
    chance : float or None
        Marked on the bar where it lies within.
    threshold : float or None
        Marked likewise.
    """

    low: float
    high: float
    name: str
    label: str
    chance: float | None = None
    threshold: float | None = None

    def colour_map(self) -> Any:
        """Return the matplotlib colour map, without inferno's near-black and near-white ends."""
        from matplotlib import colormaps
        from matplotlib.colors import ListedColormap

        part = (0.0, 1.0) if self.name == "RdBu_r" else (0.08, 0.97)
        return ListedColormap(colormaps[self.name](np.linspace(*part, 256)))

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Return the colours of values, shape (..., 3)."""
        share = np.clip((values - self.low) / (self.high - self.low), 0, 1)
        return self.colour_map()(share)[..., :3]


@dataclass(frozen=True, eq=False)
class BrainFigure:
    """A drawn figure and where its panels lie.

    Parameters
    ----------
    figure : matplotlib Figure
    flat : mapping of hemisphere to (Panel, left, top)
        Corner of each flat map, pixels from the upper left of the figure.
    """

    figure: Any
    flat: Mapping[str, tuple[Panel, int, int]]


def plot_brain(
    values: np.ndarray,
    scale: ColourScale,
    *,
    title: str = "",
    with_data: np.ndarray | None = None,
    outlines: Mapping[str, np.ndarray] | None = None,
    notices: Sequence[str] = (),
) -> BrainFigure:
    """Draw values on fsaverage5, inflated and flat.

    Parameters
    ----------
    values : array of float, shape (20484,)
        NaN is drawn as bare cortex.
    scale : ColourScale
    title : str
    with_data : array of bool, shape (20484,), or None
        Crops the flat maps to these vertices; None shows them whole.
    outlines : mapping of str to array of bool, shape (20484,)
        Regions to draw a line around, on the flat maps.
    notices : sequence of str
        Written in red beneath the title.
    """
    sides = {"left": values[:N_VERTICES], "right": values[N_VERTICES:]}
    inflated = _draw_inflated_row(sides, scale)
    flat = _draw_flat_row(sides, scale, with_data)
    lines = [line for notice in notices for line in _wrap(notice, 118)]
    top = EDGE_PX + (52 if title else 0) + 30 * len(lines) + (16 if lines else 0)
    row_height = max(panel.pixels.shape[0] for _, panel in inflated)
    flat_top = top + 34 + row_height + 56
    flat_height = max(panel.pixels.shape[0] for panel, _ in flat.values())
    height = flat_top + flat_height + 204
    figure = make_figure(WIDTH_PX, height)
    if title:
        add_text(figure, WIDTH_PX / 2, EDGE_PX, title, size=11, weight="bold", ha="center")
    for number, line in enumerate(lines):
        at = EDGE_PX + (52 if title else 0) + 30 * number
        add_text(figure, WIDTH_PX / 2, at, line, size=7.5, color=RED, weight="bold", ha="center")
    _place_inflated(figure, inflated, top, row_height)
    placed = {}
    for side, (panel, left) in flat.items():
        at = flat_top + (flat_height - panel.pixels.shape[0]) // 2
        axes = add_pixels(figure, panel.pixels, left, at)
        _draw_outlines(axes, panel, side, outlines or {})
        placed[side] = (panel, left, at)
    _draw_colour_bar(figure, scale, top=flat_top + flat_height + 76)
    return BrainFigure(figure, placed)


def _draw_inflated_row(
    sides: Mapping[str, np.ndarray], scale: ColourScale
) -> list[tuple[tuple[str, str], Panel]]:
    widths = [measure_inflated(*view)[0] for view in INFLATED_ROW]
    room = WIDTH_PX - 2 * EDGE_PX - GAP_PX * (len(INFLATED_ROW) - 1) - 12 * len(INFLATED_ROW)
    px_per_mm = (room - len(INFLATED_ROW)) / sum(widths)
    return [
        ((side, view), draw_inflated(side, view, sides[side], scale, px_per_mm))
        for side, view in INFLATED_ROW
    ]


def _draw_flat_row(
    sides: Mapping[str, np.ndarray], scale: ColourScale, with_data: np.ndarray | None
) -> dict[str, tuple[Panel, int]]:
    """Return the panel of each hemisphere that has data, and its left edge."""
    chosen: dict[str, np.ndarray | None] = dict.fromkeys(HEMISPHERES)
    if with_data is not None:
        halves = {"left": with_data[:N_VERTICES], "right": with_data[N_VERTICES:]}
        chosen = {side: half for side, half in halves.items() if half.any()}
    boxes = {side: measure_flat(side, half) for side, half in chosen.items()}
    widths = {side: box[1, 0] - box[0, 0] for side, box in boxes.items()}
    heights = [box[1, 1] - box[0, 1] for box in boxes.values()]
    gap = 2 * GAP_PX
    room = WIDTH_PX - 2 * EDGE_PX - gap * (len(boxes) - 1) - 14 * len(boxes)
    # A map of few vertices is not blown up beyond the height of a whole one.
    px_per_mm = min(room / sum(widths.values()), 820 / max(heights))
    panels = {
        side: draw_flat(side, sides[side], scale, px_per_mm, box) for side, box in boxes.items()
    }
    total = sum(p.pixels.shape[1] for p in panels.values()) + gap * (len(panels) - 1)
    left = (WIDTH_PX - total) // 2
    placed: dict[str, tuple[Panel, int]] = {}
    for side, panel in panels.items():
        placed[side] = (panel, left)
        left += panel.pixels.shape[1] + gap
    return placed


def _place_inflated(
    figure: Any, row: list[tuple[tuple[str, str], Panel]], top: int, row_height: int
) -> None:
    total = sum(panel.pixels.shape[1] for _, panel in row) + GAP_PX * (len(row) - 1)
    left = (WIDTH_PX - total) // 2
    spans: dict[str, list[int]] = {}
    for (side, view), panel in row:
        height, width = panel.pixels.shape[:2]
        add_pixels(figure, panel.pixels, left, top + 34 + (row_height - height) // 2)
        below = top + 34 + row_height + 6
        add_text(figure, left + width / 2, below, view, size=7, color=MUTED, ha="center")
        spans.setdefault(side, []).extend((left, left + width))
        left += width + GAP_PX
    for side, edges in spans.items():
        middle = (min(edges) + max(edges)) / 2
        add_text(figure, middle, top - 4, f"{side} hemisphere", size=8, ha="center")


def _draw_outlines(axes: Any, panel: Panel, side: str, outlines: Mapping[str, np.ndarray]) -> None:
    """Draw a line around each region, and its name at its middle."""
    half = slice(0, N_VERTICES) if side == "left" else slice(N_VERTICES, None)
    for number, (name, region) in enumerate(outlines.items()):
        inside = region[half].astype(float)
        field = panel.raster.spread(panel.raster.interpolate(inside), 0.0)[::2, ::2]
        if field.max() < 0.5:
            continue
        colour = OUTLINE_COLOURS[number % len(OUTLINE_COLOURS)]
        rows, columns = (np.arange(n) + 0.5 for n in field.shape)
        style = {"levels": [0.5], "zorder": 3}
        axes.contour(columns, rows, field, colors="white", linewidths=2.2, **style)
        axes.contour(columns, rows, field, colors=colour, linewidths=1.1, **style)
        y, x = (places.mean() for places in np.nonzero(field >= 0.5))
        axes.text(
            x, y, name, ha="center", va="center", size=7, color=colour, family="DejaVu Sans",
            parse_math=False, zorder=4,
            bbox={"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 1.2},
        )  # fmt: skip


def _draw_colour_bar(figure: Any, scale: ColourScale, top: int) -> None:
    from matplotlib.ticker import MaxNLocator

    width, height = figure.get_size_inches() * DPI
    bar, thick = 620, 26
    box = ((width - bar) / 2 / width, 1 - (top + thick) / height, bar / width, thick / height)
    axes = figure.add_axes(box)
    ramp = scale.colour_map()(np.linspace(0, 1, 256))[None, :, :3]
    axes.imshow(ramp, aspect="auto", extent=(scale.low, scale.high, 0, 1))
    axes.set_yticks([])
    ticks = MaxNLocator(5).tick_values(scale.low, scale.high)
    axes.set_xticks([t for t in ticks if scale.low - 1e-9 <= t <= scale.high + 1e-9])
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
        add_text(figure, x, top - lift, f"{text} {value:.3g}", size=7, color=colour, ha="center")
    add_text(figure, width / 2, top + thick + 44, scale.label, size=8.5, ha="center")


def _wrap(text: str, width: int) -> list[str]:
    import textwrap

    return textwrap.wrap(text, width) or [""]
