"""Scores as a drawing in SVG: a point with its interval per claim, beside what chance does.

One row per claim of ``Scores.summary``; of an audit, the claims that it judged, each above its
controls. The interval is a line, chance a dashed line, controls are
grey, the null is a strip of its refits, or a band of its mean ± 2 standard deviations where the
refits were not kept.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from neurodecode.core.artifacts import Scores
from neurodecode.plotting.figures import FAINT, FONT_CSS, INK, MUTED, RED

CONTROL = "control: "
POINT, GREY, NULL = "#1f5fa8", "#8b949b", "#c98a2b"
WIDTH, LABEL_WIDTH, VALUE_WIDTH, ROW = 920, 270, 190, 40
MOST_MARKS = 400  # of a null; more are thinned evenly over their rank


@dataclass(frozen=True)
class Claim:
    """One row of Scores.summary, with None where a number is absent."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    chance: float | None
    n: float | None
    null_mean: float | None
    null_sd: float | None
    null_n: float | None
    p: float | None
    diff: float | None
    diff_low: float | None
    diff_high: float | None

    @property
    def is_control(self) -> bool:
        """Whether the row is of a control."""
        return self.name.startswith(CONTROL)

    @property
    def is_share(self) -> bool:
        """Whether it is a share of voxels, or of a ceiling, for which an axis of scores is none."""
        counted = self.name.startswith("share") and ("q < " in self.name or "(prev" in self.name)
        return counted or self.name.startswith("median share of the ceiling")

    @property
    def label(self) -> str:
        """The name for reading: of a control, its kind."""
        if not self.is_control:
            return self.name
        return self.name.removeprefix(CONTROL).partition(" / ")[0].replace("_", " ")


def read_claims(scores: Scores) -> list[Claim]:
    """Return the rows of a summary; columns that are absent read as None."""
    numbers = [name for name in Claim.__dataclass_fields__ if name != "name"]

    def read(name: str, row: int) -> float | None:
        if name not in scores.summary:
            return None
        value = float(scores.summary[name][row])
        return value if math.isfinite(value) else None

    return [
        Claim(name=str(name), **{number: read(number, row) for number in numbers})
        for row, name in enumerate(scores.summary["name"])
    ]


def choose_claims(scores: Scores) -> list[Claim]:
    """Return the claims to draw: of an audit, those judged, each followed by its controls.

    Shares of voxels are left to the table of numbers.
    """
    claims = [c for c in read_claims(scores) if c.value is not None and not c.is_share]
    if not scores.verdict:
        return claims
    table = scores.summary
    chosen = []
    for name in table["name"][table["judged"]].tolist():
        # A null is drawn with its claim.
        beside = table["name"][(table["claim"] == name) & (table["null_n"] == 0)].tolist()
        chosen += [c for c in claims if c.name in (name, *beside)]
    return chosen


def format_number(value: float | None, digits: int = 3) -> str:
    """Return a number for reading: three significant digits, a true minus, '–' for none.

    Examples
    --------
    >>> format_number(0.123456), format_number(-2.0), format_number(None), format_number(1234.0)
    ('0.123', '−2.00', '–', '1,234')
    """
    if value is None or not math.isfinite(value):
        return "–"
    magnitude = abs(value)
    if magnitude < 1e-12:  # equal but for rounding
        return "0"
    if magnitude >= 1000:
        text = f"{magnitude:,.0f}"
    elif magnitude < 1e-4:
        text = f"{magnitude:.1e}"
    else:
        places = max(0, digits - 1 - math.floor(math.log10(magnitude)))
        text = f"{magnitude:.{min(places, 4)}f}"
    return f"−{text}" if value < 0 else text


def draw_chart(scores: Scores, title: str = "") -> str:
    """Return the chart of one Scores as an SVG element."""
    claims = choose_claims(scores)
    null = _read_null(scores, claims)
    low, high, ticks = _choose_axis(claims, null)
    left, right = LABEL_WIDTH, WIDTH - VALUE_WIDTH
    head = 34 if title else 10
    bottom = head + ROW * len(claims)

    def x(value: float) -> float:
        return left + (right - left) * (value - low) / (high - low)

    parts: list[str] = []
    if title:
        parts.append(_text(0, 18, title, weight=600, size=15))
    for tick in ticks:
        parts.append(_line(x(tick), head, x(tick), bottom, FAINT, 1))
        parts.append(
            _text(x(tick), bottom + 18, f"{tick:g}".replace("-", "−"), MUTED, 12, "middle")
        )
    for number, claim in enumerate(claims):
        y = head + ROW * number
        main = number == 0
        parts += _draw_row(claim, x, y, null if main else np.zeros(0))
    legend = "line: 95 % interval · dashed: chance · amber: null · grey: controls"
    parts.append(_text(left, bottom + 40, legend, MUTED, 12))
    words = "; ".join(f"{c.name} {format_number(c.value)}" for c in claims)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + 50}" role="img" '
        f'width="{WIDTH}" height="{bottom + 50}" font-family="{FONT_CSS}" '
        f'aria-label="{escape(f"{scores.metric}: {words}")}">{"".join(parts)}</svg>'
    )


def _draw_row(claim: Claim, x: Any, y: float, null: np.ndarray) -> list[str]:
    """Return the marks of one claim, in the row whose top is ``y``."""
    value = claim.value or 0.0
    middle = y + ROW / 2
    colour = GREY if claim.is_control else POINT
    name = claim.label if len(claim.label) <= 38 else claim.label[:37] + "…"
    parts = [
        _text(
            14 if claim.is_control else 0,
            middle + 4,
            name,
            MUTED if claim.is_control else INK,
            13.5,
        )
    ]
    if len(null):
        parts += [_line(x(v), middle + 5, x(v), middle + 15, NULL, 1.2, 0.35) for v in null]
    elif claim.null_mean is not None and claim.null_sd is not None:
        ends = x(claim.null_mean - 2 * claim.null_sd), x(claim.null_mean + 2 * claim.null_sd)
        parts.append(
            f'<rect x="{ends[0]:.1f}" y="{middle + 6:.1f}" width="{max(ends[1] - ends[0], 1):.1f}" '
            f'height="8" rx="2" fill="{NULL}" fill-opacity="0.35"/>'
        )
    if claim.chance is not None:
        at = x(claim.chance)
        parts.append(_line(at, y + 3, at, y + ROW - 3, INK, 1.2, 0.8, dash="4 3"))
    if claim.low is not None and claim.high is not None:
        parts.append(_line(x(claim.low), middle, x(claim.high), middle, colour, 2.4))
    parts.append(
        f'<circle cx="{x(value):.1f}" cy="{middle:.1f}" r="5.5" fill="{colour}" stroke="white" '
        'stroke-width="1.2"/>'
    )
    text = format_number(claim.value)
    if claim.low is not None and claim.high is not None:
        text += f"  [{format_number(claim.low)}, {format_number(claim.high)}]"
    shade = MUTED if claim.is_control else INK
    parts.append(_text(WIDTH, middle + 4, text, shade, 13.5, "end"))
    return parts


def _read_null(scores: Scores, claims: Sequence[Claim]) -> np.ndarray:
    if scores.null is None or not claims or claims[0].is_control:
        return np.zeros(0)
    null = np.sort(np.asarray(scores.null, np.float64).ravel())
    null = null[np.isfinite(null)]
    if len(null) > MOST_MARKS:
        null = null[np.linspace(0, len(null) - 1, MOST_MARKS).round().astype(int)]
    return null


def _choose_axis(claims: Sequence[Claim], null: np.ndarray) -> tuple[float, float, list[float]]:
    """Return the ends of the axis and its ticks, so that everything drawn lies within."""
    values = [v for c in claims for v in (c.value, c.low, c.high, c.chance) if v is not None]
    for c in claims:
        if c.null_mean is not None and c.null_sd is not None:
            values += [c.null_mean - 2 * c.null_sd, c.null_mean + 2 * c.null_sd]
    values += null.tolist() or [0.0]
    low, high = min(values), max(values)
    if 0 < low < 0.5 * high:
        low = 0.0  # close to zero, zero itself is part of the picture
    span = (high - low) or max(abs(high), 1.0)
    rough = span / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(s * power for s in (1, 2, 2.5, 5, 10) if s * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    last = max(last, first + 1)
    ticks = [round(step * k, 12) for k in range(first, last + 1)]
    return ticks[0], ticks[-1], ticks


def _line(
    x1: float, y1: float, x2: float, y2: float, colour: str, width: float,
    opacity: float = 1.0, dash: str = "",
) -> str:  # fmt: skip
    extra = f' stroke-dasharray="{dash}"' if dash else ""
    extra += f' stroke-opacity="{opacity:g}"' if opacity < 1 else ""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
        f'stroke-width="{width:g}"{extra}/>'
    )


def _text(
    x: float, y: float, text: str, colour: str = INK, size: float = 13.5, anchor: str = "start",
    weight: int = 400,
) -> str:  # fmt: skip
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" font-size="{size:g}" '
        f'font-weight="{weight}" text-anchor="{anchor}" xml:space="preserve">{escape(text)}</text>'
    )


def draw_notices(notices: Sequence[str]) -> tuple[str, int]:
    """Return notices as red SVG text from y = 0, and how high they are."""
    import textwrap

    lines = [line for notice in notices for line in textwrap.wrap(notice, 120)]
    drawn = [_text(0, 16 + 19 * k, line, RED, 13.5, weight=600) for k, line in enumerate(lines)]
    return "".join(drawn), 19 * len(lines) + (12 if lines else 0)
