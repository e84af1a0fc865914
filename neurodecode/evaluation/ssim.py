"""Structural similarity of reconstructions and what was shown.

Wang et al. 2004; grey images, Gaussian windows of sigma 1.5, population covariance, data range 1,
as in the published evaluations (``size_px: 425`` there). Smooth images score high against
anything smooth: compare with ``chance``, the mean over mismatched pairs, and with the controls.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import NonNegativeInt, PositiveInt

from neurodecode.core.artifacts import Reconstructions, Scores, Stimuli
from neurodecode.core.errors import DataError
from neurodecode.core.stage import Stage
from neurodecode.evaluation.image_pairs import read_pairs, score_pairs
from neurodecode.evaluation.summary import Unit, find_units, make_scores
from neurodecode.numerics.image_metrics import compute_ssim, find_ssim_margin, make_grey


class Ssim(Stage):
    """Mean structural similarity per item, averaged over its samples.

    Parameters
    ----------
    size_px : int or None
        Height and width for the comparison. None keeps the images' own size.
    n_permutations : int
        Random exchanges of the true images, for chance and p; the smallest p is
        1 / (n_permutations + 1). Each costs as much as the score itself.
    resample : {"stimulus", "category", "run", "session", "subject"}
        Unit of independence of the bootstrap.
    n_bootstrap : int
    seed : int
    """

    stage: ClassVar[str] = "evaluation.ssim"
    scores: ClassVar[bool] = True

    size_px: PositiveInt | None = None
    n_permutations: NonNegativeInt = 50
    resample: Unit = "stimulus"
    n_bootstrap: PositiveInt = 2000
    seed: int = 0

    def run(self, reconstructions: Reconstructions, stimuli: Stimuli) -> Scores:
        """Return one similarity per item."""
        pairs = read_pairs(reconstructions, stimuli, size_px=self.size_px, where=self.stage)
        least = 2 * find_ssim_margin() + 1
        if min(pairs.true.shape[1:3]) < least:
            raise DataError(
                f"{self.stage}: images of {pairs.true.shape[1]} x {pairs.true.shape[2]} pixels are "
                f"smaller than the window. Allowed: {least} or more. Set size_px."
            )
        claim = score_pairs(
            "structural similarity", pairs, _compare,
            n_permutations=self.n_permutations, seed=self.seed,
        )  # fmt: skip
        return make_scores(
            [claim],
            pairs.items,
            find_units(pairs.items, self.resample, self.stage),
            metric="structural similarity",
            scale="similarity",
            n_bootstrap=self.n_bootstrap,
            seed=self.seed,
            of="image",
            notices=pairs.notices,
        )


def _compare(made: np.ndarray, true: np.ndarray) -> np.ndarray:
    return compute_ssim(make_grey(made), make_grey(true))
