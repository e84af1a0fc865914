"""Identities for arrays that come without any, and the join of trials with their stimuli."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from neurodecode.core.checks import check_known, list_names
from neurodecode.core.errors import DataError


def name_samples(
    labels: np.ndarray | None,
    *,
    name: str,
    template: str | None,
    parts: Sequence[str],
    sizes: Sequence[int],
) -> np.ndarray:
    """Return the stimulus id of each sample.

    Parameters
    ----------
    labels : array of str, shape (n_samples,), or None
        As read; "" (nothing shown) stays "".
    name : str
        Of the dataset.
    template : str or None
        With {name}, {part}, {row} and {id}; None takes labels as they are, or numbers the rows.
    parts : sequence of str
        Names of the stacked parts, or none.
    sizes : sequence of int
        Samples of each part; rows are counted within a named part, else over all.

    Examples
    --------
    >>> name_samples(None, name="my", template=None, parts=(), sizes=[1, 1]).tolist()
    ['my/0000', 'my/0001']
    """
    if template is None:
        start = "{name}/{part}/" if parts else "{name}/"
        template = "{id}" if labels is not None else start + "{row:04d}"
    part = list_parts(parts or [""] * len(sizes), sizes)
    row = [i for n in sizes for i in range(n)] if parts else list(range(sum(sizes)))
    given = np.full(len(row), "?") if labels is None else labels
    return np.array(
        [
            template.format(name=name, part=p, row=r, id=label) if label else ""
            for p, r, label in zip(part, row, given, strict=True)
        ],
        dtype=str,
    )


def list_parts(parts: Sequence[str], sizes: Sequence[int]) -> list[str]:
    """Return the part that each sample comes from."""
    return [part for part, n in zip(parts, sizes, strict=True) for _ in range(n)]


def name_items(
    labels: np.ndarray | None, n_items: int, count_from: int, *, name: str, template: str | None
) -> np.ndarray:
    """Return the id of each stimulus of a collection; without labels they are counted."""
    given = [str(i + count_from) for i in range(n_items)] if labels is None else labels
    return np.array([(template or "{id}").format(name=name, id=g) for g in given], dtype=str)


def read_row_numbers(labels: np.ndarray, where: str) -> np.ndarray:
    """Return labels that are row numbers in their plain form ("007" is "7")."""
    try:
        return np.array([str(int(label)) if label else "" for label in labels], dtype=str)
    except ValueError as error:
        raise DataError(
            f"{where}: stimulus_ids hold '{_first_text(labels)}', which is no row number. Allowed "
            "with count_from: whole numbers. Give item_ids instead, if stimuli have names."
        ) from error


def name_categories(labels: np.ndarray, names: Mapping[str, str], where: str) -> np.ndarray:
    """Return the names of category labels; every label must have one if any has."""
    if not names:
        return labels
    for label in np.unique(labels):
        check_known(str(label), names, what="category label", where=f"{where}: category_names")
    return np.array([names[str(label)] for label in labels], dtype=str)


def find_items(
    ids: np.ndarray, stimuli: np.ndarray, categories: np.ndarray | None, where: str
) -> np.ndarray:
    """Return the row of each stimulus' first showing, where stimuli come one per sample.

    Raises
    ------
    DataError
        Samples of one id come with different stimuli or categories.
    """
    _, first, back = np.unique(ids, return_index=True, return_inverse=True)
    for what, values in (("stimuli", stimuli), ("categories", categories)):
        if values is None:
            continue
        same = (values[first[back]] == values).reshape(len(ids), -1).all(axis=1)
        if not same.all():
            wrong = np.unique(ids[~same])
            raise DataError(
                f"{where}: {len(wrong)} stimulus ids come with different {what} in different "
                f"samples ({list_names(list(wrong), 5)}). Allowed: one per id. The ids may be "
                "shifted against them: check their order."
            )
    return np.sort(first)


def name_sources(ids: np.ndarray, name: str) -> np.ndarray:
    """Return sources that carry the dataset's name: ids of two datasets may be alike."""
    return np.array([i if i.startswith(f"{name}/") else f"{name}/{i}" for i in ids], dtype=str)


def pad_labels(labels: np.ndarray) -> np.ndarray:
    """Return BIDS labels: bare numbers with at least two digits.

    Examples
    --------
    >>> pad_labels(np.array(["1", "12", "pre"])).tolist()
    ['01', '12', 'pre']
    """
    return np.array([text.zfill(2) if text.isdigit() else text for text in labels], dtype=str)


def check_lengths(lengths: Mapping[str, int], where: str) -> int | None:
    """Return the one length there is (None if there is none), or raise DataError."""
    if len(set(lengths.values())) > 1:
        got = ", ".join(f"{name} {n}" for name, n in lengths.items())
        raise DataError(
            f"{where}: lengths differ: {got}. Allowed: as many rows in each. Check which arrays "
            "belong together."
        )
    return next(iter(lengths.values()), None)


def check_counts(counts: np.ndarray, what: str, where: str) -> None:
    """Raise DataError unless all are whole numbers from 0."""
    if not (np.isfinite(counts) & (counts == np.rint(counts)) & (counts >= 0)).all():
        raise DataError(
            f"{where}: {what} hold fractions, NaN or negative numbers. Allowed: whole numbers from "
            "0. Leave the setting out to have them counted."
        )


def join_runs(labels: Mapping[str, np.ndarray], n_samples: int) -> np.ndarray:
    """Return a label per sample that changes at the edges of runs."""
    given = [labels[name] for name in ("subjects", "sessions", "runs") if name in labels]
    return np.array(["/".join(names) for names in zip(*given, strict=True)] or [""] * n_samples)


def _first_text(labels: np.ndarray) -> str:
    return next((str(label) for label in labels if label and not label.lstrip("-").isdigit()), "")
