"""Scores of several subjects over the same voxels or items, side by side. No stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from neurodecode.core.artifacts import Scores
from neurodecode.core.checks import list_names
from neurodecode.core.errors import DataError
from neurodecode.evaluation.summary import name_items

NEAR_ONE = 1 - 1e-12


@dataclass(frozen=True)
class SubjectScores:
    """Scores of several subjects.

    Parameters
    ----------
    subjects : list of str
    values : array, shape (n_subjects, n)
        What is tested against 0: scores minus chance, or minus the others; r in Fisher's z.
    fisher : bool
        Whether values are in Fisher's z.
    p : array, shape (n_subjects, n), or None
        Of each subject alone; None where a subject has none, or others are compared with.
    first : Scores
        Of the first subject, for what all share.
    paired : bool
    """

    subjects: list[str]
    values: np.ndarray
    fisher: bool
    p: np.ndarray | None
    first: Scores
    paired: bool


def read_subjects(
    scores: Mapping[str, Scores],
    others: Mapping[str, Scores] | None,
    chance: float,
    where: str,
) -> SubjectScores:
    """Read scores of all subjects, joined by what they belong to.

    Raises
    ------
    DataError
        Fewer than two subjects, other subjects on the two sides, or other voxels or items.
    """
    subjects = list(scores)
    if len(subjects) < 2:
        raise DataError(
            f"{where}: there is one subject ({list_names(subjects)}). Allowed: two or more. Give "
            "the scores of several by gather: subject."
        )
    if others is not None and set(others) != set(subjects):
        raise DataError(
            f"{where}: the two sides have different subjects ({list_names(set(subjects))} against "
            f"{list_names(set(others))}). Give both sides the same ones."
        )
    first = scores[subjects[0]]
    fisher = first.scale == "r"
    values = np.stack([_read(scores[s], first, s, fisher, where) for s in subjects])
    if others is not None:
        values = values - np.stack([_read(others[s], first, s, fisher, where) for s in subjects])
    else:
        values = values - (np.arctanh(chance) if fisher else chance)
    alone = [scores[s].p for s in subjects]
    p = None
    if others is None and all(one is not None for one in alone):
        p = np.stack([_order(np.asarray(scores[s].p), scores[s], first) for s in subjects])
    return SubjectScores(subjects, values, fisher, p, first, others is not None)


def _read(scores: Scores, first: Scores, subject: str, fisher: bool, where: str) -> np.ndarray:
    for what in ("metric", "scale", "over"):
        ours, theirs = getattr(scores, what), getattr(first, what)
        if ours != theirs:
            raise DataError(
                f"{where}: the {what} of subject '{subject}' is '{ours}', that of the first "
                f"'{theirs}'. Give scores of one metric."
            )
    if not _lie_alike(scores, first):
        raise DataError(
            f"{where}: the {len(scores.values)} scores of subject '{subject}' do not lie on the "
            f"same voxels or items as the {len(first.values)} of the first. Bring all subjects to "
            "one space (a mesh such as fsaverage5, a template, an atlas), or compare ROIs "
            "(evaluation.rois)."
        )
    values = _order(np.asarray(scores.values, np.float64), scores, first)
    return np.arctanh(np.clip(values, -NEAR_ONE, NEAR_ONE)) if fisher else values


def _lie_alike(scores: Scores, first: Scores) -> bool:
    if len(scores.values) != len(first.values):
        return False
    if first.over == "items":
        return set(name_items(scores.items)) == set(name_items(first.items))
    a, b = scores.space, first.space
    if (a.kind, a.mesh) != (b.kind, b.mesh):
        return False
    return all(
        _equal(getattr(a, name), getattr(b, name))
        for name in ("vertices", "mask", "affine", "names")
    )


def _equal(a: object, b: object) -> bool:
    if a is None or b is None:
        return a is b
    return np.array_equal(np.asarray(a), np.asarray(b))


def _order(values: np.ndarray, scores: Scores, first: Scores) -> np.ndarray:
    """Return values in the first subject's order of items."""
    if first.over == "voxels":
        return values
    place = {name: i for i, name in enumerate(name_items(scores.items))}
    return values[[place[name] for name in name_items(first.items)]]
