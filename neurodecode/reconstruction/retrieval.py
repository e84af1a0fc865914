"""Show the gallery stimuli whose features are nearest to the decoded ones.

Identification from a set of known images (Kay et al. 2008; as retrieval in Scotti et al. 2023,
MindEye). With a split the gallery of a fold is its training stimuli: a test stimulus is never on
offer, so what comes back shows what was decoded and not that the right answer lay ready.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
from pydantic import PositiveInt

from neurodecode.core.artifacts import (
    Features,
    Predictions,
    Reconstructions,
    Split,
    Stimuli,
    read_images,
)
from neurodecode.core.errors import DataError
from neurodecode.core.stage import Sight, Stage
from neurodecode.numerics.identification import compute_similarity

DECIMALS = 10  # similarities that agree so far are ties


class Retrieval(Stage):
    """Show the nearest stimuli of a gallery, nearest first.

    Parameters
    ----------
    metric : {"cosine", "correlation", "euclid"}
        Between decoded features and those of the gallery.
    n_nearest : int
        How many come back for each item, as its samples. Ties go by the stimulus' id.
    """

    stage: ClassVar[str] = "reconstruction.retrieval"

    metric: Literal["cosine", "correlation", "euclid"] = "correlation"
    n_nearest: PositiveInt = 1

    def sees(self) -> Mapping[str, Sight]:
        """The gallery of a fold is its training stimuli."""
        return {"predictions": "row", "gallery": "training", "stimuli": "training"}

    def run(
        self,
        predictions: Predictions,
        gallery: Features,
        stimuli: Stimuli,
        split: Split | None = None,
    ) -> Reconstructions:
        """Return the stimuli found, shape (n_rows, n_nearest, height, width, n_colours).

        Parameters
        ----------
        predictions : Predictions
            Decoded features.
        gallery : Features
            True features to look among.
        stimuli : Stimuli
            What the gallery's features describe.
        split : Split or None
            Without one the whole gallery is on offer, and counts as seen.
        """
        decoded = np.asarray(predictions.data)
        if decoded.shape[1:] != gallery.data.shape[1:]:
            raise DataError(
                f"{self.stage}: decoded features have shape {decoded.shape[1:]}, those of the "
                f"gallery {tuple(gallery.data.shape[1:])}. Give the features that were decoded."
            )
        if split is not None and predictions.split not in ("", split.digest):
            raise DataError(
                f"{self.stage}: the predictions were made with another split than the one given. "
                "Hand both the same split."
            )
        found = np.zeros((len(decoded), self.n_nearest), dtype=gallery.items["id"].dtype)
        if split is None:
            found[:] = self._find(decoded, gallery, np.unique(gallery.items["id"]))
        else:
            folds = predictions.rows["fold"]
            for fold in np.unique(folds):
                rows = np.flatnonzero(folds == fold)
                trained = split.samples["stimulus_id"][split.fold(int(fold)).train]
                found[rows] = self._find(decoded[rows], gallery, np.unique(trained))
        shown, place = np.unique(found, return_inverse=True)
        images = stimuli.select(shown)
        data = read_images(images) if images.of == "image" else np.asarray(images.data)
        return Reconstructions(
            data=data[place.reshape(found.shape)],
            items=predictions.items,
            of=images.of,
            seeds=np.zeros(self.n_nearest, np.int64),
            split=predictions.split,
            unit=predictions.unit,
        )

    def _find(self, decoded: np.ndarray, gallery: Features, ids: np.ndarray) -> np.ndarray:
        if len(ids) < self.n_nearest:
            raise DataError(
                f"{self.stage}: n_nearest is {self.n_nearest}, but the gallery holds {len(ids)} "
                "stimuli. Lower n_nearest, or widen the gallery."
            )
        return ids[find_nearest(decoded, gallery.read_for(ids), self.n_nearest, self.metric)]


def find_nearest(
    decoded: np.ndarray,
    gallery: np.ndarray,
    n_nearest: int,
    metric: Literal["cosine", "correlation", "euclid"] = "correlation",
) -> np.ndarray:
    """Return the gallery rows nearest to each decoded row, nearest first; ties by row.

    Parameters
    ----------
    decoded : array, shape (n_rows, ...)
    gallery : array, shape (n_gallery, ...)

    Returns
    -------
    nearest : array of int, shape (n_rows, n_nearest)

    Examples
    --------
    >>> find_nearest(np.array([[1.0, 0.1]]), np.array([[0.0, 1.0], [2.0, 0.0]]), 1, "cosine")
    array([[1]])
    """
    flat = decoded.reshape(len(decoded), -1), gallery.reshape(len(gallery), -1)
    similarity = np.round(compute_similarity(*flat, metric), DECIMALS)
    return np.argsort(-similarity, axis=1, kind="stable")[:, :n_nearest]
