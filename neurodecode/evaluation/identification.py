"""Identification: is the decoded item nearer to its own truth than to the others?

Pairwise, n-way and top-k accuracies are exact expectations computed from ranks, not random draws
(numerics/identification.py). Published retrieval figures ("300-way", 30 random draws) are
``n_way: [300]`` here. Chance is exact: 1/2, 1/n, k/number of candidates.

Pairwise identification saturates, and can be won by telling clusters apart (Shirakawa et al. 2024):
look at n-way, and at ``within`` a category.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field, NonNegativeInt, PositiveInt

from neurodecode.core.artifacts import Features, Predictions, Reconstructions, Scores, Stimuli
from neurodecode.core.checks import check_finite, find_rows
from neurodecode.core.errors import DataError, UserError
from neurodecode.core.stage import Stage
from neurodecode.evaluation.comparisons import (
    Candidates,
    Comparison,
    average_samples,
    list_comparisons,
)
from neurodecode.evaluation.image_pairs import read_pairs
from neurodecode.evaluation.summary import (
    Claim,
    Unit,
    check_testable,
    describe_truth,
    find_units,
    make_scores,
    read_folds,
)
from neurodecode.numerics.identification import (
    Similarity,
    Ties,
    compute_similarity,
    score_n_way,
    score_pairwise,
    score_top_k,
)
from neurodecode.numerics.statistics import (
    count_orders,
    list_exchangeable,
    number_groups,
    shuffle_units,
)

FEWEST_ORDERS = 20  # fewer cannot give p of 0.05


class Identification(Stage):
    """Identify stimuli from decoded features, or from reconstructed images.

    Forward, each decoded row ranks the candidate stimuli; backward, each true stimulus ranks the
    decoded rows. Candidates are the stimuli of the test rows, each once, however often it was
    shown. What shares source or content with the target is no distractor. With several samples
    per item each is scored and the scores averaged. Intervals resample rows against the fixed
    candidates.

    Parameters
    ----------
    similarity : {"correlation", "cosine", "euclid"}
    n_way : tuple of int
        Sizes of the choice. Sizes above the number of candidates are left out, with a notice.
    top_k : tuple of int
        Among all candidates.
    direction : {"both", "forward", "backward"}
    ties : {"half", "strict"}
        Whether a tie counts half, or as a failure as in published code.
    within : str or None
        Column, such as "category": adds pairwise accuracy among candidates of the same value, over
        all and for each value.
    candidates : {"fold", "pooled"}
        Test stimuli of the row's own fold, or of all folds. Pooled over folds, distractors were
        training items of the fold that decoded, and a decoder that knows nothing falls below
        chance, most of all backward.
    size_px : int or None
        Images: height and width of the comparison. None keeps their own, which must agree.
    n_permutations : int
        Random exchanges of the truth for the p-value of the first claim, with the models fixed;
        for its claim ``within``, exchanges among items of the same value.
    resample : {"stimulus", "category", "run", "session", "subject"}
        Unit of independence of the bootstrap.
    n_bootstrap : int
    seed : int
    """

    stage: ClassVar[str] = "evaluation.identification"
    scores: ClassVar[bool] = True

    similarity: Similarity = "correlation"
    n_way: tuple[Annotated[int, Field(ge=3)], ...] = (10, 50)
    top_k: tuple[PositiveInt, ...] = (1,)
    direction: Literal["both", "forward", "backward"] = "both"
    ties: Ties = "half"
    within: str | None = None
    candidates: Literal["fold", "pooled"] = "fold"
    size_px: PositiveInt | None = None
    n_permutations: NonNegativeInt = 1000
    resample: Unit = "stimulus"
    n_bootstrap: PositiveInt = 2000
    seed: int = 0

    def run(
        self,
        predictions: Predictions | None = None,
        features: Features | None = None,
        reconstructions: Reconstructions | None = None,
        stimuli: Stimuli | None = None,
    ) -> Scores:
        """Return pairwise accuracy per row; the other claims stand in the summary.

        Give predictions and features, or reconstructions and stimuli.
        """
        notices: list[str] = []
        if predictions is not None and features is not None and (reconstructions, stimuli) == (
            None, None,
        ):  # fmt: skip
            given = self._read_features(predictions, features)
        elif reconstructions is not None and stimuli is not None and (predictions, features) == (
            None, None,
        ):  # fmt: skip
            given = self._read_images(reconstructions, stimuli, notices)
        else:
            raise UserError(
                f"{self.stage}: the inputs make no pair. Give either predictions and features, or "
                "reconstructions and stimuli."
            )
        claims = list(self._score(given, notices))
        return make_scores(
            claims,
            given.items,
            find_units(given.items, self.resample, self.stage),
            metric=f"identification by {self.similarity}",
            scale="accuracy",
            n_bootstrap=self.n_bootstrap,
            seed=self.seed,
            notices=notices,
            of="features" if predictions is not None else "image",
        )

    def _read_features(self, predictions: Predictions, features: Features) -> Candidates:
        check_testable(predictions, self.stage)
        if predictions.of != "features":
            raise DataError(
                f"{self.stage}: these are predicted responses. Give predicted features, or score "
                "them with evaluation.encoding."
            )
        items = describe_truth(predictions.items, features, self.stage)
        ids, target = np.unique(items["id"], return_inverse=True)
        rows = find_rows(features.items["id"], ids, what="stimulus", where=self.stage)
        order = np.argsort(rows)  # stored arrays are read in ascending order
        true = np.asarray(features.data[rows[order]])[np.argsort(order)]
        decoded = np.asarray(predictions.data)
        if decoded.shape[1:] != true.shape[1:]:
            raise DataError(
                f"{self.stage}: predictions have shape {decoded.shape[1:]} per row, features "
                f"{true.shape[1:]}. Give the features that the decoder was fitted to."
            )
        for what, values in (("predictions", decoded), ("features", true)):
            check_finite(values, what=what, where=self.stage)
        return Candidates(
            decoded.reshape(len(decoded), 1, -1),
            true.reshape(len(true), -1),
            target,
            items,
            find_units(items, "stimulus", self.stage),
        )

    def _read_images(
        self, reconstructions: Reconstructions, stimuli: Stimuli, notices: list[str]
    ) -> Candidates:
        pairs = read_pairs(reconstructions, stimuli, size_px=self.size_px, where=self.stage)
        notices += pairs.notices
        n, n_samples = pairs.made.shape[:2]
        made = pairs.made.reshape(n, n_samples, -1)
        true = pairs.true.reshape(len(pairs.true), -1)
        return Candidates(made, true, pairs.target, pairs.items, pairs.groups)

    def _score(self, given: Candidates, notices: list[str]) -> Iterator[Claim]:
        n_rows, n_true = len(given.target), len(given.true)
        if n_true < 2 or len(np.unique(given.groups)) < 2:
            raise DataError(
                f"{self.stage}: {n_rows} rows of one stimulus leave nothing to tell apart. "
                "Allowed: two stimuli or more."
            )
        similarity = [
            compute_similarity(given.decoded[:, s], given.true, self.similarity)
            for s in range(given.decoded.shape[1])
        ]
        comparisons = list_comparisons(given, similarity, self.candidates, self.direction)
        if not comparisons[0].allowed.any():
            raise DataError(
                f"{self.stage}: no fold tests more than one stimulus, so that there is nothing to "
                "tell apart within a fold. Use fewer folds, or candidates: pooled."
            )
        self._tell(given, comparisons[0], notices)
        for comparison in comparisons:
            yield from self._score_direction(comparison, given, notices)

    def _score_direction(
        self, comparison: Comparison, given: Candidates, notices: list[str]
    ) -> Iterator[Claim]:
        ranks, end = comparison.rank(), comparison.suffix
        pairwise = average_samples([score_pairwise(r, self.ties) for r in ranks])
        is_first = not end or self.direction == "backward"
        folds = read_folds(given.items)
        strata = folds if self.candidates == "fold" else np.zeros(len(folds), np.int64)
        null = self._permute(comparison, given, strata) if is_first else None
        yield Claim(f"pairwise{end}", pairwise, 0.5, null)
        for n in self.n_way:
            accuracy = average_samples([score_n_way(r, n, self.ties) for r in ranks])
            if np.isnan(accuracy).any():
                most = int(ranks[0].n_distractors.min()) + 1
                notices.append(f"{n}-way{end} was left out: some rows have {most} candidates.")
            else:
                yield Claim(f"{n}-way{end}", accuracy, 1 / n)
        for k in self.top_k:
            n_candidates = ranks[0].n_distractors + 1
            chance = float((np.minimum(k, n_candidates) / n_candidates).mean())
            accuracy = average_samples([score_top_k(r, k, self.ties) for r in ranks])
            yield Claim(f"top-{k}{end}", accuracy, chance)
        if self.within is not None:
            values = given.items[self.within].astype(str)
            same = comparison.restrict(values)
            accuracy = average_samples([score_pairwise(r, self.ties) for r in same.rank()])
            cells = number_groups(strata) * len(values) + number_groups(values)
            null = self._permute(same, given, cells, fewest=FEWEST_ORDERS) if is_first else None
            if is_first and null is None and self.n_permutations:
                notices.append(f"Too few items share a {self.within} for a p-value within it.")
            name = f"pairwise{end} within {self.within}"
            yield Claim(name, accuracy, 0.5, null, self.within)
            for value in np.unique(values):
                part = np.where(values == value, accuracy, np.nan)
                yield Claim(f"{name} {value}", part, 0.5, None, self.within, value)

    def _permute(
        self, comparison: Comparison, given: Candidates, strata: np.ndarray, fewest: int = 2
    ) -> np.ndarray | None:
        """Return the mean pairwise accuracy under exchanges of the truth within strata."""
        places = list_exchangeable(given.groups, strata)
        if not self.n_permutations or count_orders(places) < fewest:
            return None
        rng = np.random.default_rng(self.seed)
        rows = np.arange(len(strata))
        # Rows with one target in one fold have the same distractors: one column serves them all.
        if comparison.suffix:
            shown, case = rows, rows
        else:
            _, shown, case = np.unique(
                np.stack([strata, given.target]), axis=1, return_index=True, return_inverse=True
            )
        table = comparison.score_targets_of(shown, self.ties)
        orders = (shuffle_units(places, len(rows), rng) for _ in range(self.n_permutations))
        return np.array([np.nanmean(table[rows, case.ravel()[order]]) for order in orders])

    def _tell(self, given: Candidates, first: Comparison, notices: list[str]) -> None:
        sizes = first.allowed.sum(axis=1) + 1
        span = str(sizes.min()) if sizes.min() == sizes.max() else f"{sizes.min()} to {sizes.max()}"
        notices.append(
            f"{span} candidates; ties count {'half' if self.ties == 'half' else 'as failures'}."
        )
        if self.candidates == "pooled" and len(np.unique(read_folds(given.items))) > 1:
            notices.append(
                "Candidates are pooled over folds, so that distractors were training items of the "
                "fold that decoded: without information the result lies below the stated chance."
            )
        copies = sum(
            len(np.unique(given.target[given.groups == g])) - 1 for g in np.unique(given.groups)
        )
        if copies:
            notices.append(
                f"{copies} stimuli share source or content with another; they are no distractors "
                "of each other."
            )
        flat = np.ptp(given.decoded, axis=2) == 0
        if flat.any() and self.similarity == "correlation":
            notices.append(
                f"{int(flat.sum())} decoded rows are constant; they tie with every candidate."
            )
