"""What a quality gate found, as a table and a figure. No stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodecode.core.artifacts import Document

if TYPE_CHECKING:
    from neurodecode.preprocessing.quality_gate import RunQuality

WIDTH, LABEL, ROW, MOST_RUNS = 860, 190, 46, 60
INK, BLUE, RED, GREY = "#1d2327", "#1f5fa8", "#b3261e", "#d5dade"


def write_quality(
    runs: Sequence[RunQuality], settings: Mapping[str, Any], n_dropped: int
) -> Document:
    """Return the log: a row per run, why runs were left out, which scans are bad, a figure.

    Parameters
    ----------
    runs : sequence of RunQuality
    settings : mapping
        The limits.
    n_dropped : int
        How many scans were left out.
    """
    n_bad = sum(int(run.censored.sum()) for run in runs)
    n_scans = sum(len(run.rows) for run in runs)
    left_out = [run for run in runs if run.reasons]
    limits = ", ".join(f"{name} {value}" for name, value in settings.items())
    summary = (
        f"{n_bad} of {n_scans} scans are bad, {len(left_out)} of {len(runs)} runs do not meet the "
        f"limits, {n_dropped} scans were dropped. Limits: {limits}."
    )
    head = (
        "run", "scans", "bad", "mean displacement (mm)", "largest (mm)", "DVARS, largest",
        "outliers, largest share", "lifeless", "tSNR", "reliability", "left out because",
    )  # fmt: skip
    rows = "".join(
        f"<tr>{''.join(f'<td>{cell}</td>' for cell in _list_cells(r))}</tr>" for r in runs
    )
    scans = "".join(
        f"<li>{escape(run.name)}: {', '.join(map(str, np.flatnonzero(run.censored)))}</li>"
        for run in runs
        if run.censored.any()
    )
    html = (
        f"<p>{escape(summary)}</p><table><thead><tr>"
        + "".join(f"<th>{cell}</th>" for cell in head)
        + f"</tr></thead><tbody>{rows}</tbody></table>"
        + (f"<p>Bad scans, counted from 0 in their run:</p><ul>{scans}</ul>" if scans else "")
    )
    figures = {"quality.svg": _draw(runs[:MOST_RUNS])}
    return Document(title="Quality of runs and scans", html=html, figures=figures)


def _list_cells(run: RunQuality) -> list[str]:
    moved = run.displacement_mm
    numbers = [
        float("nan") if moved is None else float(moved[1:].mean()),
        float("nan") if moved is None else float(moved.max()),
        float(run.dvars.max()),
        float(run.outlier_share.max()),
    ]
    cells = [escape(run.name), str(len(run.rows)), str(int(run.censored.sum()))]
    cells += [_number(value) for value in numbers]
    cells += [str(int(run.lifeless.sum())), _number(run.tsnr), _number(run.reliability)]
    return [*cells, escape("; ".join(run.reasons))]


def _number(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else "–"


def _draw(runs: Sequence[RunQuality]) -> np.ndarray:
    """Return an SVG file: of each run, DVARS (and displacement, where known) over scans."""
    height = 30 + ROW * len(runs)
    parts = [
        f'<text x="{LABEL}" y="18" font-size="12" fill="{BLUE}">DVARS, standardised</text>'
        f'<text x="{LABEL + 150}" y="18" font-size="12" fill="{INK}">framewise displacement</text>'
        f'<text x="{LABEL + 320}" y="18" font-size="12" fill="{RED}">bad scans</text>'
    ]
    most_dvars = max(1.0, *(float(run.dvars.max()) for run in runs))
    most_mm = max(
        0.1, *(0.0 if r.displacement_mm is None else float(r.displacement_mm.max()) for r in runs)
    )
    for number, run in enumerate(runs):
        top, n = 30 + ROW * number, len(run.rows)
        x = LABEL + (WIDTH - LABEL - 10) * np.arange(n) / max(1, n - 1)
        parts.append(
            f'<text x="4" y="{top + ROW / 2:.0f}" font-size="11" fill="{INK}">{escape(run.name)}'
            f"{' (left out)' if run.reasons else ''}</text>"
        )
        parts += [
            f'<line x1="{x[k]:.1f}" x2="{x[k]:.1f}" y1="{top}" y2="{top + ROW - 6}" '
            f'stroke="{RED}" stroke-opacity="0.35"/>'
            for k in np.flatnonzero(run.censored)
        ]
        parts.append(_trace(x, run.dvars / most_dvars, top, BLUE))
        if run.displacement_mm is not None:
            parts.append(_trace(x, run.displacement_mm / most_mm, top, INK))
        foot = top + ROW - 6
        parts.append(
            f'<line x1="{LABEL}" x2="{WIDTH - 10}" y1="{foot}" y2="{foot}" stroke="{GREY}"/>'
        )
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="DVARS and motion of {len(runs)} runs" font-family="sans-serif">'
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>{"".join(parts)}</svg>'
    )
    return np.frombuffer(svg.encode(), np.uint8)


def _trace(x: np.ndarray, values: np.ndarray, top: float, colour: str) -> str:
    y = top + (ROW - 6) * (1 - np.clip(values, 0, 1))
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.2"/>'
