from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest

from neurodecode.core.errors import DataError
from neurodecode.core.tables import Table
from neurodecode.plotting.chart import choose_claims, draw_chart, format_number, read_claims
from neurodecode.plotting.headline import write_headline
from neurodecode.plotting.scores_chart import ScoresChart
from tests.plotting.plotting_data import LEAK, make_audit, make_scores

SVG = "{http://www.w3.org/2000/svg}"


def read_axis(root: ET.Element) -> tuple[float, float]:
    """Return slope and intercept from value to x, read off the ticks of the drawing."""
    ticks = [
        (float(t.text.replace("−", "-")), float(t.attrib["x"]))  # type: ignore[union-attr]
        for t in root.iter(f"{SVG}text")
        if t.attrib["text-anchor"] == "middle"
    ]
    values, places = np.array(ticks).T
    slope, intercept = np.polyfit(values, places, 1)
    return float(slope), float(intercept)


def test_marks_stand_where_the_values_are() -> None:
    root = ET.fromstring(draw_chart(make_scores()))
    slope, intercept = read_axis(root)
    circles = [float(c.attrib["cx"]) for c in root.iter(f"{SVG}circle")]
    np.testing.assert_allclose(
        (np.array(circles) - intercept) / slope, [0.8437, 0.5031, 0.8122], atol=0.002
    )
    dashed = [line for line in root.iter(f"{SVG}line") if "stroke-dasharray" in line.attrib]
    assert len(dashed) == 3
    assert (float(dashed[0].attrib["x1"]) - intercept) / slope == pytest.approx(0.5, abs=0.002)
    whiskers = [line for line in root.iter(f"{SVG}line") if line.attrib["stroke-width"] == "2.4"]
    ends = [(float(w.attrib[e]) - intercept) / slope for w in whiskers[:1] for e in ("x1", "x2")]
    np.testing.assert_allclose(ends, [0.80, 0.88], atol=0.002)
    null = [line for line in root.iter(f"{SVG}line") if line.attrib["stroke"] == "#c98a2b"]
    assert len(null) == 50


def test_of_an_audit_the_judged_claims_and_their_controls_are_drawn() -> None:
    names = [claim.label for claim in choose_claims(make_audit())]
    assert names == ["pairwise", "true features", "pairwise within category", "prior only"]
    root = ET.fromstring(draw_chart(make_audit()))
    assert len(list(root.iter(f"{SVG}circle"))) == 4
    assert format_number(1.1e-16) == "0"


def test_everything_lies_within_the_axis() -> None:
    table = make_scores().summary.with_columns(value=[-3.0, 1.0, 9.0], low=[-5.0, 0.0, 8.0])
    root = ET.fromstring(draw_chart(make_scores(summary=table)))
    for line in root.iter(f"{SVG}line"):
        assert 269 <= float(line.attrib["x1"]) <= 731
    constant = Table(
        {
            k: [v]
            for k, v in {"name": "x", "value": 0, "low": 0, "high": 0, "chance": 0, "n": 1}.items()
        }
    )
    ET.fromstring(draw_chart(make_scores(summary=constant, null=None)))


def test_missing_numbers_are_left_out() -> None:
    nan = float("nan")
    table = Table(
        {"name": ["a"], "value": [0.3], "low": [nan], "high": [nan], "chance": [nan], "n": [nan]}
    )
    svg = draw_chart(make_scores(summary=table, null=None))
    assert "nan" not in svg
    assert "stroke-dasharray" not in svg
    assert read_claims(make_scores(summary=table))[0].p is None


def test_stage_draws_all_and_escapes() -> None:
    hostile = make_scores(metric='<script>alert("x")</script>', notices=(LEAK,))
    document = ScoresChart().run([make_scores(), hostile])
    svg = np.asarray(document.figures["scores.svg"]).tobytes().decode()
    root = ET.fromstring(svg)
    assert len(list(root.iter(f"{SVG}circle"))) == 6
    assert "<script" not in svg + document.html
    assert "LEAKAGE" in svg
    assert document.html == ScoresChart().run([make_scores(), hostile]).html
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", svg)
    with pytest.raises(DataError, match="1 labels for 2"):
        ScoresChart(labels=("a",)).run([make_scores(), hostile])


def test_numbers_read_well() -> None:
    assert [format_number(v) for v in (0.05, -0.002, 12.345, 0.00001, float("nan"), 0.0)] == [
        "0.0500", "−0.0020", "12.3", "1.0e-05", "–", "0",
    ]  # fmt: skip
    assert replace(read_claims(make_scores())[1]).label == "shuffled brain"


def test_shares_of_voxels_lie_on_no_axis_of_scores() -> None:
    numbers = {k: [0.2, 0.9] for k in ("value", "low", "high", "chance", "n")}
    table = Table({"name": ["median r", "share of voxels with q < 0.05 (fdr)"], **numbers})
    assert [c.name for c in choose_claims(make_scores(summary=table))] == ["median r"]
    assert len(read_claims(make_scores(summary=table))) == 2


def test_of_regions_the_headline_tells_the_range() -> None:
    numbers = {k: [0.2, 0.4] for k in ("value", "low", "high", "chance", "n")}
    scores = make_scores(summary=Table({"name": ["V1", "MT"], **numbers}), null=None)
    regions = replace(
        scores, values=np.array([0.2, 0.4]), items=Table({"id": ["V1", "MT"]}), of="region",
        p=np.array([0.2, 0.01]), q=np.array([0.2, 0.02]), metric="mean correlation", ceiling=None,
    )  # fmt: skip
    expected = "Mean correlation: 2 regions, from 0.200 (V1) to 0.400 (MT); 1 with q < 0.05"
    assert write_headline(regions, read_claims(regions)).startswith(expected)
    without = replace(regions, p=None, q=None)
    assert "without p-values" in write_headline(without, read_claims(without))
