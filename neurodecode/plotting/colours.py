"""Which value gets which colour: maps that colour-blind readers can use, and the choice of limits.

One-sided maps are matplotlib's perceptually uniform ones (Smith and van der Walt 2015), without
their near-black and near-white ends. The two-sided one is made here in CIELAB: lightness falls by
the same steps on both sides of a light middle, so that equal distances from chance look equally
strong and survive a print in grey; blue and orange-red differ along the axis that red-green colour
blindness leaves (Brettel, Vienot and Mollon 1997).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np

from neurodecode.core.errors import DataError

DIVERGING = "blue-red"
LIGHTEST, DARKEST, MOST_CHROMA = 94.0, 32.0, 42.0  # CIELAB; all colours lie within sRGB
HUES_DEG = (280.0, 40.0)  # blue below the middle, orange-red above
OUTLINE_COLOURS = ("#0b6e4f", "#1f5fbf", "#8a2be2", "#00838f", "#5d4037", "#111111")  # of regions
Sides = Literal["auto", "one", "two"]


@dataclass(frozen=True)
class ColourScale:
    """Which value gets which colour.

    Parameters
    ----------
    low, high : float
        Values at the ends.
    name : str
        A matplotlib colour map, or "blue-red".
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
        """Return the matplotlib colour map, of 256 colours."""
        from matplotlib.colors import ListedColormap

        return ListedColormap(list_colours(self.name))

    def list_ticks(self) -> list[float]:
        """Return round values within the scale, to be written beside it."""
        from matplotlib.ticker import MaxNLocator

        ticks = np.asarray(MaxNLocator(5).tick_values(self.low, self.high))
        slack = 1e-9 * (self.high - self.low)
        inside = ticks[(ticks >= self.low - slack) & (ticks <= self.high + slack)]
        return [float(f"{tick:.6g}") for tick in inside]

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Return the colours of values, shape (..., 3)."""
        share = np.clip((values - self.low) / (self.high - self.low), 0, 1)
        return self.colour_map()(share)[..., :3]


@cache
def list_colours(name: str) -> np.ndarray:
    """Return the 256 colours of a map, lowest value first: shape (256, 3), sRGB in [0, 1]."""
    if name == DIVERGING:
        return _make_diverging()
    from matplotlib import colormaps

    return np.asarray(colormaps[name](np.linspace(0.08, 0.97, 256))[:, :3])


def _make_diverging() -> np.ndarray:
    from_middle = np.linspace(-1, 1, 256)
    reach = np.abs(from_middle)
    lightness = LIGHTEST - (LIGHTEST - DARKEST) * reach
    chroma = MOST_CHROMA * np.sin(np.pi / 2 * np.minimum(1, 1.3 * reach))
    hue = np.deg2rad(np.where(from_middle < 0, *HUES_DEG))
    return convert_lab(np.stack([lightness, chroma * np.cos(hue), chroma * np.sin(hue)], axis=1))


def convert_lab(lab: np.ndarray) -> np.ndarray:
    """Return CIELAB colours (D65), shape (n, 3), as sRGB (IEC 61966-2-1); unclipped."""
    fy = (lab[:, 0] + 16) / 116
    f = np.stack([fy + lab[:, 1] / 500, fy, fy - lab[:, 2] / 200], axis=1)
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29))
    xyz = xyz * np.array([0.95047, 1.0, 1.08883])
    to_rgb = [[3.2404542, -1.5371385, -0.4985314],
              [-0.9692660, 1.8760108, 0.0415560],
              [0.0556434, -0.2040259, 1.0572252]]  # fmt: skip
    linear = xyz @ np.array(to_rgb).T
    curved = 1.055 * np.maximum(linear, 1e-12) ** (1 / 2.4) - 0.055
    return np.where(linear > 0.0031308, curved, 12.92 * linear)


def choose_scale(
    values: np.ndarray,
    label: str,
    *,
    chance: float | None,
    sides: Sides,
    colours: str,
    limits: tuple[float, float] | None,
    threshold: float | None,
    where: str,
) -> ColourScale:
    """Return a scale for the values shown.

    Parameters
    ----------
    values : array of float, shape (n_shown,)
    label : str
        What the values are, with their unit.
    chance : float or None
        Centre of two-sided colours; zero if None.
    sides : {"auto", "one", "two"}
        "auto" takes two where more than 5 % of the values lie below the centre.
    colours : str
        For one-sided values.
    limits : (low, high) or None
        None: from the centre (or zero where that is near) to the 99th percentile, rounded up.
    threshold : float or None
        To be marked.
    where : str
        Who asks, for the message.

    Raises
    ------
    DataError
        The lower limit is not below the higher.
    """
    centre = 0.0 if chance is None else chance
    below = len(values) > 0 and bool((values < centre).mean() > 0.05)
    two = sides == "two" or (sides == "auto" and below)
    reach = float(np.percentile(np.abs(values - centre), 99)) if len(values) else 0.0
    near_zero = not two and abs(centre) < 0.05 * reach
    reach = round_up(reach + (centre if near_zero else 0.0) or 1.0)
    low, high = (centre - reach if two else centre), centre + reach
    if near_zero:
        low, high = min(0.0, centre), reach
    if limits is not None:
        low, high = limits
        if not low < high:
            raise DataError(f"{where}: limits are {low:g} and {high:g}; give the lower first.")
    if len(values) and (values.max() > high or values.min() < low):
        label += ", values beyond the ends take the end's colour"
    return ColourScale(low, high, DIVERGING if two else colours, label, chance, threshold)


def round_up(value: float) -> float:
    """Return the next of 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8 times a power of ten.

    Examples
    --------
    >>> round_up(0.37), round_up(0.8)
    (0.4, 0.8)
    """
    power = 10.0 ** np.floor(np.log10(value))
    steps = np.array([1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10])
    return float(np.round(steps[steps >= value / power - 1e-9][0] * power, 12))
