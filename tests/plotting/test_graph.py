from __future__ import annotations

import xml.etree.ElementTree as ET
from itertools import combinations, pairwise

import numpy as np
import pytest

from neurodecode.plotting.graph import (
    BOX_HEIGHT,
    BOX_WIDTH,
    Node,
    draw_graph,
    find_layers,
    lay_out,
    spread_out,
)


def make_nodes(n_nodes: int, seed: int) -> list[Node]:
    rng = np.random.default_rng(seed)
    nodes = []
    for k in range(n_nodes):
        given = rng.choice(k, size=min(k, int(rng.integers(0, 4))), replace=False) if k else []
        nodes.append(Node(f"s{k}", "decoding.ridge", tuple(f"s{i}" for i in given)))
    return nodes


@pytest.mark.parametrize("seed", range(12))
def test_boxes_do_not_overlap_and_links_avoid_them(seed: int) -> None:
    nodes = make_nodes(25, seed)
    layout = lay_out(nodes)
    boxes = list(layout.boxes.items())
    for (_, (xa, ya)), (_, (xb, yb)) in combinations(boxes, 2):
        assert abs(xa - xb) >= BOX_WIDTH - 1e-6 or abs(ya - yb) >= BOX_HEIGHT
    for _, (x, y) in boxes:
        assert -1e-6 <= x <= layout.width - BOX_WIDTH + 1e-6
        assert 0 <= y <= layout.height - BOX_HEIGHT
    for _, _, points in layout.routes:
        for x, y in points[1:-1]:  # where a link passes a layer, no box may stand
            assert not any(
                bx < x < bx + BOX_WIDTH and by <= y <= by + BOX_HEIGHT for _, (bx, by) in boxes
            )


def test_every_link_is_drawn_downwards_from_box_to_box() -> None:
    nodes = make_nodes(25, 99)
    layout = lay_out(nodes)
    assert {(a, b) for a, b, _ in layout.routes} == {(i, n.name) for n in nodes for i in n.inputs}
    for source, target, points in layout.routes:
        x, y = layout.boxes[source]
        assert points[0] == pytest.approx((x + BOX_WIDTH / 2, y + BOX_HEIGHT))
        x, y = layout.boxes[target]
        assert points[-1] == pytest.approx((x + BOX_WIDTH / 2, y))
        assert all(b[1] > a[1] for a, b in pairwise(points))


def test_layers() -> None:
    nodes = [
        Node("a", "x.y"),
        Node("b", "x.y", ("a",)),
        Node("c", "x.y", ("b", "late")),
        Node("late", "x.y"),
    ]
    assert find_layers(nodes) == {"a": 0, "b": 1, "c": 2, "late": 1}


def test_a_circle_and_unknown_inputs_do_not_stop_it() -> None:
    nodes = [Node("a", "x.y", ("b", "a", "gone")), Node("b", "x.y", ("a",))]
    assert set(lay_out(nodes).boxes) == {"a", "b"}
    assert lay_out([]).boxes == {}


def test_spread_out_agrees_with_a_general_solver() -> None:
    from scipy.optimize import minimize

    wish, widths = np.array([0.0, 10.0, 5.0, 400.0]), [100.0, 50.0, 100.0, 20.0]
    found = spread_out(wish, widths, [1.0, 2.0, 1.0, 1.0])
    gaps = [(a + b) / 2 + 18 for a, b in pairwise(widths)]
    solved = minimize(
        lambda x: float((np.array([1, 2, 1, 1]) * (x - wish) ** 2).sum()),
        np.arange(4) * 200.0,
        constraints=[
            {"type": "ineq", "fun": lambda x, k=k: x[k + 1] - x[k] - gaps[k]} for k in range(3)
        ],
        method="SLSQP",
    )
    np.testing.assert_allclose(found, solved.x, atol=1e-2)


def test_drawing_is_well_formed_and_escaped() -> None:
    nodes = [Node('<b>"&', "encoding.ridge"), Node("many", "own:Stage", ('<b>"&',), n_branches=50)]
    svg = draw_graph(nodes)
    ET.fromstring(svg)
    assert "<b>" not in svg
    assert "×50" in svg
    assert svg.count('class="box"') == 2
    assert svg == draw_graph(nodes)
