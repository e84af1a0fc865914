"""How much of a joint model's score each feature space contributes: the product measure.

The equations stand in numerics/variance_partitioning.py. A share is what a band contributes within
the joint model; what it alone can explain, and nothing else can, is asked of
evaluation.variance_partitioning.
"""

from __future__ import annotations

from functools import partial
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
from neurodecode.numerics.variance_partitioning import split_scores, sum_bands


class SplitScores(Stage):
    """Split r or R² of predicted responses into the shares of bands, voxel by voxel.

    Shares sum to the joint score, which is that of evaluation.encoding. The summary has their mean
    over voxels, with bootstrap intervals.

    Parameters
    ----------
    metric : {"r", "r2"}
    within : {"fold", "run"}
        Where scores are taken.
    unit : {"auto", "stimulus", "sample", "run", "session"}
        What the bootstrap draws, within each held-out part where it holds three or more, else
        whole parts. "auto" is the stimulus, or the run where rows are a time series.
    rois : tuple of str
        Regions of the space whose means the summary has, beside that of all voxels.
    n_bootstrap : int
    seed : int
    """

    stage: ClassVar[str] = "evaluation.split_scores"
    scores: ClassVar[bool] = True
    example: ClassVar = {"n_bootstrap": 20}

    metric: Literal["r", "r2"] = "r2"
    within: Literal["fold", "run"] = "fold"
    unit: Literal["auto", "stimulus", "sample", "run", "session"] = "auto"
    rois: tuple[str, ...] = ()
    n_bootstrap: PositiveInt = 1000
    seed: int = 0

    def run(self, predictions: Predictions, responses: Responses) -> Scores:
        """Split the scores.

        Parameters
        ----------
        predictions : Predictions, shape (n_rows, n_bands, n_voxels)
            ``band_predictions`` of encoding.banded_ridge with by_band: true.
        responses : Responses

        Returns
        -------
        scores : Scores over voxels
            ``values`` is the joint score; ``items`` has a column ``share of BAND`` for each band.
        """
        names = list(dict(predictions.extractor).get("bands", []))
        if not names or np.ndim(predictions.data) != 3:
            raise DataError(
                f"{self.stage}: these predictions are not by band (shape "
                f"{tuple(predictions.data.shape)}). Allowed: the output band_predictions of an "
                "encoding.banded_ridge step. Set by_band: true there, and give "
                "STEP.band_predictions."
            )
        given = read_side_by_side(
            {"predictions": predictions}, responses, self.within, self.unit, self.stage
        )
        by_band = np.moveaxis(given.predicted["predictions"], 1, 0)
        sums = sum_bands(by_band, given.measured, given.parts, given.units, self.metric)
        compute = partial(split_scores, sums, self.metric)
        shares = compute()
        regions = list_regions(given.space, shares.shape[1], self.rois, self.stage)
        claims = [f"share of {name}" for name in names]

        def compute_all(counts: np.ndarray | None = None) -> np.ndarray:
            drawn = compute(counts)
            return np.concatenate([drawn.sum(axis=0, keepdims=True), drawn])

        metric = "correlation" if self.metric == "r" else "R²"
        summary = summarize_regions(
            compute_all, sums, [f"joint {metric}", *claims], regions, self.n_bootstrap, self.seed
        )
        return Scores(
            values=shares.sum(axis=0),
            over="voxels",
            items=Table(
                {"voxel": np.arange(shares.shape[1]), **dict(zip(claims, shares, strict=True))}
            ),
            metric=f"{metric}, split by band",
            scale=self.metric,
            summary=summary,
            space=given.space,
            notices=(BOOTSTRAP_P,),
            test_set=digest_test_set(given.table),
        )
