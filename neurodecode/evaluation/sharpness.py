"""Are reconstructions as sharp as real images?

A decoder that averages over what might have been shown gives blurred images, which pixel
correlation and structural similarity reward. This says how blurred. It says nothing about whether
the right thing was drawn.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import PositiveInt

from neurodecode.core.artifacts import Reconstructions, Scores, Stimuli
from neurodecode.core.errors import DataError
from neurodecode.core.stage import Stage
from neurodecode.evaluation.image_pairs import read_pairs
from neurodecode.evaluation.summary import Claim, Unit, find_units, make_scores
from neurodecode.numerics.image_metrics import make_grey, measure_sharpness


class Sharpness(Stage):
    """Fine structure of each reconstruction relative to that of the image shown.

    One means as sharp as the real image, less is blurred, more is noisy. ``chance`` is the
    sharpness of the mean of all test images, the blurred image that knows nothing.

    Parameters
    ----------
    measure : {"gradient", "laplacian"}
        Root mean square difference of neighbouring pixels, or standard deviation of the Laplacian.
    size_px : int or None
        Height and width for the comparison. None keeps the images' own size, which must agree.
    resample : {"stimulus", "category", "run", "session", "subject"}
        Unit of independence of the bootstrap.
    n_bootstrap : int
    seed : int
    """

    stage: ClassVar[str] = "evaluation.sharpness"
    scores: ClassVar[bool] = True

    measure: Literal["gradient", "laplacian"] = "gradient"
    size_px: PositiveInt | None = None
    resample: Unit = "stimulus"
    n_bootstrap: PositiveInt = 2000
    seed: int = 0

    def run(self, reconstructions: Reconstructions, stimuli: Stimuli) -> Scores:
        """Return one ratio per item."""
        pairs = read_pairs(reconstructions, stimuli, size_px=self.size_px, where=self.stage)
        real = self._measure(pairs.true)
        if (real == 0).any():
            blank = pairs.items["id"][np.isin(pairs.target, np.flatnonzero(real == 0))]
            raise DataError(
                f"{self.stage}: {len(blank)} of the true images are constant (first: "
                f"'{blank[0]}'), so that nothing can be relative to their sharpness. "
                "Leave them out."
            )
        n_samples = pairs.made.shape[1]
        made = np.stack([self._measure(pairs.made[:, s]) for s in range(n_samples)], axis=1)
        ratio = made.mean(axis=1) / real[pairs.target]
        mean_image = self._measure(pairs.true.mean(axis=0, keepdims=True))
        chance = float((mean_image / real[pairs.target]).mean())
        return make_scores(
            [Claim("sharpness relative to the real images", ratio, chance)],
            pairs.items,
            find_units(pairs.items, self.resample, self.stage),
            metric="sharpness",
            scale="similarity",
            n_bootstrap=self.n_bootstrap,
            seed=self.seed,
            of="image",
            notices=(*pairs.notices, "Best is 1, not the highest; chance is the mean test image."),
        )

    def _measure(self, images: np.ndarray) -> np.ndarray:
        return measure_sharpness(make_grey(images), self.measure)
