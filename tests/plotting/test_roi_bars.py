"""Bars of regions: heights and intervals looked up in the picture, and the words beside them."""

from __future__ import annotations

import numpy as np
import pytest

from neurodecode.core.artifacts import Document, Scores, Space
from neurodecode.core.errors import DataError
from neurodecode.core.tables import Table
from neurodecode.plotting.roi_bars import RoiBars
from neurodecode.plotting.roi_figure import MODEL_COLOURS, plot_regions
from neurodecode.plotting.roi_values import RoiValue, read_regions
from tests.plotting.plotting_data import LEAK, decode, make_map

NAMES = ["V1", "FFA <left>", "PPA"]
NAN = float("nan")


def make_regions(values: list[float], **changes: object) -> Scores:
    """Scores as evaluation.rois gives them."""
    v = np.array(values)
    summary = Table(
        {"name": NAMES, "value": v, "low": v - 0.05, "high": v + 0.1, "chance": np.full(3, 0.0),
         "n": [40, 50, 60]}
    )  # fmt: skip
    given: dict[str, object] = {
        "values": v, "metric": "mean correlation", "scale": "r", "of": "region",
        "items": Table({"id": NAMES}), "summary": summary, "q": np.array([0.001, 0.2, NAN]),
    }  # fmt: skip
    return Scores(**{**given, **changes})  # type: ignore[arg-type]


def make_voxels(**changes: object) -> Scores:
    rng = np.random.default_rng(0)
    rois = {"V1": np.arange(200) < 120, "empty": np.zeros(200, bool), "PPA": np.arange(200) >= 120}
    values = np.where(rois["V1"], 0.6, 0.2) + rng.normal(scale=0.1, size=200)
    values[:5] = NAN
    space = Space(kind="surface", mesh="fsaverage5", vertices=np.arange(200), rois=rois)
    return make_map(values, space, **{"ceiling": np.full(200, 0.7), **changes})


def draw(*scores: Scores, **settings: object) -> Document:
    return RoiBars(form="png", **settings).run(list(scores))  # type: ignore[arg-type]


def test_bars_are_as_high_as_their_values() -> None:
    document = draw(make_regions([0.4, 0.2, 0.1]), make_regions([0.3, -0.1, 0.2]))
    pixels = decode(document, "roi_bars.png").astype(int)
    heights = []
    for colour in MODEL_COLOURS[:2]:
        rgb = [int(colour[k : k + 2], 16) for k in (1, 3, 5)]
        mask = np.abs(pixels - rgb).max(axis=2) < 3
        mask[:180] = False  # the legend
        columns = np.flatnonzero(mask.sum(axis=0) > 3)
        bars = np.split(columns, np.flatnonzero(np.diff(columns) > 20) + 1)
        assert len(bars) == 3
        heights += [np.ptp(np.flatnonzero(mask[:, bar[3]])) for bar in bars]
    expected = np.array([0.4, 0.2, 0.1, 0.3, 0.1, 0.2])
    scale = heights[0] / expected[0]
    np.testing.assert_allclose(np.array(heights) / scale, expected, atol=0.01)


def test_what_is_drawn_of_each_region() -> None:
    models = {"one": read_regions(make_regions([0.4, 0.2, NAN]), "mean", 10, 0, "here")}
    figure = plot_regions(
        models, NAMES, unit="r", axis="r", style="points", q_threshold=0.05, title=""
    )
    axes = figure.axes[0]
    points = [line for line in axes.lines if line.get_marker() == "o"]
    assert [line.get_ydata()[0] for line in points] == [0.4, 0.2]
    lines = [line.get_ydata() for line in axes.lines if np.ptp(line.get_ydata()) > 0]
    np.testing.assert_allclose(lines, [[0.35, 0.5], [0.15, 0.3]])
    assert [t.get_text() for t in axes.texts] == ["*"], "of the first region alone"
    assert [t.get_text() for t in axes.get_xticklabels()] == NAMES


def test_voxels_are_averaged_and_their_interval_is_called_what_it_is() -> None:
    scores = make_voxels()
    read = read_regions(scores, "mean", 2000, 0, "here")
    assert list(read) == ["V1", "PPA"]
    inside = np.asarray(scores.values)[5:120]
    one = read["V1"]
    assert one.n == 115
    assert one.value == pytest.approx(inside.mean())
    assert one.ceiling == pytest.approx(0.7)
    error = 1.96 * inside.std() / np.sqrt(len(inside))
    np.testing.assert_allclose([one.low, one.high], [inside.mean() - error, inside.mean() + error],
                               atol=0.15 * error)  # fmt: skip
    median = read_regions(scores, "median", 10, 0, "here")["V1"].value
    assert median == pytest.approx(np.median(inside))
    document = draw(scores)
    assert "how voxels differ and not what other stimuli" in document.html
    assert "over independent units" not in document.html
    assert "over independent units" in draw(make_regions([0.4, 0.2, 0.1])).html


def test_parcels_are_regions_without_interval() -> None:
    space = Space(kind="parcels", names=np.array(["LIPL", "LPTL"]))
    read = read_regions(make_map(np.array([0.4, 0.3]), space), "mean", 10, 0, "here")
    assert read["LPTL"] == RoiValue(0.3, None, None, 0.0, None, None, 1, True)


def test_table_holds_all_numbers_escaped_and_regions_come_in_the_order_asked_for() -> None:
    scores = make_regions([0.4, 0.2, 0.1], notices=(LEAK,))
    document = draw(scores, rois=("PPA", "FFA <left>"), labels=("CLIP & more",))
    rows = document.html.split("<tbody>")[1].split("<tr>")[1:]
    assert [row.split("</td>")[0].removeprefix("<td>") for row in rows] == [
        "PPA", "FFA &lt;left&gt;",
    ]  # fmt: skip
    assert "CLIP &amp; more" in rows[0]
    assert "0.150 to 0.300" in rows[1]
    assert "LEAKAGE" in document.html


@pytest.mark.parametrize(
    ("scores", "settings", "words"),
    [
        ([], {}, "at least one Scores"),
        ([make_regions([1, 2, 3])], {"labels": ("a", "b")}, "2 labels for 1"),
        ([make_regions([1, 2, 3])] * 2, {"labels": ("a", "a")}, "labels come twice"),
        ([make_regions([1, 2, 3]), make_regions([1, 2, 3], scale="r2")], {}, "never mix"),
        ([make_regions([1, 2, 3])], {"rois": ("V9",)}, "Unknown region 'V9'"),
        ([make_regions([1, 2, 3], of="image")], {}, "scores of images"),
        ([make_map(np.ones(2), Space(kind="surface"))], {}, "names no regions"),
    ],
)
def test_refusals(scores: list[Scores], settings: dict[str, object], words: str) -> None:
    with pytest.raises(DataError, match=words):
        draw(*scores, **settings)


def test_same_bytes_again() -> None:
    first, second = (
        RoiBars(n_bootstrap=50).run([make_voxels()]).figures["roi_bars.svg"] for _ in range(2)
    )
    assert np.array_equal(first, second)
