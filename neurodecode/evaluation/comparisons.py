"""What identification compares with what: decoded rows, candidates, and who may distract whom.

No stage. Forward, each row is compared with the candidate stimuli; backward, the true stimulus of
each row with the decoded rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurodecode.core.progress import track
from neurodecode.core.tables import Table
from neurodecode.evaluation.summary import read_folds
from neurodecode.numerics.identification import Ranks, Ties, rank_targets, score_pairwise


@dataclass(frozen=True)
class Candidates:
    """Decoded rows and the candidates they are compared with.

    Parameters
    ----------
    decoded : array, shape (n_rows, n_samples, n_features)
    true : array, shape (n_candidates, n_features)
        Each stimulus once.
    target : array of int, shape (n_rows,)
    items : Table, n_rows
    groups : array of int, shape (n_rows,)
        Rows whose stimuli share source or content.
    """

    decoded: np.ndarray
    true: np.ndarray
    target: np.ndarray
    items: Table
    groups: np.ndarray


@dataclass(frozen=True)
class Comparison:
    """Similarities of each row with what it is compared with, in one direction.

    Parameters
    ----------
    similarity : list over samples of arrays, shape (n_rows, n_columns)
        Columns are candidate stimuli (forward) or decoded rows (backward).
    target : array of int, shape (n_rows,)
    allowed : array of bool, shape (n_rows, n_columns)
        Distractors of each row.
    column_row : array of int, shape (n_columns,)
        A row that shows the column's stimulus.
    suffix : str
        Added to the names of the claims.
    """

    similarity: list[np.ndarray]
    target: np.ndarray
    allowed: np.ndarray
    column_row: np.ndarray
    suffix: str

    def rank(self) -> list[Ranks]:
        """Return the ranks of the targets, for each sample."""
        return [rank_targets(s, self.target, self.allowed) for s in self.similarity]

    def restrict(self, values: np.ndarray) -> Comparison:
        """Return the comparison among columns whose rows have the same value."""
        same = values[:, None] == values[self.column_row][None]
        return Comparison(
            self.similarity, self.target, self.allowed & same, self.column_row, self.suffix
        )

    def score_targets_of(self, shown: np.ndarray, ties: Ties) -> np.ndarray:
        """Return pairwise accuracy of row i if it showed the stimulus of row shown[j].

        Row i then keeps its similarities, and takes over the target and the distractors.

        Returns
        -------
        table : array, shape (n_rows, n_shown)
        """
        n = len(self.target)
        table = np.zeros((n, len(shown)))
        for column, row in enumerate(track(shown, "identification: null")):
            target = np.full(n, self.target[row])
            allowed = np.broadcast_to(self.allowed[row], self.allowed.shape)
            table[:, column] = average_samples(
                [score_pairwise(rank_targets(s, target, allowed), ties) for s in self.similarity]
            )
        return table


def list_comparisons(
    given: Candidates, similarity: list[np.ndarray], candidates: str, direction: str
) -> list[Comparison]:
    """Return the comparisons of the directions asked for, forward first.

    Parameters
    ----------
    similarity : list over samples of arrays, shape (n_rows, n_candidates)
    candidates : {"fold", "pooled"}
    direction : {"both", "forward", "backward"}
    """
    folds, groups = read_folds(given.items), given.groups
    rows = np.arange(len(groups))
    first_row = np.unique(given.target, return_index=True)[1]
    fold_numbers, fold = np.unique(folds, return_inverse=True)
    # A stimulus is in a fold if any row of that fold shows it.
    in_fold = np.zeros((len(fold_numbers), len(given.true)), bool)
    in_fold[fold, given.target] = True
    forward = groups[:, None] != groups[first_row][None]
    backward = groups[:, None] != groups[None]
    places = groups
    if candidates == "fold":
        forward &= in_fold[fold]
        backward &= folds[:, None] == folds[None]
        places = groups * len(fold_numbers) + fold
    # One row of each other stimulus: rows of one stimulus resemble each other, so that with all of
    # them as distractors chance would lie above 1 / n.
    first_of_place = np.zeros(len(rows), bool)
    first_of_place[np.unique(places, return_index=True)[1]] = True
    backward &= first_of_place[None]
    turned = [s.T[given.target] for s in similarity]  # row i: the true stimulus of row i
    listed = [
        Comparison(similarity, given.target, forward, first_row, ""),
        Comparison(turned, rows, backward, rows, " backward"),
    ]
    wanted = {"both": listed, "forward": listed[:1], "backward": listed[1:]}
    return wanted[direction]


def average_samples(per_sample: list[np.ndarray]) -> np.ndarray:
    """Return the mean over the samples of an item."""
    return np.mean(per_sample, axis=0)
