"""Values of two scores of the same items, side by side. No stage."""

from __future__ import annotations

import numpy as np

from neurodecode.core.artifacts import Scores
from neurodecode.core.checks import check_known, find_rows
from neurodecode.core.errors import DataError
from neurodecode.evaluation.summary import name_items


def pair_values(
    first: Scores, second: Scores, claim: str, *, where: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return first minus second for each item of a claim, and the items' units.

    Returns
    -------
    differences : array, shape (n_items,)
        NaN where either has none.
    units : array, shape (n_items,)

    Raises
    ------
    DataError
        The items differ, or a score holds no values for the claim.
    """
    rows = match_items(first, second, where)
    for scores in (first, second):
        check_known(claim, list(scores.items), what="claim", where=where)
    return first.items[claim] - second.items[claim][rows], first.items["unit"]


def match_items(first: Scores, second: Scores, where: str) -> np.ndarray:
    """Return the rows of the second that hold the items of the first, in the first's order."""
    ours, theirs = name_items(first.items), name_items(second.items)
    if np.array_equal(ours, theirs):
        return np.arange(len(ours))
    if first.test_set != second.test_set:
        shared = len(np.intersect1d(ours, theirs))
        raise DataError(
            f"{where}: the scores belong to different items ({len(ours)} and {len(theirs)}, "
            f"{shared} shared). Score both on the same test rows."
        )
    return find_rows(theirs, ours, what="item", where=where)
