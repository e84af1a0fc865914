"""Which of two results is better? Differences on the same items.

The interval resamples units of independence; p flips the signs of units' differences (a two-sided
test that either might as well have been the other).
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import PositiveInt

from neurodecode.core.artifacts import Scores
from neurodecode.core.errors import DataError
from neurodecode.core.stage import Stage
from neurodecode.core.tables import Table
from neurodecode.evaluation.paired import match_items, pair_values
from neurodecode.numerics.statistics import bootstrap_mean, permute_signs


class Compare(Stage):
    """Paired difference of two scores, first minus second.

    Voxels are not independent of each other, and their scores do not hold the rows that could be
    resampled: over voxels the difference comes as a map and a median without interval.

    Parameters
    ----------
    n_bootstrap, n_permutations : int
    seed : int
    """

    stage: ClassVar[str] = "evaluation.compare"

    n_bootstrap: PositiveInt = 2000
    n_permutations: PositiveInt = 5000
    seed: int = 0

    def run(self, first: Scores, second: Scores) -> Scores:
        """Return the difference for each claim that both make."""
        for what in ("metric", "scale", "over"):
            ours, theirs = getattr(first, what), getattr(second, what)
            if ours != theirs:
                raise DataError(
                    f"{self.stage}: the first score's {what} is '{ours}', the second's "
                    f"'{theirs}'. Give two scores of one metric."
                )
        return self._compare_items(first, second) if first.over == "items" else (
            self._compare_voxels(first, second)
        )  # fmt: skip

    def _compare_items(self, first: Scores, second: Scores) -> Scores:
        rows = match_items(first, second, self.stage)
        shared = [n for n in first.summary["name"].tolist() if n in set(second.summary["name"])]
        if not shared:
            raise DataError(
                f"{self.stage}: the two scores have no row of their summaries in common. Give two "
                "scores made by the same stage with the same settings."
            )
        table: dict[str, list[object]] = {}
        columns = {}
        for name in shared:
            difference, units = pair_values(first, second, name, where=self.stage)
            low, high = bootstrap_mean(
                difference, units, n_bootstrap=self.n_bootstrap, seed=self.seed
            )
            known = np.isfinite(difference)
            row = {
                "name": f"{name}: first - second",
                "value": float(difference[known].mean()) if known.any() else float("nan"),
                "low": low,
                "high": high,
                "chance": 0.0,
                "n": int(known.sum()),
                "n_units": len(np.unique(units[known])),
                "p": permute_signs(
                    difference, units, n_permutations=self.n_permutations, seed=self.seed
                ),
            }
            for key, value in row.items():
                table.setdefault(key, []).append(value)
            columns[str(row["name"])] = difference
        kept = {c: first.items[c] for c in first.items if c not in set(first.summary["name"])}
        return Scores(
            values=first.values - np.asarray(second.values)[rows],
            over="items",
            items=Table({**kept, **columns}),
            metric=f"difference in {first.metric}",
            scale=first.scale,
            of=first.of,
            summary=Table(table),
            notices=tuple(dict.fromkeys((*first.notices, *second.notices))),
            test_set=first.test_set,
        )

    def _compare_voxels(self, first: Scores, second: Scores) -> Scores:
        if len(first.values) != len(second.values) or first.test_set != second.test_set:
            raise DataError(
                f"{self.stage}: the scores are of {len(first.values)} and {len(second.values)} "
                "voxels, or of different test rows. Score both on the same."
            )
        difference = np.asarray(first.values) - np.asarray(second.values)
        known = difference[np.isfinite(difference)]
        nan = float("nan")
        row = {
            "name": "median difference: first - second",
            "value": float(np.median(known)) if len(known) else nan,
            "low": nan, "high": nan, "chance": 0.0, "n": len(known), "p": nan,
        }  # fmt: skip
        told = (
            "No interval: voxels are not independent. Compare the predictions "
            "(evaluation.compare_encoders), or subjects (evaluation.group)."
        )
        return Scores(
            values=difference,
            over="voxels",
            items=first.items,
            metric=f"difference in {first.metric}",
            scale=first.scale,
            of=first.of,
            summary=Table({key: [value] for key, value in row.items()}),
            space=first.space,
            notices=tuple(dict.fromkeys((*first.notices, *second.notices, told))),
            test_set=first.test_set,
        )
