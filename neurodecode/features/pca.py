"""Fewer features: their principal components (numerics/pca.py).

Where components are fitted is what decides whether this is honest. ``training`` fits on the
training stimuli of a split of one fold. ``reference`` fits on features of other stimuli, such as a
large set of photographs that nobody in the experiment saw. ``all`` fits on all the stimuli there
are, test stimuli among them: usual, transductive, and refused by the leakage check unless the file
names it (allow_transductive). With several folds each would have components of its own, and
features, predictions and scores would mean something else in each; that is not offered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, TypedDict

import numpy as np
from pydantic import Field, PositiveInt, field_validator

from neurodecode.core.artifacts import Features, Model, Predictions, Split
from neurodecode.core.checks import check_finite
from neurodecode.core.errors import DataError
from neurodecode.core.lineage import ContactKind
from neurodecode.core.stage import Sight, Stage
from neurodecode.numerics.pca import fit_pca

Share = Annotated[float, Field(gt=0, lt=1, strict=True)]


class PcaOutputs(TypedDict):
    """What features.pca returns."""

    features: Features
    model: Model


class Pca(Stage):
    """Replace features by their first principal components.

    Parameters
    ----------
    n_components : int, or float in (0, 1)
        So many, or as many as together hold this share of the variance. By band, of each band.
    fit_on : {"training", "reference", "all"}
        The training stimuli of a split of one fold (validation and test stimuli have no part in
        it), the stimuli of ``reference``, or all.
    whiten : bool
        Divide each component by its deviation over the stimuli fitted.
    by_band : bool
        Fit each band of the features by itself, and keep the bands, for banded models. Else all
        columns together, and the result is one band.
    """

    stage: ClassVar[str] = "features.pca"
    contact: ClassVar[ContactKind] = "transductive"
    example: ClassVar = {"n_components": 2, "fit_on": "all"}

    n_components: PositiveInt | Share
    fit_on: Literal["training", "reference", "all"] = "training"
    whiten: bool = False
    by_band: bool = False

    @field_validator("n_components", mode="before")
    @classmethod
    def _check_number(cls, value: Any) -> Any:
        if isinstance(value, bool):
            raise ValueError(
                "this is no number. Allowed: a whole number, or a share between 0 and 1."
            )
        return value

    def sees(self) -> Mapping[str, Sight]:
        """Components follow from the stimuli they are fitted on; then each row is on its own."""
        sights: dict[str, Sight] = {"training": "training", "reference": "row", "all": "all"}
        return {"features": sights[self.fit_on], "reference": "all"}

    def run(
        self, features: Features, split: Split | None = None, reference: Features | None = None
    ) -> PcaOutputs:
        """Fit components, and return all features in them.

        Parameters
        ----------
        features : Features
            Tokens are laid side by side.
        split : Split or None
            With fit_on: training, and only then; of one fold.
        reference : Features or None
            With fit_on: reference, and only then; of the same extractor.

        Returns
        -------
        features : Features, shape (n_items, n_components)
        model : Model
            ``mean`` (n_features,), ``components`` (n_components, n_features),
            ``explained_variance`` and ``explained_variance_ratio`` (n_components,); by band under
            ``<band>/``.
        """
        self._check_inputs(features, split, reference)
        data = _flatten(features, self.stage)
        fitted = data
        if split is not None:
            fold = split.fold(0)
            shown = np.isin(features.items["id"], split.samples["stimulus_id"][fold.train])
            if not shown.any():
                raise DataError(
                    f"{self.stage}: none of the {len(data)} items is a training stimulus of the "
                    "split. Give the features of the stimuli that were split."
                )
            fitted = data[shown]
        elif reference is not None:
            fitted = _flatten(reference, f"{self.stage}: reference")
        columns = self._list_columns(features, data.shape[1])
        arrays: dict[str, np.ndarray] = {}
        parts: list[np.ndarray] = []
        bands: dict[str, tuple[int, int]] = {}
        for band, (first, last) in columns.items():
            fit = fit_pca(fitted[:, first:last], self.n_components)
            prefix = f"{band}/" if self.by_band else ""
            arrays[prefix + "mean"] = fit.mean
            arrays[prefix + "components"] = fit.components
            arrays[prefix + "explained_variance"] = fit.variance
            arrays[prefix + "explained_variance_ratio"] = fit.share
            start = sum(part.shape[1] for part in parts)
            parts.append(fit.project(data[:, first:last], whiten=self.whiten).astype(np.float32))
            bands[band] = (start, start + parts[-1].shape[1])
        return {
            "features": Features(
                data=np.concatenate(parts, axis=1),
                items=features.items,
                extractor={"name": "pca", "of": dict(features.extractor), **self.settings()},
                bands=bands if self.by_band else {},
            ),
            "model": Model(
                stage=self.stage,
                settings={**self.settings(), "n_fitted": len(fitted)},
                arrays=arrays,
            ),
        }

    def _check_inputs(
        self, features: Features, split: Split | None, reference: Features | None
    ) -> None:
        for name, given in (("split", split), ("reference", reference)):
            wanted = {"split": "training", "reference": "reference"}[name]
            if (given is not None) != (self.fit_on == wanted):
                raise DataError(
                    f"{self.stage}: fit_on: {self.fit_on} "
                    f"{'needs' if given is None else 'takes no'} {name}. "
                    f"{'Add' if given is None else 'Leave out'} {name}:, or set fit_on: "
                    f"{wanted if given is not None else 'all'}."
                )
        for given in (features, reference):
            if isinstance(given, Predictions):
                raise DataError(
                    f"{self.stage}: these are predicted features. Allowed: features of stimuli. "
                    "Take components first, and decode those."
                )
        if split is not None and split.n_folds != 1:
            raise DataError(
                f"{self.stage}: the split has {split.n_folds} folds, whose components would all "
                "differ. Allowed: one fold (evaluation.split with test_fraction or test_where). "
                "Or set fit_on: reference, or fit_on: all and name it (allow_transductive)."
            )
        if reference is not None and (
            reference.data.shape[1:] != features.data.shape[1:]
            or dict(reference.extractor) != dict(features.extractor)
        ):
            raise DataError(
                f"{self.stage}: the reference has shape {tuple(reference.data.shape[1:])} per item "
                f"by {dict(reference.extractor).get('name')!r}, the features "
                f"{tuple(features.data.shape[1:])} by {dict(features.extractor).get('name')!r}. "
                "Allowed: features of one extractor with the same settings."
            )

    def _list_columns(self, features: Features, n_columns: int) -> dict[str, tuple[int, int]]:
        if not self.by_band:
            return {"all": (0, n_columns)}
        if not features.bands:
            raise DataError(
                f"{self.stage}: by_band needs features with bands, and these have none. Leave it "
                "out."
            )
        return {name: (int(a), int(b)) for name, (a, b) in features.bands.items()}


def _flatten(features: Features, where: str) -> np.ndarray:
    data = np.asarray(features.data)
    data = data.reshape(len(data), -1)
    check_finite(data, what="features", where=where)
    return data
