"""The steps of a pipeline as a drawing in SVG, laid out in layers.

After Sugiyama, Tagawa & Toda 1981, "Methods for visual understanding of hierarchical system
structures": each step stands one layer below the last of its inputs; links that span layers pass
through places of their own; orders are improved by barycentres; positions within a layer are the
least-squares best that keep order and distance. All long links from one step share their places,
which keeps a step that many need, such as a split, from covering the page.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from neurodecode.plotting.figures import FONT_CSS, INK, MUTED

BOX_WIDTH, BOX_HEIGHT, LAYER_GAP, BOX_GAP, PLACE_WIDTH = 176, 50, 44, 18, 14
N_SWEEPS = 24
# Fill and border by kind of stage: light, so that print and dark text stay readable.
COLOURS = {
    "datasets": ("#e8eef5", "#5b7fa6"),
    "preprocessing": ("#e6f2f1", "#4a9089"),
    "features": ("#eef3e2", "#7d9640"),
    "alignment": ("#f4f0df", "#a68d3c"),
    "encoding": ("#fbecdd", "#c07c37"),
    "decoding": ("#fbe6e1", "#c0604a"),
    "reconstruction": ("#f7e4ec", "#b2567f"),
    "interpretation": ("#efe6f5", "#8560a8"),
    "evaluation": ("#e7e6f6", "#615eb0"),
    "plotting": ("#eeeff0", "#7b858c"),
}
OTHER = ("#ffffff", "#7b858c")


@dataclass(frozen=True)
class Node:
    """One step: its name, its stage's address, what it takes, and into how many it fans out."""

    name: str
    stage: str
    inputs: tuple[str, ...] = ()
    n_branches: int = 1


@dataclass(frozen=True)
class Layout:
    """Where everything lies, in pixels.

    Parameters
    ----------
    boxes : mapping of step to (left, top)
    routes : sequence of (from, to, points)
        Points that each link passes, from the bottom of a box to the top of another.
    width, height : float
    """

    boxes: Mapping[str, tuple[float, float]]
    routes: Sequence[tuple[str, str, tuple[tuple[float, float], ...]]]
    width: float
    height: float


def find_layers(nodes: Sequence[Node]) -> dict[str, int]:
    """Return the layer of each step: one below the last of its inputs; sources as low as may be.

    Steps that would be part of a circle are set where the circle is first met.
    """
    known = {node.name: node for node in nodes}
    layers: dict[str, int] = {}

    def place(name: str, above: frozenset[str]) -> int:
        if name not in layers:
            given = [i for i in known[name].inputs if i in known and i not in above | {name}]
            layers[name] = max((place(i, above | {name}) + 1 for i in given), default=0)
        return layers[name]

    for node in nodes:
        place(node.name, frozenset())
    for node in nodes:
        users = [layers[n.name] for n in nodes if node.name in n.inputs and n.name != node.name]
        if users and not any(i in known for i in node.inputs):
            layers[node.name] = max(0, min(users) - 1)
    return layers


def lay_out(nodes: Sequence[Node]) -> Layout:
    """Return where boxes and links lie."""
    layers = find_layers(nodes)
    links = [
        (source, node.name)
        for node in nodes
        for source in dict.fromkeys(node.inputs)
        if source in layers and layers[source] < layers[node.name]
    ]
    # 1. Places that long links pass through, shared by all links of one step.
    rows: list[list[str]] = [[] for _ in range(max(layers.values(), default=-1) + 1)]
    for node in nodes:
        rows[layers[node.name]].append(node.name)
    passes: dict[str, int] = {}
    pairs: dict[tuple[str, str], None] = {}
    for source, target in links:
        before = source
        for layer in range(layers[source] + 1, layers[target]):
            place = f"{source}\n{layer}"
            if place not in passes:
                passes[place] = layer
                rows[layer].append(place)
            pairs[before, place] = None
            before = place
        pairs[before, target] = None
    up: dict[str, list[str]] = {name: [] for row in rows for name in row}
    down: dict[str, list[str]] = {name: [] for row in rows for name in row}
    for a, b in pairs:
        down[a].append(b)
        up[b].append(a)
    # 2. and 3.: order, then positions.
    rows = _order(rows, up, down)
    middle = _position(rows, up, down, passes)
    # 4. Move everything to the right of zero.
    left = min((middle[n] - _get_width(n, passes) / 2 for n in middle), default=0.0)
    middle = {name: x - left for name, x in middle.items()}
    tops = {n: k * (BOX_HEIGHT + LAYER_GAP) for k, row in enumerate(rows) for n in row}
    routes = []
    for source, target in links:
        points = [(middle[source], tops[source] + float(BOX_HEIGHT))]
        for layer in range(layers[source] + 1, layers[target]):
            at = f"{source}\n{layer}"
            points += [(middle[at], float(tops[at])), (middle[at], tops[at] + float(BOX_HEIGHT))]
        points.append((middle[target], float(tops[target])))
        routes.append((source, target, tuple(points)))
    return Layout(
        boxes={n.name: (middle[n.name] - BOX_WIDTH / 2, float(tops[n.name])) for n in nodes},
        routes=routes,
        width=max((middle[n] + _get_width(n, passes) / 2 for n in middle), default=0.0),
        height=max(0.0, len(rows) * (BOX_HEIGHT + LAYER_GAP) - float(LAYER_GAP)),
    )


def draw_graph(nodes: Sequence[Node]) -> str:
    """Return the steps and their links as an SVG element."""
    layout = lay_out(nodes)
    margin = 10
    width, height = layout.width + 2 * margin, layout.height + 2 * margin
    borders = {n.name: COLOURS.get(n.stage.partition(".")[0], OTHER)[1] for n in nodes}
    parts = [_draw_link(points, borders[source]) for source, _, points in layout.routes]
    for node in nodes:
        parts.append(_draw_box(node, *layout.boxes[node.name]))
    words = "; ".join(
        f"{n.name} ({n.stage})" + (f" from {', '.join(n.inputs)}" if n.inputs else "")
        for n in nodes
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" '
        f'viewBox="{-margin} {-margin} {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" font-family="{FONT_CSS}" '
        f'aria-label="{escape(f"Steps: {words}")}">{"".join(parts)}</svg>'
    )


def _draw_link(points: Sequence[tuple[float, float]], colour: str) -> str:
    path = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        bend = (y1 - y0) / 2
        path += f" C{x0:.1f} {y0 + bend:.1f} {x1:.1f} {y1 - bend:.1f} {x1:.1f} {y1:.1f}"
    x, y = points[-1]
    return (
        f'<path d="{path}" fill="none" stroke="{colour}" stroke-opacity="0.75" '
        'stroke-width="1.4"/>'
        f'<path d="M{x - 4:.1f} {y - 7:.1f} L{x:.1f} {y:.1f} L{x + 4:.1f} {y - 7:.1f} Z" '
        f'fill="{colour}"/>'
    )


def _draw_box(node: Node, left: float, top: float) -> str:
    fill, border = COLOURS.get(node.stage.partition(".")[0], OTHER)
    name, stage = _cut(node.name, 16 if node.n_branches > 1 else 20), _cut(node.stage, 26)
    stack = ""
    if node.n_branches > 1:
        # A second sheet behind the box says that there are many of it.
        stack = (
            f'<rect x="{left + 4:.1f}" y="{top + 4:.1f}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" '
            f'rx="6" fill="{fill}" stroke="{border}"/>'
        )
    count = (
        f'<text x="{left + BOX_WIDTH - 8:.1f}" y="{top + 21:.1f}" font-size="12.5" '
        f'font-weight="600" fill="{border}" text-anchor="end">×{node.n_branches}</text>'
        if node.n_branches > 1
        else ""
    )
    return (
        f"<g><title>{escape(f'{node.name}: {node.stage}')}</title>{stack}"
        f'<rect class="box" x="{left:.1f}" y="{top:.1f}" width="{BOX_WIDTH}" '
        f'height="{BOX_HEIGHT}" rx="6" fill="{fill}" stroke="{border}" stroke-width="1.2"/>'
        f'<text x="{left + 10:.1f}" y="{top + 21:.1f}" font-size="15" font-weight="600" '
        f'fill="{INK}">{escape(name)}</text>'
        f'<text x="{left + 10:.1f}" y="{top + 39:.1f}" font-size="12" fill="{MUTED}">'
        f"{escape(stage)}</text>{count}</g>"
    )


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _get_width(name: str, passes: Mapping[str, int]) -> float:
    return float(PLACE_WIDTH if name in passes else BOX_WIDTH)


def _order(
    rows: Sequence[list[str]], up: Mapping[str, list[str]], down: Mapping[str, list[str]]
) -> list[list[str]]:
    """Return the rows in the order with the fewest crossings found by sweeping up and down."""
    rows = [list(row) for row in rows]
    best, fewest = [list(row) for row in rows], _count_crossings(rows, down)
    for sweep in range(N_SWEEPS):
        neighbours = up if sweep % 2 == 0 else down
        order = range(1, len(rows)) if sweep % 2 == 0 else range(len(rows) - 2, -1, -1)
        for layer in order:
            other = rows[layer - 1] if sweep % 2 == 0 else rows[layer + 1]
            rank = {name: (k + 0.5) / len(other) for k, name in enumerate(other)}
            own = {name: (k + 0.5) / len(rows[layer]) for k, name in enumerate(rows[layer])}
            rows[layer].sort(
                key=lambda n, rank=rank, own=own, near=neighbours: (  # type: ignore[misc]
                    float(np.mean([rank[m] for m in near[n]])) if near[n] else own[n]
                )
            )
        crossings = _count_crossings(rows, down)
        if crossings < fewest:
            best, fewest = [list(row) for row in rows], crossings
    return best


def _count_crossings(rows: Sequence[Sequence[str]], down: Mapping[str, list[str]]) -> int:
    total = 0
    for row, below in itertools.pairwise(rows):
        rank = {name: k for k, name in enumerate(below)}
        ends = [(k, rank[m]) for k, name in enumerate(row) for m in down[name]]
        total += sum(
            (a[0] - b[0]) * (a[1] - b[1]) < 0 for i, a in enumerate(ends) for b in ends[:i]
        )
    return total


def _position(
    rows: Sequence[Sequence[str]],
    up: Mapping[str, list[str]],
    down: Mapping[str, list[str]],
    passes: Mapping[str, int],
) -> dict[str, float]:
    """Return the middle of each box and place."""
    middle: dict[str, float] = {}
    for row in rows:
        widths = [_get_width(n, passes) + BOX_GAP for n in row]
        edges = np.concatenate([[0.0], np.cumsum(widths)]) - sum(widths) / 2
        middle |= {n: float(edges[k] + widths[k] / 2) for k, n in enumerate(row)}
    for sweep in range(N_SWEEPS):
        order = list(rows) if sweep % 2 == 0 else list(rows)[::-1]
        for row in order:
            near = [(up[n] + down[n]) for n in row]
            wish = [
                float(np.mean([middle[m] for m in some])) if some else middle[n]
                for n, some in zip(row, near, strict=True)
            ]
            widths = [_get_width(n, passes) for n in row]
            weight = [1.0 if n not in passes else 2.0 for n in row]
            middle |= dict(zip(row, spread_out(wish, widths, weight), strict=True))
    return middle


def spread_out(
    wish: Sequence[float], widths: Sequence[float], weights: Sequence[float]
) -> list[float]:
    """Return positions nearest to those wished for that keep order and do not overlap.

    Least squares under x[k + 1] - x[k] >= distance[k]: with the distances taken off this is an
    isotonic regression, solved by pooling neighbours that violate it.

    Examples
    --------
    >>> spread_out([0.0, 0.0], [82.0, 82.0], [1.0, 1.0])
    [-50.0, 50.0]
    """
    gaps = [(a + b) / 2 + BOX_GAP for a, b in itertools.pairwise(widths)]
    offsets = np.concatenate([[0.0], np.cumsum(gaps)])
    pools: list[list[float]] = []  # mean, weight, count
    for target, weight in zip(np.asarray(wish) - offsets, weights, strict=True):
        pools.append([float(target), weight, 1])
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            mean, heavy, count = pools.pop()
            total = pools[-1][1] + heavy
            pools[-1] = [
                (pools[-1][0] * pools[-1][1] + mean * heavy) / total, total, pools[-1][2] + count
            ]  # fmt: skip
    flat = np.concatenate([np.full(int(count), mean) for mean, _, count in pools])
    return [float(v) for v in flat + offsets]
