"""What each feature space explains that no other does, and what they have in common.

Models of all subsets of bands are compared by inclusion and exclusion; the equations stand in
numerics/variance_partitioning.py. Everything is R² of held-out rows: correlations do not add up.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import PositiveInt

from neurodecode.core.artifacts import Predictions, Responses, Scores
from neurodecode.core.errors import DataError
from neurodecode.core.stage import Stage
from neurodecode.core.tables import Table
from neurodecode.evaluation.region_means import BOOTSTRAP_P, list_regions, summarize_regions
from neurodecode.evaluation.side_by_side import read_side_by_side
from neurodecode.evaluation.summary import digest_test_set
from neurodecode.numerics.statistics import control_fdr
from neurodecode.numerics.variance_partitioning import (
    Subset,
    count_units,
    find_unique_p,
    list_subsets,
    partition_variance,
    score_subsets,
    sum_errors,
)

MOST_BANDS = 4


class VariancePartitioning(Stage):
    """Unique and shared parts of R² for two to four bands, voxel by voxel.

    ``predictions`` names each model by its bands, joined by "+":
    ``{a: step, b: step, a+b: step}``. All subsets are needed, fitted with one split:
    encoding.banded_ridge with ``bands: [a]``, ``bands: [b]``, ``bands: [a, b]``.

    The p-value of a band's unique part flips the signs of units' gains, one-sided: by how much the
    squared error of a unit falls when the band joins the others. A band without information makes
    held-out errors a little worse, so that the test errs on the safe side. Intervals in the summary
    are of means over voxels, by a bootstrap that draws the same units for all models.

    Parameters
    ----------
    within : {"fold", "run"}
        The held-out part about whose mean variance is taken.
    unit : {"auto", "stimulus", "sample", "run", "session"}
        What is drawn and flipped; see evaluation.split_scores.
    rois : tuple of str
        Regions of the space whose means the summary has, beside that of all voxels.
    n_bootstrap, n_permutations : int
    seed : int
    """

    stage: ClassVar[str] = "evaluation.variance_partitioning"
    scores: ClassVar[bool] = True
    example: ClassVar = {"n_bootstrap": 20, "n_permutations": 20}

    within: Literal["fold", "run"] = "fold"
    unit: Literal["auto", "stimulus", "sample", "run", "session"] = "auto"
    rois: tuple[str, ...] = ()
    n_bootstrap: PositiveInt = 1000
    n_permutations: PositiveInt = 1000
    seed: int = 0

    def run(self, predictions: dict[str, Predictions], responses: Responses) -> Scores:
        """Partition the variance.

        Parameters
        ----------
        predictions : Predictions of responses, by the bands of their model
        responses : Responses

        Returns
        -------
        scores : Scores over voxels
            ``values`` is the R² of all bands together. ``items`` has, for each band, ``unique
            BAND``, its p and its q (Benjamini-Hochberg over voxels), and for each larger subset
            ``shared A, B``. Parts sum to the R² of all bands.
        """
        models, bands = self._read_names(predictions)
        given = read_side_by_side(predictions, responses, self.within, self.unit, self.stage)
        predicted = {subset: given.predicted[label] for subset, label in models.items()}
        sums = sum_errors(predicted, given.measured, given.parts, given.units)
        subsets = list_subsets(bands)
        claims = [_name_part(subset, bands) for subset in subsets]

        def compute(counts: np.ndarray | None = None) -> np.ndarray:
            scores = score_subsets(sums, counts)
            parts = partition_variance(scores, bands)
            return np.stack([scores[frozenset(bands)], *(parts[subset] for subset in subsets)])

        values = compute()
        columns = dict(zip(claims, values[1:], strict=True))
        for band in bands:
            p = find_unique_p(sums, band, bands, self.n_permutations, self.seed)
            columns[f"p of unique {band}"], columns[f"q of unique {band}"] = p, control_fdr(p)
        regions = list_regions(given.space, values.shape[1], self.rois, self.stage)
        summary = summarize_regions(
            compute, sums, ["R² of all bands", *claims], regions, self.n_bootstrap, self.seed
        )
        floor = max(1 / (1 + self.n_permutations), 0.5 ** count_units(sums))
        return Scores(
            values=values[0],
            over="voxels",
            items=Table({"voxel": np.arange(values.shape[1]), **columns}),
            metric="R², partitioned between bands",
            scale="r2",
            summary=summary,
            space=given.space,
            notices=(f"The smallest attainable p of a unique part is {floor:.2g}.", BOOTSTRAP_P),
            test_set=digest_test_set(given.table),
        )

    def _read_names(
        self, predictions: dict[str, Predictions]
    ) -> tuple[dict[Subset, str], list[str]]:
        split = {label: [name.strip() for name in label.split("+")] for label in predictions}
        models = {frozenset(names): label for label, names in split.items()}
        bands = list(dict.fromkeys(name for names in split.values() for name in names))
        wanted = list_subsets(bands) if len(bands) <= MOST_BANDS else []
        absent = ["+".join(b for b in bands if b in s) for s in wanted if s not in models]
        if not 2 <= len(bands) <= MOST_BANDS or absent or len(models) < len(predictions):
            told = f"; absent: {', '.join(absent)}" if absent else ""
            raise DataError(
                f"{self.stage}: predictions are named {', '.join(predictions)}{told}. Allowed: "
                "the models of all subsets of two to four bands, each once. Name them by their "
                "bands, as in predictions: {a: step, b: step, a+b: step}."
            )
        return models, bands


def _name_part(subset: Subset, bands: list[str]) -> str:
    names = [band for band in bands if band in subset]
    return f"unique {names[0]}" if len(names) == 1 else f"shared {', '.join(names)}"
