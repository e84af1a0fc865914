"""Originals beside their reconstructions, chosen by a rule that cannot see their quality.

Items are taken at even steps from the order of the test items, from a start given by the seed:
never the best, never by hand. The caption states the rule, and which sample is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from pydantic import PositiveInt

from neurodecode.core.artifacts import Document, Reconstructions, Scores, Stimuli, read_images
from neurodecode.core.checks import check_known
from neurodecode.core.errors import DataError
from neurodecode.core.stage import Stage
from neurodecode.core.tables import Table
from neurodecode.plotting.figures import encode_png, find_leakage, make_figure_html


class Gallery(Stage):
    """Show originals above what was reconstructed, for every k-th test item.

    Parameters
    ----------
    title : str
        Above the picture; empty for none.
    n_items : int
        Columns; all items if there are fewer.
    labels : sequence of str
        One per step given as ``reconstructions``, in that order.
    item_label : str
        Column of the stimuli's table written beneath each original, such as "category"; empty for
        none.
    seed : int
        Where among the first k items to start.
    """

    stage: ClassVar[str] = "plotting.gallery"

    title: str = ""
    n_items: PositiveInt = 10
    labels: tuple[str, ...] = ()
    item_label: str = ""
    seed: int = 0

    def run(
        self,
        stimuli: Stimuli,
        reconstructions: list[Reconstructions],
        scores: list[Scores] | None = None,
    ) -> Document:
        """Return one figure. ``scores`` are given for their notices: leakage is printed in red."""
        labels = self._name_rows(len(reconstructions))
        matched, several = match_items([r.items for r in reconstructions])
        chosen, rule = choose_evenly(len(matched), self.n_items, self.seed)
        rows = matched[chosen]
        ids = reconstructions[0].items["id"][rows[:, 0]].astype(str)
        originals = stimuli.select(ids)
        pictures = [read_images(originals)]
        for number, step in enumerate(reconstructions):
            pictures.append(read_images(step, rows[:, number])[:, 0])
        names = ["" for _ in ids]
        if self.item_label:
            check_known(self.item_label, list(stimuli.items), what="column", where=self.stage)
            names = originals.items[self.item_label].astype(str).tolist()
        notices = find_leakage([n for s in scores or [] for n in s.notices])
        data = plot_gallery(
            pictures, ("original", *labels), names, title=self.title, notices=notices
        )
        caption = self._describe(rule, reconstructions, several)
        shown = ", ".join(name or key for name, key in zip(names, ids, strict=True))
        alt = f"Rows: original, {', '.join(labels)}. Columns: {shown}. {caption}"
        return Document(
            title=self.title or "Originals and reconstructions",
            html=make_figure_html("gallery.png", data, alt=alt, caption=caption, notices=notices),
            figures={"gallery.png": data},
        )

    def _name_rows(self, n_steps: int) -> tuple[str, ...]:
        if not n_steps:
            raise DataError(f"{self.stage}: no reconstructions are given. Name a step or more.")
        if self.labels and len(self.labels) != n_steps:
            raise DataError(
                f"{self.stage}: {len(self.labels)} labels for {n_steps} steps of reconstructions. "
                "Give one label per step, in the order of the steps."
            )
        if self.labels:
            return self.labels
        names = tuple(f"reconstruction {number + 1}" for number in range(n_steps))
        return names if n_steps > 1 else ("reconstruction",)

    def _describe(self, rule: str, steps: Sequence[Reconstructions], several: bool) -> str:
        text = [f"Chosen without regard to quality: {rule}."]
        if any(step.data.shape[1] > 1 for step in steps):
            counts = [str(step.data.shape[1]) for step in steps]
            shown = counts[0] if len(set(counts)) == 1 else "/".join(counts)
            text.append(f"The first of {shown} samples per item, not the best.")
        if several:
            text.append("Items that were reconstructed more than once: the first.")
        return " ".join(text)


def choose_evenly(n_items: int, n_wanted: int, seed: int) -> tuple[np.ndarray, str]:
    """Return evenly spaced item numbers, and the rule in words.

    Examples
    --------
    >>> choose_evenly(10, 3, seed=4)
    (array([1, 4, 7]), 'every 3rd of 10 test items, from number 2 (seed 4)')
    """
    if n_wanted >= n_items:
        return np.arange(n_items), f"all {n_items} test items"
    step = n_items // n_wanted
    start = seed % step
    chosen = start + step * np.arange(n_wanted)
    words = f"{n_wanted} in a row" if step == 1 else f"every {step}{_ordinal(step)}"
    return chosen, f"{words} of {n_items} test items, from number {start + 1} (seed {seed})"


def _ordinal(number: int) -> str:
    if number % 100 in (11, 12, 13):
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")


def match_items(tables: Sequence[Table]) -> tuple[np.ndarray, bool]:
    """Return the rows of items that all tables hold, in the order of the first.

    Items are the same where their ``sample_id`` is, or, without one, their ``id``.

    Returns
    -------
    rows : array of int, shape (n_matched, n_tables)
    several : bool
        Some item came more than once in a table; its first row is taken.
    """
    column = "sample_id" if all("sample_id" in table for table in tables) else "id"
    first: list[dict[str, int]] = []
    for table in tables:
        rows: dict[str, int] = {}
        for row, key in enumerate(table[column].tolist()):
            rows.setdefault(str(key), row)
        first.append(rows)
    shared = [key for key in first[0] if all(key in rows for rows in first)]
    if not shared:
        raise DataError(
            f"plotting.gallery: the {len(tables)} steps of reconstructions share no item "
            f"({column}). Give steps that reconstruct the same test items."
        )
    several = any(len(rows) < len(table) for rows, table in zip(first, tables, strict=True))
    return np.array([[rows[key] for rows in first] for key in shared]), several


def plot_gallery(
    rows: Sequence[np.ndarray],
    row_labels: Sequence[str],
    item_labels: Sequence[str],
    *,
    title: str = "",
    notices: Sequence[str] = (),
) -> np.ndarray:
    """Return the picture as PNG bytes.

    Parameters
    ----------
    rows : sequence of arrays in [0, 1], each of shape (n_items, height, width, n_colours)
        Rows may differ in resolution; small images are enlarged without smoothing.
    row_labels : sequence of str, one per row
    item_labels : sequence of str, n_items
        Beneath the first row; "" for none.
    """
    import textwrap

    from neurodecode.plotting.figures import MUTED, RED, add_pixels, add_text, make_figure

    n_items = len(item_labels)
    cell = int(np.clip(1500 // n_items, 96, 320))
    gap, edge, label_width = max(6, cell // 24), 30, 270
    under = 34 if any(item_labels) else 0
    width = 2 * edge + label_width + n_items * (cell + gap)
    lines = [line for notice in notices for line in textwrap.wrap(notice, max(40, width // 16))]
    head = edge + (56 if title else 0) + 30 * len(lines) + (12 if lines else 0)
    height = head + len(rows) * (cell + gap) + under + edge
    figure = make_figure(width, height)
    if title:
        add_text(figure, edge, edge - 4, title, size=11, weight="bold")
    for number, line in enumerate(lines):
        at = edge + (56 if title else 0) + 30 * number
        add_text(figure, edge, at, line, size=7.5, weight="bold", color=RED)
    top = head
    for number, (images, label) in enumerate(zip(rows, row_labels, strict=True)):
        words = "\n".join(textwrap.wrap(label, 17)[:4])
        weight = "bold" if number == 0 else "normal"
        add_text(figure, edge, top + cell / 2, words, size=8, va="center", weight=weight)
        for column, image in enumerate(images):
            left = edge + label_width + column * (cell + gap)
            add_pixels(figure, fit_to_cell(image, cell), left, top)
            if number == 0 and item_labels[column]:
                short = textwrap.shorten(item_labels[column], max(4, cell // 12), placeholder="…")
                under_it = (left + cell / 2, top + cell + 5)
                add_text(figure, *under_it, short, size=6.5, color=MUTED, ha="center")
        top += cell + gap + (under if number == 0 else 0)
    return encode_png(figure)


def fit_to_cell(image: np.ndarray, cell: int) -> np.ndarray:
    """Return an image enlarged or reduced to fit a white square, as RGB in [0, 1].

    Small images are repeated pixel by pixel, so that what is seen is what was made; large ones
    are averaged.
    """
    from PIL import Image

    pixels = np.clip(np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image, 0, 1)
    height, width = pixels.shape[:2]
    scale = cell / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = Image.Resampling.NEAREST if scale >= 1 else Image.Resampling.BOX
    picture = Image.fromarray(np.round(pixels * 255).astype(np.uint8)).resize(size, method)
    square = np.ones((cell, cell, 3))
    top, left = (cell - size[1]) // 2, (cell - size[0]) // 2
    square[top : top + size[1], left : left + size[0]] = np.asarray(picture) / 255
    return square
