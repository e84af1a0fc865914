"""Reconstructed images beside the true ones, at one size, and the comparison of mismatched pairs.

No stage: what pixcorr, ssim, sharpness and identification share.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from neurodecode.core.artifacts import Reconstructions, Stimuli, read_images
from neurodecode.core.checks import check_finite, find_rows
from neurodecode.core.errors import DataError
from neurodecode.core.progress import track
from neurodecode.core.tables import Table
from neurodecode.evaluation.summary import Claim, check_testable, describe_truth, find_units
from neurodecode.numerics.image_metrics import match_colours, resize_images
from neurodecode.numerics.statistics import count_orders, list_exchangeable, shuffle_units

PIXELS_AT_ONCE = 1 << 24


@dataclass(frozen=True)
class ImagePairs:
    """Reconstructions and the images that they are to show.

    Parameters
    ----------
    made : array, shape (n_items, n_samples, height, width, n_colours)
    true : array, shape (n_true, height, width, n_colours)
        Each image once.
    target : array of int, shape (n_items,)
        Row of ``true`` of each item.
    items : Table, n_items
    groups : array of int, shape (n_items,)
        Items whose images share source or content.
    notices : tuple of str
    """

    made: np.ndarray
    true: np.ndarray
    target: np.ndarray
    items: Table
    groups: np.ndarray
    notices: tuple[str, ...]


def read_pairs(
    reconstructions: Reconstructions, stimuli: Stimuli, *, size_px: int | None, where: str
) -> ImagePairs:
    """Read both at one size; one colour is repeated where the other side has three.

    Parameters
    ----------
    size_px : int or None
        Height and width that both are resized to. None keeps their own, which must agree.
    """
    check_testable(reconstructions, where)
    items = describe_truth(reconstructions.items, stimuli, where)
    ids, target = np.unique(items["id"], return_inverse=True)
    true = read_images(
        stimuli.select(ids) if isinstance(stimuli, Stimuli) else _first_sample(stimuli, ids, where)
    )
    made = read_images(reconstructions)
    if made.ndim != 5:
        raise DataError(
            f"{where}: reconstructions have shape {made.shape}. Allowed: (n_items, n_samples, "
            "height, width, n_colours)."
        )
    check_finite(made, what="reconstructions", where=where)
    if {made.shape[-1], true.shape[-1]} - {1, 3}:
        raise DataError(
            f"{where}: images have {made.shape[-1]} and {true.shape[-1]} colours. Allowed: 1 or 3."
        )
    if size_px is None and made.shape[2:4] != true.shape[1:3]:
        raise DataError(
            f"{where}: reconstructions are {made.shape[2]} x {made.shape[3]} pixels, stimuli "
            f"{true.shape[1]} x {true.shape[2]}. Set size_px to compare both at one size."
        )
    height, width = true.shape[1:3] if size_px is None else (size_px, size_px)
    flat = resize_images(made.reshape(-1, *made.shape[2:]), height, width)
    made, true = match_colours(
        flat.reshape(*made.shape[:2], *flat.shape[1:]), resize_images(true, height, width)
    )
    n = made.shape[1]
    notices = [f"Compared at {height} x {width} pixels."]
    if n > 1:
        notices.append(f"{n} samples per item, each scored, then averaged: no best of {n}.")
    groups = find_units(items.with_columns(stimulus_id=items["id"]), "stimulus", where)
    return ImagePairs(made, true, target, items, groups, tuple(notices))


def _first_sample(given: Reconstructions, ids: np.ndarray, where: str) -> Stimuli:
    """Take reconstructions as the true images, where a control compares two of them."""
    found = given.take(find_rows(given.items["id"], ids, what="stimulus", where=where))
    return Stimuli(data=found.data[:, 0], items=found.items, of=given.of)


def score_pairs(
    name: str,
    pairs: ImagePairs,
    compare: Callable[[np.ndarray, np.ndarray], np.ndarray],
    *,
    n_permutations: int,
    seed: int,
) -> Claim:
    """Score each item against its own image, and against others for chance and null.

    Chance is the mean over mismatched pairs: what any image of this test set gets with any other.

    Parameters
    ----------
    compare : function of (made, true), each (n, height, width, n_colours), to (n,)
    n_permutations : int
        Each hands every item the image of another, by exchange.
    """
    values = _compare_in_blocks(pairs, pairs.target, compare)
    places = list_exchangeable(pairs.groups, np.zeros(len(values), np.int64))
    if count_orders(places) < 2 or not n_permutations:
        return Claim(name, values, float("nan"))
    rng = np.random.default_rng(seed)
    null, mismatched = [], []
    for _ in track(range(n_permutations), f"{name}: mismatched pairs"):
        order = shuffle_units(places, len(values), rng)
        other = _compare_in_blocks(pairs, pairs.target[order], compare)
        null.append(other.mean())
        mismatched.append(other[pairs.groups[order] != pairs.groups])
    pool = np.concatenate(mismatched)
    return Claim(name, values, float(pool.mean()) if len(pool) else float("nan"), np.array(null))


def _compare_in_blocks(
    pairs: ImagePairs,
    target: np.ndarray,
    compare: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> np.ndarray:
    n_items, n_samples = pairs.made.shape[:2]
    step = max(1, PIXELS_AT_ONCE // int(np.prod(pairs.made.shape[1:])))
    values = np.zeros((n_items, n_samples))
    for start in range(0, n_items, step):
        rows = slice(start, start + step)
        true = pairs.true[target[rows]]
        for sample in range(n_samples):
            values[rows, sample] = compare(pairs.made[rows, sample], true)
    return values.mean(axis=1)
