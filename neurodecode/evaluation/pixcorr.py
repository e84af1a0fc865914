"""Pixel correlation of reconstructions with what was shown (PixCorr).

Published figures resize both to 425 pixels and correlate flattened RGB (Ozcelik and VanRullen
2023; Scotti et al. 2023, 2024): ``size_px: 425``. A high value is no evidence by itself, as images
of one set resemble each other; ``chance`` is what mismatched pairs reach.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import NonNegativeInt, PositiveInt

from neurodecode.core.artifacts import Reconstructions, Scores, Stimuli
from neurodecode.core.stage import Stage
from neurodecode.evaluation.image_pairs import read_pairs, score_pairs
from neurodecode.evaluation.summary import Unit, find_units, make_scores
from neurodecode.numerics.image_metrics import correlate_pixels


class Pixcorr(Stage):
    """Pearson correlation over all pixels and colours, per item, averaged over its samples.

    Parameters
    ----------
    size_px : int or None
        Height and width for the comparison. None keeps the images' own size.
    n_permutations : int
        Random exchanges of the true images, for chance and p; the smallest p is
        1 / (n_permutations + 1).
    resample : {"stimulus", "category", "run", "session", "subject"}
        Unit of independence of the bootstrap.
    n_bootstrap : int
    seed : int
    """

    stage: ClassVar[str] = "evaluation.pixcorr"
    scores: ClassVar[bool] = True

    size_px: PositiveInt | None = None
    n_permutations: NonNegativeInt = 100
    resample: Unit = "stimulus"
    n_bootstrap: PositiveInt = 2000
    seed: int = 0

    def run(self, reconstructions: Reconstructions, stimuli: Stimuli) -> Scores:
        """Return one correlation per item."""
        pairs = read_pairs(reconstructions, stimuli, size_px=self.size_px, where=self.stage)
        claim = score_pairs(
            "pixel correlation", pairs, correlate_pixels,
            n_permutations=self.n_permutations, seed=self.seed,
        )  # fmt: skip
        return make_scores(
            [claim],
            pairs.items,
            find_units(pairs.items, self.resample, self.stage),
            metric="pixel correlation",
            scale="r",
            n_bootstrap=self.n_bootstrap,
            seed=self.seed,
            of="image",
            notices=pairs.notices,
        )
