"""Values of regions as grouped bars or points."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from neurodecode.plotting.figures import DPI, FAINT, FONT, INK, MUTED, RED, add_text, make_figure
from neurodecode.plotting.roi_values import RoiValue

# Okabe and Ito 2008: told apart with any colour blindness.
MODEL_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#555555")
CEILING = "#8b949b"
EDGE_PX, PLOT_PX, LEFT_PX = 30, 560, 170


def plot_regions(
    models: Mapping[str, Mapping[str, RoiValue]],
    names: Sequence[str],
    *,
    unit: str,
    axis: str,
    style: str,
    q_threshold: float,
    title: str,
    notices: Sequence[str] = (),
) -> Any:
    """Draw the regions of one or more models.

    Parameters
    ----------
    models : mapping of label to mapping of region to RoiValue
    names : sequence of str
        Regions, in order; one that a model lacks leaves a gap.
    unit, axis : str
        Of the values, and what their axis says.
    style : {"bars", "points"}

    Returns
    -------
    figure : matplotlib Figure
    """
    longest = max(len(name) for name in names)
    slot = max(34 * len(models) + 40, 70)
    turned = longest * 13 > slot
    width = int(np.clip(LEFT_PX + slot * len(names) + 60, 900, 3000))
    lines = [line for notice in notices for line in textwrap.wrap(notice, width // 15)]
    legend = 44 if len(models) > 1 else 0
    top = EDGE_PX + 60 + 30 * len(lines) + legend
    below = (min(longest, 30) * 9 if turned else 30) + 40
    figure = make_figure(width, top + PLOT_PX + below)
    add_text(figure, width / 2, EDGE_PX, title, size=11, weight="bold", ha="center")
    for number, line in enumerate(lines):
        at = EDGE_PX + 54 + 30 * number
        add_text(figure, width / 2, at, line, size=7.5, color=RED, weight="bold", ha="center")
    height = figure.get_size_inches()[1] * DPI
    axes = figure.add_axes(
        (LEFT_PX / width, below / height, (width - LEFT_PX - 40) / width, PLOT_PX / height)
    )
    thick = min(0.8 / len(models), 0.5)
    shared = _find_shared_chance(models)
    base = shared if shared is not None else 0.0
    for number, model in enumerate(models.values()):
        colour = MODEL_COLOURS[number % len(MODEL_COLOURS)]
        for place, name in enumerate(names):
            one = model.get(name)
            if one is None or one.value is None:
                continue
            x = place + (number - (len(models) - 1) / 2) * thick
            _draw_value(axes, one, x, thick, colour, style, base, shared is None)
            if one.q is not None and one.q < q_threshold:
                top_of = max(v for v in (one.value, one.high, base) if v is not None)
                axes.annotate(
                    "*", (x, top_of), (0, 1), textcoords="offset points", ha="center",
                    va="bottom", fontsize=9, color=INK, family=FONT,
                )  # fmt: skip
    if shared is not None:
        axes.axhline(shared, color=INK, lw=0.9, ls=(0, (4, 3)), zorder=1)
    axes.axhline(0, color=FAINT, lw=0.8, zorder=0)
    _dress(axes, names, axis, turned)
    if legend:
        _draw_legend(figure, list(models), top - legend)
    return figure


def _find_shared_chance(models: Mapping[str, Mapping[str, RoiValue]]) -> float | None:
    """Return the chance that all regions of all models have, or None."""
    found = {one.chance for model in models.values() for one in model.values()}
    return found.pop() if len(found) == 1 else None


def _draw_value(
    axes: Any, one: RoiValue, x: float, thick: float, colour: str, style: str, base: float,
    own_chance: bool,
) -> None:  # fmt: skip
    assert one.value is not None
    half = thick * 0.44
    if style == "bars":
        axes.bar(x, one.value - base, 2 * half, bottom=base, color=colour, zorder=2, linewidth=0)
    else:
        axes.plot([x], [one.value], "o", color=colour, ms=5.5, mec="white", mew=0.8, zorder=4)
    if one.low is not None and one.high is not None:
        line = INK if style == "bars" else colour
        axes.plot([x, x], [one.low, one.high], color=line, lw=1.3, zorder=3)
    if one.ceiling is not None:
        axes.plot([x - half, x + half], [one.ceiling] * 2, color=CEILING, lw=2.4, zorder=3)
    if own_chance and one.chance is not None:
        ends = [x - half, x + half]
        axes.plot(ends, [one.chance] * 2, color=INK, lw=0.9, ls=(0, (2, 1.5)), zorder=5)


def _dress(axes: Any, names: Sequence[str], axis: str, turned: bool) -> None:
    shown = [name if len(name) <= 30 else f"{name[:29]}…" for name in names]
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.set_xticks(
        range(len(names)), shown, rotation=45 if turned else 0,
        ha="right" if turned else "center", rotation_mode="anchor", parse_math=False,
    )  # fmt: skip
    axes.margins(y=0.12)
    axes.set_ylabel(axis, fontsize=8.5, family=FONT, color=INK, parse_math=False)
    axes.tick_params(labelsize=7.5, labelfontfamily=FONT, length=3, width=0.6, colors=INK)
    axes.tick_params(axis="x", length=0)
    axes.grid(axis="y", color=FAINT, lw=0.5, zorder=0)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "left")
        spine.set_color(MUTED)


def _draw_legend(figure: Any, labels: Sequence[str], top: float) -> None:
    from matplotlib.patches import Rectangle

    width, height = figure.get_size_inches() * DPI
    widths = [34 + 13.5 * len(label) + 30 for label in labels]
    left = (width - sum(widths)) / 2
    for number, (label, wide) in enumerate(zip(labels, widths, strict=True)):
        colour = MODEL_COLOURS[number % len(MODEL_COLOURS)]
        box = (left / width, 1 - (top + 22) / height)
        figure.add_artist(Rectangle(
            box, 22 / width, 22 / height, color=colour, transform=figure.transFigure, lw=0
        ))  # fmt: skip
        add_text(figure, left + 32, top, label, size=8)
        left += wide
