"""Weights of a model as a map: of a feature, or of a band of features; patterns of decoders.

Weights are averaged over folds, which share most of their training rows. Weights of an encoder say
how a voxel responds, given all other features. Weights of a decoder do not say where there is
signal: a voxel without any takes a large weight where it cancels noise. Their patterns do: Haufe et
al. 2014, "On the interpretation of weight vectors of linear models in multivariate neuroimaging",
NeuroImage 87, 96-110, eq. 6 for one decoded feature at a time, a = cov(x, x'w) / var(x'w).
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import NonNegativeInt, model_validator

from neurodecode.core.artifacts import Features, Model, Responses, Scores, Split
from neurodecode.core.checks import check_known
from neurodecode.core.errors import DataError
from neurodecode.core.stage import Stage
from neurodecode.core.tables import Table

ENCODER_CAUTION = (
    "Weights of an encoder, averaged over folds: how a voxel responds given all other features. "
    "Ridge shrinks them, and correlated features share them, so that a small weight does not show "
    "that a feature plays no part."
)
DECODER_CAUTION = (
    "Weights of a decoder, averaged over folds: they do not show where signal is, since voxels "
    "without any take large weights that cancel noise (Haufe et al. 2014); patterns do."
)
PATTERN_CAUTION = (
    "Patterns of a decoder (Haufe et al. 2014, eq. 6, one decoded feature at a time), averaged "
    "over folds: the covariance of each voxel with what was decoded, over its variance."
)


class Weights(Stage):
    """Return a model's weights, or a decoder's patterns, as one value per voxel.

    Parameters
    ----------
    band : str
        Of the features that the model was fitted with; all of them if empty.
    feature : int or None
        One column instead, counted from 0 within the band, or among all.
    join : {"norm", "mean"}
        Of the features of a band: root of the sum of squares, without sign, or mean.
    kind : {"auto", "weights", "patterns"}
        "auto" gives the weights of encoders and the patterns of decoders.
    scale_features : bool
        Multiply an encoder's weights by the deviation of each feature over the items given, so
        that features in large units do not count for less.
    """

    stage: ClassVar[str] = "evaluation.weights"

    band: str = ""
    feature: NonNegativeInt | None = None
    join: Literal["norm", "mean"] = "norm"
    kind: Literal["auto", "weights", "patterns"] = "auto"
    scale_features: bool = False

    @model_validator(mode="after")
    def _check(self) -> Weights:
        if self.kind == "patterns" and self.scale_features:
            raise ValueError(
                "scale_features is for weights, and kind asks for patterns. Leave one of them out."
            )
        return self

    def run(
        self,
        model: Model,
        responses: Responses,
        features: Features | None = None,
        split: Split | None = None,
    ) -> Scores:
        """Return the map.

        Parameters
        ----------
        model : Model
            With "weights", (n_features, n_voxels) of an encoder or (n_voxels, n_features) of a
            decoder, per fold or once.
        responses : Responses
            Those that the model was fitted to: their space, and for patterns their data.
        features : Features or None
            Those that it was fitted with; needed for ``band`` and ``scale_features``.
        split : Split or None
            Patterns are then of each fold's training rows, else of all rows.
        """
        decodes = self._tell_direction(model)
        patterns = self.kind == "patterns" or (self.kind == "auto" and decodes)
        if patterns and not decodes:
            raise DataError(
                f"{self.stage}: kind: patterns, but {model.stage} is an encoder, whose weights are "
                "patterns already. Set kind: weights."
            )
        columns, words = self._choose_columns(model, features, decodes)
        n_voxels = int(np.prod(responses.data.shape[1:]))
        folds = [
            self._read_fold(model, responses, split, fold, columns, decodes, patterns, n_voxels)
            for fold in range(max(1, model.n_folds))
        ]
        stacked = np.stack(folds)
        counts = np.isfinite(stacked).sum(axis=0)
        total = np.nansum(stacked, axis=0)
        mean = np.divide(total, counts, out=np.full(total.shape, np.nan), where=counts > 0)
        if self.scale_features and features is not None:
            if decodes:
                raise DataError(
                    f"{self.stage}: scale_features, but {model.stage} is a decoder: features are "
                    "what it predicts. Leave it out."
                )
            data = np.asarray(features.data).reshape(len(features.data), -1)[:, columns]
            mean = mean * data.std(axis=0)[:, None]
        defined = np.isfinite(mean).any(axis=1)
        if not defined.any():
            raise DataError(
                f"{self.stage}: {words}: nothing but constants is decoded. Choose another feature, "
                "or a decoder with smaller alphas."
            )
        if not defined.all():
            words += f", {int((~defined).sum())} of them constant and left out"
        mean = mean[defined]
        over = np.linalg.norm if self.join == "norm" and len(mean) > 1 else np.mean
        values = over(mean, axis=0)
        name = f"{'pattern' if patterns else 'weight'} of {words}"
        known = np.abs(values[np.isfinite(values)])
        caution = DECODER_CAUTION if decodes else ENCODER_CAUTION
        nan = float("nan")
        return Scores(
            values=values,
            over="voxels",
            items=Table({"voxel": np.arange(n_voxels)}),
            metric=name,
            scale="weight",
            of="feature",
            summary=Table(
                {"name": [f"median size, {name}"], "low": [nan], "high": [nan], "chance": [0.0],
                 "value": [float(np.median(known)) if len(known) else nan], "n": [len(known)]}
            ),
            space=responses.space,
            notices=(PATTERN_CAUTION if patterns else caution,),
        )  # fmt: skip

    def _tell_direction(self, model: Model) -> bool:
        """Return whether the model predicts features from responses."""
        folder = model.stage.split(".")[0]
        if folder not in ("encoding", "decoding"):
            raise DataError(
                f"{self.stage}: a model of {model.stage} has no weights per voxel that are known "
                "here. Allowed: linear models of encoding and decoding, such as encoding.ridge."
            )
        check_known("weights", list(model.for_fold(0)), what="array", where=f"{self.stage}: model")
        return folder == "decoding"

    def _choose_columns(
        self, model: Model, features: Features | None, decodes: bool
    ) -> tuple[np.ndarray, str]:
        """Return which features are meant, and what they are called."""
        shape = model.for_fold(0)["weights"].shape
        n_features = shape[1] if decodes else shape[0]
        if (self.band or self.scale_features) and features is None:
            raise DataError(
                f"{self.stage}: {'band' if self.band else 'scale_features'} is set, but no "
                "features are given. Hand this step those that the model was fitted with."
            )
        columns, words = np.arange(n_features), f"{n_features} features"
        if features is not None:
            n_given = int(np.prod(features.data.shape[1:]))
            if n_given != n_features:
                raise DataError(
                    f"{self.stage}: the features have {n_given} columns, the model {n_features}. "
                    "Give those that it was fitted with."
                )
        if self.band and features is not None:
            check_known(self.band, features.bands, what="band", where=self.stage)
            first, end = features.bands[self.band]
            columns, words = np.arange(first, end), f"{self.band} ({end - first} features)"
        if self.feature is not None:
            if self.feature >= len(columns):
                raise DataError(
                    f"{self.stage}: feature: {self.feature} of {len(columns)}. Allowed: 0 to "
                    f"{len(columns) - 1}."
                )
            columns = columns[[self.feature]]
            words = f"feature {self.feature}" + (f" of {self.band}" if self.band else "")
        return columns, words

    def _read_fold(
        self,
        model: Model,
        responses: Responses,
        split: Split | None,
        fold: int,
        columns: np.ndarray,
        decodes: bool,
        patterns: bool,
        n_voxels: int,
    ) -> np.ndarray:
        """Return weights or patterns of one fold, (n_columns, n_voxels), NaN where not fitted."""
        weights = model.for_fold(fold)["weights"]
        by_voxel = np.asarray(weights[:, columns]).T if decodes else np.asarray(weights[columns])
        number = fold if model.n_folds else None
        kept = np.arange(n_voxels)
        if responses.foldwise is not None:
            kept = responses.columns(number)
        if by_voxel.shape[1] != len(kept):
            raise DataError(
                f"{self.stage}: fold {fold} has weights of {by_voxel.shape[1]} voxels, the "
                f"responses {len(kept)}. Give the responses that the model was fitted to."
            )
        if patterns:
            rows = None
            if split is not None:
                rows = next(one.train for one in split.folds() if one.number == fold)
            X = responses.read(rows, fold=number).reshape(-1, len(kept))
            by_voxel = compute_patterns(X, by_voxel.T).T
        placed = np.full((len(columns), n_voxels), np.nan)
        placed[:, kept] = by_voxel
        return placed


def compute_patterns(responses: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the pattern of each decoded feature: a = cov(x, x'w) / var(x'w).

    Haufe et al. 2014, eq. 6, each column of the weights by itself. Neither voxels nor features are
    correlated with each other in full, so that whole brains fit in memory.

    Parameters
    ----------
    responses : array, shape (n_samples, n_voxels)
    weights : array, shape (n_voxels, n_features)

    Returns
    -------
    patterns : array of float64, shape (n_voxels, n_features)
        NaN for features that are decoded as a constant.
    """
    centred = np.asarray(responses, np.float64) - np.mean(responses, axis=0, dtype=np.float64)
    decoded = centred @ np.asarray(weights, np.float64)
    variance = (decoded**2).sum(axis=0)
    # relative to what rounding leaves
    known = variance > 1e-12 * max(float(variance.max(initial=0.0)), 1e-300)
    return np.divide(centred.T @ decoded, variance, out=np.full(weights.shape, np.nan), where=known)
