"""Matplotlib figures to bytes, and bytes to documents.

Figures are made without pyplot, so that nothing global is touched and threads do not meet, and are
written without dates or versions: the same figure gives the same bytes.
"""

from __future__ import annotations

import base64
import html
import io
import re
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

FONT = "DejaVu Sans"  # comes with matplotlib
INK, MUTED, FAINT, RED = "#1d2327", "#6a737b", "#d5dade", "#b3261e"
FONT_CSS = "'Helvetica Neue', Helvetica, Arial, 'DejaVu Sans', sans-serif"
DPI = 200  # pixels per inch; 1 px is 0.36 points of type
_SVG_NAME = re.compile(r"(?<=[\"#])([A-Za-z]+)[0-9a-f]{10}(?=[\")])")
LEAKAGE = "LEAKAGE"  # how a notice of leakage begins (core.lineage)


def make_figure(width_px: int, height_px: int) -> Any:
    """Return an empty white matplotlib Figure of exactly that many pixels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_px / DPI, height_px / DPI), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def add_pixels(figure: Any, pixels: np.ndarray, left: int, top: int) -> Any:
    """Show an image at its own resolution, one pixel of it on one of the figure.

    Parameters
    ----------
    figure : Figure
    pixels : array of float in [0, 1] or of uint8, shape (height, width, 3)
    left, top : int
        Where its upper left corner comes to lie, pixels from the figure's.

    Returns
    -------
    axes : Axes
        In the image's pixels, y downwards.
    """
    width, height = figure.get_size_inches() * DPI
    rows, columns = pixels.shape[:2]
    axes = figure.add_axes(
        (left / width, 1 - (top + rows) / height, columns / width, rows / height)
    )
    axes.imshow(pixels, interpolation="nearest", extent=(0, columns, rows, 0), aspect="auto")
    axes.set_axis_off()
    return axes


def add_text(figure: Any, x: float, y: float, text: str, **style: Any) -> None:
    """Write text at a place given in pixels from the figure's upper left corner."""
    width, height = figure.get_size_inches() * DPI
    style = {"family": FONT, "color": INK, "size": 8, "va": "top", **style}
    # '$' would start mathematics, and names may hold anything.
    figure.text(x / width, 1 - y / height, text, parse_math=False, **style)


def encode_png(figure: Any) -> np.ndarray:
    """Return a figure as the bytes of a PNG file, an array of uint8."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=DPI, metadata={"Software": None})
    return np.frombuffer(stream.getvalue(), np.uint8)


def encode_figure(figure: Any, form: Literal["png", "svg"] = "png") -> np.ndarray:
    """Return a figure as the bytes of a PNG or SVG file, an array of uint8.

    matplotlib names the parts of an SVG at random; they are renamed in the order in which they
    come.
    """
    if form == "png":
        return encode_png(figure)
    stream = io.StringIO()
    figure.savefig(stream, format="svg", dpi=DPI, metadata={"Date": None, "Creator": None})
    names: dict[str, str] = {}
    return encode_text(
        _SVG_NAME.sub(
            lambda found: names.setdefault(found[0], f"{found[1]}{len(names)}"), stream.getvalue()
        )
    )


def encode_text(text: str) -> np.ndarray:
    """Return text, such as SVG, as UTF-8 bytes, an array of uint8."""
    return np.frombuffer(text.encode(), np.uint8)


def make_data_uri(name: str, data: np.ndarray) -> str:
    """Return a PNG or SVG file as a data: address, to stand in a page by itself."""
    kind = "image/svg+xml" if name.endswith(".svg") else "image/png"
    return f"data:{kind};base64,{base64.b64encode(np.asarray(data).tobytes()).decode()}"


def find_leakage(notices: Sequence[str]) -> list[str]:
    """Return the notices that tell of leakage."""
    return [notice for notice in notices if notice.startswith(LEAKAGE)]


def make_figure_html(
    name: str, data: np.ndarray, *, alt: str, caption: str, notices: Sequence[str] = ()
) -> str:
    """Return one figure as an HTML fragment that needs no other file.

    ``data-figure`` names the figure, so that a report sees that it has been shown. Notices of
    leakage stand above the caption in red.
    """
    red = "".join(
        f'<strong class="leakage" style="color:{RED};display:block">{html.escape(n)}</strong>'
        for n in find_leakage(notices)
    )
    return (
        f'<figure data-figure="{html.escape(name)}">'
        f'<img style="max-width:100%;height:auto" alt="{html.escape(alt)}" '
        f'src="{make_data_uri(name, data)}">'
        f"<figcaption>{red}{html.escape(caption)}</figcaption></figure>"
    )
