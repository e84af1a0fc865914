"""The two sides of a split, as the rules look at them: who trains, who is tested, and when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from neurodecode.core.artifacts import TEST, TRAIN, VALIDATION, Responses, Split
from neurodecode.core.lineage import NOTHING, make_row_tokens
from neurodecode.core.tables import Table

# Enough to see what is the same in every fold; a hundred folds of a long recording stay cheap.
MAX_FOLDS = 20
PLACES = ("subject", "session", "run")


@dataclass(frozen=True)
class Timeline:
    """Rows in the order of their runs.

    Parameters
    ----------
    order : array of int, shape (n_rows,)
        Row numbers, run by run, by onset where it is known and else as they come.
    place : array of int, shape (n_rows,)
        Number of the run of each row.
    onset_s : array or None, shape (n_rows,)
        None where not every row has an onset: then the order is that of the file.
    """

    order: np.ndarray
    place: np.ndarray
    onset_s: np.ndarray | None


class Sides:
    """A split and its samples.

    Parameters
    ----------
    split : Split
    responses : Responses or None
        What was split, if known.
    """

    def __init__(self, split: Split, responses: Responses | None) -> None:
        self.samples: Table = split.samples
        self.unit = split.unit
        self.responses = responses
        n = split.n_folds
        chosen = np.unique(np.linspace(0, n - 1, min(n, MAX_FOLDS)).astype(int))
        roles = np.asarray(split.roles)
        self.tested = (roles == TEST).any(axis=0)
        self.folds = [
            (np.isin(roles[k], (TRAIN, VALIDATION)), np.flatnonzero(roles[k] == TEST))
            for k in chosen
        ]

    def count(self, touches: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> tuple[int, int]:
        """Return how many test rows a condition holds for, and how many there are.

        Parameters
        ----------
        touches : callable
            Given the mask of fitted rows and the numbers of the test rows of a fold.
        """
        found = [np.asarray(touches(fitted, test), bool) for fitted, test in self.folds]
        return sum(int(f.sum()) for f in found), sum(len(f) for f in found)

    @cached_property
    def stimuli(self) -> np.ndarray | None:
        """Tokens of each row's stimulus as lineage knows it, (n_rows, n_names); None without."""
        return make_row_tokens(self.samples).get("stimulus")

    @cached_property
    def categories(self) -> np.ndarray | None:
        """Category of each row, "" for none; None unless there are two or more."""
        if "category" not in self.samples:
            return None
        values = self.samples["category"].astype(str)
        return values if len(np.unique(values[values != ""])) > 1 else None

    @cached_property
    def shown(self) -> np.ndarray | None:
        """One name of each row's stimulus, "" where nothing was shown."""
        if self.stimuli is None:
            return None
        names = self.stimuli[:, 0].astype(str)
        names[(self.stimuli == NOTHING).all(axis=1)] = ""
        return names

    def number_places(self, level: str = "run") -> np.ndarray:
        """Return the number of each row's run, session or subject."""
        wanted = PLACES[: PLACES.index(level) + 1]
        numbers = np.zeros(len(self.samples), np.int64)
        for column in (c for c in wanted if c in self.samples):
            own = np.unique(self.samples[column], return_inverse=True)[1].ravel()
            pairs = numbers * (own.max(initial=0) + 1) + own
            numbers = np.unique(pairs, return_inverse=True)[1].ravel()
        return numbers

    @cached_property
    def timeline(self) -> Timeline:
        """The order of the rows in time, as far as it is known."""
        place = self.number_places()
        onset = self.samples["onset_s"] if "onset_s" in self.samples else np.array([np.nan])
        known = bool(len(onset) == len(place) and np.isfinite(onset).all() and np.ptp(onset) > 0)
        rows = np.arange(len(place))
        order = np.lexsort((rows, onset, place)) if known else np.lexsort((rows, place))
        return Timeline(order, place, np.asarray(onset, np.float64) if known else None)
