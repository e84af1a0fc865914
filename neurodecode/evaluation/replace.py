"""Controls without the brain: other features in place of the decoded ones.

What a generator makes of them shows what it knows by itself (``prior_only``,
``mean_embedding``), what copying a training item would give (``nearest_training``), and the best
that it can do (``true_features``).
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np

from neurodecode.core.artifacts import Features, Predictions, Split
from neurodecode.core.errors import DataError
from neurodecode.core.stage import Sight, Stage
from neurodecode.numerics.identification import compute_similarity


class Replace(Stage):
    """Replace the decoded features of each test row.

    Parameters
    ----------
    kind : {"mean_embedding", "prior_only", "nearest_training", "true_features"}
        The mean of the fold's training features; those of a training item drawn at random, the
        brain removed; those of the training item that correlates best with the decoded features;
        or the true features of the row's own stimulus, the generator's ceiling.
    seed : int
        Of the draw for "prior_only".
    """

    stage: ClassVar[str] = "evaluation.replace"
    example: ClassVar[dict[str, str]] = {"kind": "mean_embedding"}

    kind: Literal["mean_embedding", "prior_only", "nearest_training", "true_features"]
    seed: int = 0

    def sees(self) -> dict[str, Sight]:
        """Only the ceiling looks at the row's own truth."""
        own: Sight = "row" if self.kind == "true_features" else "training"
        return {"predictions": "row", "features": own}

    def run(self, predictions: Predictions, features: Features, split: Split) -> Predictions:
        """Return the same rows with other features."""
        self._check(predictions, features, split)
        decoded = np.asarray(predictions.data)
        shown = predictions.rows["stimulus_id"]
        if self.kind == "true_features":
            data = features.read_for(shown)
        else:
            data = np.zeros(decoded.shape, np.result_type(decoded.dtype, np.float32))
            folds = predictions.rows["fold"]
            for fold in np.unique(folds):
                rows = np.flatnonzero(folds == fold)
                trained = split.samples["stimulus_id"][split.fold(int(fold)).train]
                data[rows] = self._choose(decoded[rows], features.read_for(trained), int(fold))
        return replace(predictions, data=data.astype(decoded.dtype, copy=False))

    def _choose(self, decoded: np.ndarray, training: np.ndarray, fold: int) -> np.ndarray:
        if self.kind == "mean_embedding":
            return np.broadcast_to(training.mean(axis=0), decoded.shape)
        if self.kind == "prior_only":
            rng = np.random.default_rng([self.seed, fold])
            return training[rng.integers(len(training), size=len(decoded))]
        alike = compute_similarity(
            decoded.reshape(len(decoded), -1), training.reshape(len(training), -1)
        )
        return training[alike.argmax(axis=1)]

    def _check(self, predictions: Predictions, features: Features, split: Split) -> None:
        if predictions.of != "features":
            raise DataError(
                f"{self.stage}: these are predicted responses. Give predicted features "
                "(a decoding step)."
            )
        if predictions.split != split.digest:
            raise DataError(
                f"{self.stage}: the predictions were made with another split. Give the split of "
                "their decoder."
            )
        if predictions.data.shape[1:] != features.data.shape[1:]:
            raise DataError(
                f"{self.stage}: predictions have shape {predictions.data.shape[1:]} per row, "
                f"features {features.data.shape[1:]}. Give the features that the decoder was "
                "fitted to."
            )
