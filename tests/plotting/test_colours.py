"""Colour maps, looked at as colour-blind readers and printers see them."""

from __future__ import annotations

import numpy as np
import pytest

from neurodecode.core.errors import DataError
from neurodecode.plotting.colours import (
    DIVERGING,
    OUTLINE_COLOURS,
    choose_scale,
    convert_lab,
    list_colours,
    round_up,
)

# Machado, Oliveira and Fernandes 2009, table 1, severity 1; on linear RGB.
BLINDNESS = {
    "none": np.eye(3),
    "protanopia": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                            [-0.003882, -0.048116, 1.051998]]),
    "deuteranopia": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                              [-0.011820, 0.042940, 0.968881]]),
    "tritanopia": np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                            [0.004733, 0.691367, 0.303900]]),
}  # fmt: skip


def to_lab(rgb: np.ndarray, blindness: str = "none") -> np.ndarray:
    """Return CIELAB of sRGB as a reader sees it; written out anew, not by the code under test."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ BLINDNESS[blindness].T, 0, 1)
    to_xyz = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
                       [0.0193339, 0.1191920, 0.9503041]])  # fmt: skip
    xyz = linear @ to_xyz.T / [0.95047, 1.0, 1.08883]
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.stack(
        [116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1
    )


@pytest.mark.parametrize("blindness", BLINDNESS)
@pytest.mark.parametrize("name", ["inferno", "magma", "viridis", "cividis"])
def test_one_sided_maps_grow_lighter_all_the_way(name: str, blindness: str) -> None:
    lightness = to_lab(list_colours(name), blindness)[:, 0]
    assert (np.diff(lightness) > -0.05).all()
    # even: no tenth of the map holds less than half of its share of the lightness
    assert np.diff(lightness[::25]).min() > 0.5 * np.ptp(lightness) / 10 * 0.9


@pytest.mark.parametrize("blindness", BLINDNESS)
def test_two_sided_map_is_symmetrical_in_lightness(blindness: str) -> None:
    lab = to_lab(list_colours(DIVERGING), blindness)
    below, above = lab[:128, 0], lab[:127:-1, 0]
    assert (np.diff(below) > 0).all()
    assert (np.diff(above) > 0).all()
    # exactly so in normal vision; within a just visible step or a few with colour blindness
    assert np.abs(below - above).max() < (0.1 if blindness == "none" else 13)
    ends = np.linalg.norm(lab[10, 1:] - lab[-11, 1:])
    assert ends > 25, "the two ends are told apart by hue"


def test_lab_is_that_of_the_standard() -> None:
    rgb = np.random.default_rng(0).uniform(size=(200, 3))
    np.testing.assert_allclose(convert_lab(to_lab(rgb)), rgb, atol=2e-4)
    colours = list_colours(DIVERGING)
    assert colours.min() >= 0
    assert colours.max() <= 1


def test_outlines_are_told_apart_from_light_cortex() -> None:
    rgb = np.array([[int(c[k : k + 2], 16) / 255 for k in (1, 3, 5)] for c in OUTLINE_COLOURS])
    assert to_lab(rgb)[:, 0].max() < 55


def choose(values: np.ndarray, **changes: object) -> object:
    given: dict[str, object] = {
        "chance": 0.0, "sides": "auto", "colours": "inferno", "limits": None, "threshold": None,
        "where": "here",
    }  # fmt: skip
    return choose_scale(values, "r", **{**given, **changes})  # type: ignore[arg-type]


def test_two_sided_colours_where_values_lie_on_both_sides_of_chance() -> None:
    both, one = choose(np.array([-0.2, 0.3, 0.1])), choose(np.array([0.2, 0.3, 0.1]))
    assert (both.name, both.low, both.high) == (DIVERGING, -0.3, 0.3)  # type: ignore[attr-defined]
    assert (one.name, one.low, one.high) == ("inferno", 0.0, 0.3)  # type: ignore[attr-defined]
    assert choose(np.array([0.3]), limits=(0.0, 0.2)).label.endswith("the end's colour")  # type: ignore[attr-defined]
    assert round_up(0.31) == 0.4
    with pytest.raises(DataError, match="give the lower first"):
        choose(np.ones(3), limits=(1.0, 0.0))
