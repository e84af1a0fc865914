"""Would an independent reader see the right digit in the reconstruction?

The reader (digit_classifier.py) is fitted on scikit-learn's digits, those shown left out; nothing
is trained on its verdict. A generator may have learnt from the same collection (the quickstart's
has).
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
from pydantic import NonNegativeInt, PositiveInt

from neurodecode.core.artifacts import Reconstructions, Scores, Stimuli
from neurodecode.core.checks import list_names
from neurodecode.core.errors import DataError
from neurodecode.core.stage import Stage
from neurodecode.evaluation.image_pairs import read_pairs
from neurodecode.evaluation.summary import Claim, Unit, find_units, make_scores
from neurodecode.numerics.image_metrics import make_grey


class DigitConfidence(Stage):
    """Probability that an independent classifier of ten digits gives to the true one.

    The second claim is the same among the digits that the test set holds. The classifier's
    confidence in the real images is the ceiling. Samples of an item are averaged.

    Parameters
    ----------
    column : str
        Column of the items that holds the digit, "0" to "9".
    n_copies : int
        Varied copies of each training digit of the classifier.
    n_passes : int
        Passes over them.
    n_permutations : int
        Exchanges of the digits between items, for chance and p.
    resample : {"stimulus", "category", "run", "session", "subject"}
        Unit of independence of the bootstrap.
    n_bootstrap : int
    seed : int
        Of classifier, permutations and bootstrap.
    """

    stage: ClassVar[str] = "evaluation.digit_confidence"
    scores: ClassVar[bool] = True
    example: ClassVar[dict[str, int]] = {"n_copies": 0, "n_passes": 1}

    column: str = "category"
    n_copies: NonNegativeInt = 8
    n_passes: PositiveInt = 25
    n_permutations: NonNegativeInt = 1000
    resample: Unit = "stimulus"
    n_bootstrap: PositiveInt = 2000
    seed: int = 0

    def run(self, reconstructions: Reconstructions, stimuli: Stimuli) -> Scores:
        """Return one probability per item."""
        from neurodecode.evaluation.digit_classifier import fit_digit_classifier, frame_digits

        size = reconstructions.data.shape[2]  # the reader brings all to its own frame anyway
        pairs = read_pairs(reconstructions, stimuli, size_px=size, where=self.stage)
        digit = self._read_digits(pairs.items[self.column])
        known = _find_known_digits(stimuli)
        reader = fit_digit_classifier(self.n_copies, self.n_passes, self.seed, known)

        def read(images: np.ndarray) -> np.ndarray:
            return reader.predict_proba(frame_digits(make_grey(images)))

        n_samples = pairs.made.shape[1]
        belief = np.mean([read(pairs.made[:, s]) for s in range(n_samples)], axis=0)
        real = read(pairs.true)[pairs.target]
        rows, shown = np.arange(len(digit)), np.unique(digit)
        units = find_units(pairs.items, self.resample, self.stage)
        claims = [self._claim("confidence in the true digit", belief, digit)]
        if len(shown) > 1:
            name = f"confidence among {', '.join(map(str, shown))}"
            among = belief[:, shown] / belief[:, shown].sum(axis=1, keepdims=True)
            claims.append(self._claim(name, among, np.searchsorted(shown, digit)))
        claims.append(self._claim("the real images (ceiling)", real, digit))
        right = float((real.argmax(axis=1) == digit).mean())
        scores = make_scores(
            claims,
            pairs.items,
            units,
            metric="digit confidence",
            scale="similarity",
            n_bootstrap=self.n_bootstrap,
            seed=self.seed,
            of="image",
            notices=[
                *pairs.notices[1:],
                f"The reader names the digit of {right:.0%} of the real images, among ten.",
            ],
        )
        return replace(scores, ceiling=real[rows, digit])

    def _claim(self, name: str, belief: np.ndarray, digit: np.ndarray) -> Claim:
        rng = np.random.default_rng(self.seed)
        rows = np.arange(len(digit))
        if not self.n_permutations or len(np.unique(digit)) < 2:
            return Claim(name, belief[rows, digit], float("nan"))
        null = np.array(
            [belief[rows, rng.permutation(digit)].mean() for _ in range(self.n_permutations)]
        )
        return Claim(name, belief[rows, digit], float(null.mean()), null)

    def _read_digits(self, column: np.ndarray) -> np.ndarray:
        text = column.astype(str)
        bad = ~np.isin(text, [str(d) for d in range(10)])
        if bad.any():
            raise DataError(
                f"{self.stage}: column '{self.column}' holds {list_names(np.unique(text[bad]))}. "
                "Allowed: the digits 0 to 9."
            )
        return text.astype(int)


def _find_known_digits(stimuli: Stimuli) -> list[int]:
    """Return which of scikit-learn's digits are shown, so that the reader does not learn them."""
    if "source" not in stimuli.items:
        return []
    names = [str(s).partition("/") for s in stimuli.items["source"]]
    return sorted({int(n) for kind, _, n in names if kind == "digits" and n.isdigit()})
