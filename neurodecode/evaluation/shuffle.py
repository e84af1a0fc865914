"""A control: the brain's responses, given to the wrong samples.

Everything downstream is fitted and scored anew on them; what it reaches is chance.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np
from pydantic import NonNegativeInt, PositiveInt

from neurodecode.core.artifacts import Responses
from neurodecode.core.errors import DataError
from neurodecode.core.stage import Sight, Stage
from neurodecode.evaluation.summary import find_units


class Shuffle(Stage):
    """Permute the responses against their sample table.

    Parameters
    ----------
    number : int
        Which shuffle: each number is another permutation.
    within : {"all", "run"}
        Exchange rows anywhere, or within their run only.
    block_rows : int
        So many consecutive rows of a run stay together. Needed for time series: neighbouring
        rows resemble each other, and shuffling them one by one makes chance look smaller than it
        is (false positives 9 to 16 % where 5 % are promised).
    seed : int
    """

    stage: ClassVar[str] = "evaluation.shuffle"

    number: NonNegativeInt = 0
    within: Literal["all", "run"] = "all"
    block_rows: PositiveInt = 1
    seed: int = 0

    def sees(self) -> dict[str, Sight]:
        """Each row holds one other row's data; the identities stay where they were."""
        return {"responses": "row"}

    def run(self, responses: Responses) -> Responses:
        """Return the same samples with other samples' data."""
        n = len(responses.samples)
        if n < 2:
            raise DataError(f"{self.stage}: {n} samples cannot be shuffled. Give two or more.")
        if responses.t_r is not None and self.block_rows == 1:
            raise DataError(
                f"{self.stage}: these are time series (t_r {responses.t_r:g} s); neighbouring rows "
                "resemble each other; shuffled one by one they give false positives. Set "
                "block_rows to the rows of some 30 s or more (controls: {block_rows: 16})."
            )
        rng = np.random.default_rng([self.seed, self.number])
        runs = find_units(responses.samples, "run", self.stage)
        groups = runs if self.within == "run" else np.zeros(n, np.int64)
        order = np.arange(n)
        for group in np.unique(groups):
            rows = np.flatnonzero(groups == group)
            order[rows] = rows[shuffle_blocks(runs[rows], self.block_rows, rng)]
        return replace(responses, data=np.asarray(responses.data)[order])


def shuffle_blocks(runs: np.ndarray, block_rows: int, rng: np.random.Generator) -> np.ndarray:
    """Return an order that moves blocks of consecutive rows, none of which spans two runs.

    Parameters
    ----------
    runs : array of int, shape (n_rows,)

    Returns
    -------
    order : array of int, shape (n_rows,)
    """
    blocks = []
    for run in np.unique(runs):
        rows = np.flatnonzero(runs == run)
        blocks += np.split(rows, range(block_rows, len(rows), block_rows))
    return np.concatenate([blocks[i] for i in rng.permutation(len(blocks))])
