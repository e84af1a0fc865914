"""Rules about who is on which side: stimuli shown again, categories never trained, few units."""

from __future__ import annotations

import numpy as np

from neurodecode.core.lineage import NOTHING
from neurodecode.core.lint.findings import Found
from neurodecode.core.lint.sides import Sides
from neurodecode.core.rows import group_samples

# Named by the file as what is kept apart; that stimuli come again is then part of the design.
PLACES = ("run", "session", "subject")
# NSD has three repeats on both sides; THINGS-EEG2 four in training and eighty in the test.
UNEVEN_REPEATS = 3.0
# The share of the largest category, in units of an even share, from which guessing it pays.
UNEVEN_CATEGORIES = 1.5
# And by how many standard deviations of an even draw: small sets are never quite even.
UNEVEN_Z = 3.0
# Below five units an interval that resamples them does not mean much (evaluation.summary).
MIN_UNITS = 5


def repeated_stimuli(sides: Sides) -> Found:
    """Test rows that show a stimulus which training rows show, too."""
    stimuli = sides.stimuli
    if stimuli is None:
        return None

    def touches(fitted: np.ndarray, test: np.ndarray) -> np.ndarray:
        seen = np.unique(stimuli[fitted])
        return np.asarray(np.isin(stimuli[test], seen[seen != NOTHING]).any(axis=1))

    again, n = sides.count(touches)
    if not again:
        return None
    figures = f"{again:,} of {n:,} test rows show a stimulus that training rows show, too"
    if sides.unit in PLACES:
        return "note", (
            f"{figures}; the split keeps each {sides.unit} apart. It tests no new stimuli: say so."
        )
    return "warning", (
        f"{figures}; the split keeps each {sides.unit.removeprefix('column:')} apart, not the "
        "stimuli. Use by: stimulus, or a run, session or subject as a whole."
    )


def unseen_categories(sides: Sides) -> Found:
    """Categories that are tested but not trained."""
    values = sides.categories
    if values is None or sides.unit == "category":
        return None
    unseen, n = sides.count(
        lambda fitted, test: (
            ~np.isin(values[test], np.unique(values[fitted])) & (values[test] != "")
        )
    )
    if not unseen:
        return None
    if unseen == n:
        return "note", "No category that is tested is trained: the test is zero-shot by category."
    return "note", (
        f"{unseen:,} of {n:,} test rows are of a category that their fold does not train: known "
        "and new categories are mixed in one score. Stratify by category, or split by it."
    )


def uneven_repeats(sides: Sides) -> Found:
    """Stimuli repeated far more often on one side than on the other."""
    if sides.shown is None:
        return None
    pair = np.char.add(np.char.add(sides.number_places("subject").astype(str), "/"), sides.shown)
    number = np.unique(pair, return_inverse=True)[1].ravel()
    kept = sides.shown != ""
    trained, tested = [], []
    for fitted, test in sides.folds:
        there, here = number[fitted & kept], number[test[kept[test]]]
        # A stimulus on both sides has fewer rows on the smaller one, and no averaging is meant.
        if len(there) and len(here) and not np.isin(here, there).any():
            trained.append(len(there) / len(np.unique(there)))
            tested.append(len(here) / len(np.unique(here)))
    if not tested:
        return None
    train, test_ = float(np.mean(trained)), float(np.mean(tested))
    if max(test_ / train, train / test_) < UNEVEN_REPEATS:
        return None
    return "note", (
        f"a stimulus has {train:.3g} rows in training and {test_:.3g} in the test. Averaged over "
        "repeats the sides differ in noise; scores of averages say little about single trials. "
        "State how many were averaged."
    )


def uneven_categories(sides: Sides) -> Found:
    """Test categories so uneven that chance is not one by their number."""
    values = sides.categories
    if values is None:
        return None
    tested = values[sides.tested]
    names, counts = np.unique(tested[tested != ""], return_counts=True)
    if len(names) < 2:
        return None
    even = counts.sum() / len(names)
    if counts.max() < max(UNEVEN_CATEGORIES * even, even + UNEVEN_Z * np.sqrt(even)):
        return None
    largest = names[counts.argmax()]
    return "note", (
        f"'{largest}' makes up {counts.max() / counts.sum():.0%} of the test rows of {len(names)} "
        f"categories: to guess it always beats 1/{len(names)}. Compare with that, not with "
        f"1/{len(names)}."
    )


def few_units(sides: Sides) -> Found:
    """A test set of too few independent units for a claim about such units."""
    unit = sides.unit.removeprefix("column:")
    if sides.unit == "sample":
        n = int(sides.tested.sum())
    elif unit in sides.samples or unit == "stimulus":
        n = len(np.unique(group_samples(sides.samples, sides.unit, "lint")[sides.tested]))
    else:  # a unit that a stage of one's own names, and that the table does not hold
        return None
    if n >= MIN_UNITS:
        return None
    counted = f"{n} unit{'s'[: n != 1]} ({unit}) {'is' if n == 1 else 'are'} tested by this split"
    if sides.unit not in ("sample", "stimulus"):
        return "note", (
            f"{counted}: an interval over rows or stimuli does not say how much one {unit} "
            "differs from the next."
        )
    return "warning", (
        f"{counted}, fewer than {MIN_UNITS}: no interval or p-value can be relied upon. Hold out "
        "more, or cross-validate."
    )
