"""r against the shift of the events, as a figure in SVG. No stage."""

from __future__ import annotations

import numpy as np

from neurodecode.numerics.lag import Lag

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 300, 60, 20, 20, 50
INK, BLUE, GREY, AMBER = "#1d2327", "#1f5fa8", "#8b949b", "#c98a2b"


def draw_lags(lag: Lag, shifts_s: np.ndarray, unconvolved: float) -> np.ndarray:
    """Return an SVG file: the curve with its interval, the best shift, and r without an HRF.

    Returns
    -------
    svg : array of uint8, shape (n_bytes,)
    """
    low = min(0.0, float(np.nanmin(lag.curve_low)), unconvolved)
    high = max(0.05, float(np.nanmax(lag.curve_high)), unconvolved)

    def x(shift: float) -> float:
        span = float(shifts_s[-1] - shifts_s[0]) or 1.0
        return LEFT + (WIDTH - LEFT - RIGHT) * (shift - shifts_s[0]) / span

    def y(r: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (r - low) / (high - low)

    def trace(values: np.ndarray, order: slice = slice(None)) -> str:
        pairs = zip(shifts_s[order], values[order], strict=True)
        return " ".join(f"{x(s):.1f},{y(v):.1f}" for s, v in pairs)

    band = f"{trace(lag.curve_low)} {trace(lag.curve_high, slice(None, None, -1))}"
    parts = [
        f'<polygon points="{band}" fill="{BLUE}" fill-opacity="0.18"/>',
        f'<polyline points="{trace(lag.curve)}" fill="none" stroke="{BLUE}" stroke-width="2"/>',
        _line(LEFT, y(0), WIDTH - RIGHT, y(0), GREY),
        _line(x(0), TOP, x(0), HEIGHT - BOTTOM, GREY, "4 3"),
        _line(LEFT, y(unconvolved), WIDTH - RIGHT, y(unconvolved), AMBER, "4 3"),
        f'<circle cx="{x(lag.best_s):.1f}" cy="{y(float(lag.curve.max())):.1f}" r="5" '
        f'fill="{BLUE}"/>',
        _text(WIDTH - RIGHT, TOP - 6, "dashed: as listed, without an HRF", "end", AMBER),
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, "onsets moved by (s)", "middle"),
        _text(LEFT, TOP - 6, "cross-validated r", "start"),
    ]
    for tick in np.linspace(shifts_s[0], shifts_s[-1], 5):
        parts.append(_text(x(tick), HEIGHT - BOTTOM + 18, _number(tick), "middle"))
    step = next(s for s in (0.02, 0.05, 0.1, 0.2, 0.5) if (high - low) / s <= 6)
    for tick in step * np.arange(np.ceil(low / step), np.floor(high / step) + 1):
        parts.append(_text(LEFT - 8, y(tick) + 4, _number(round(tick, 2) + 0.0), "end"))
    words = f"r is largest, {lag.curve.max():.3f}, with onsets moved by {lag.best_s:+.1f} s"
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{words}" font-family="sans-serif">'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>{"".join(parts)}</svg>'
    )
    return np.frombuffer(svg.encode(), np.uint8)


def _number(value: float) -> str:
    return f"{value:g}".replace("-", "−")


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, dash: str = "") -> str:
    style = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"{style}/>'
    )


def _text(x: float, y: float, text: str, anchor: str, colour: str = INK) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="12" text-anchor="{anchor}" '
        f'fill="{colour}">{text}</text>'
    )
