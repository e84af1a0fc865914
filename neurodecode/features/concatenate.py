"""Several feature spaces as one, each a named band of its columns, for banded models.

Rows are joined by identity; nothing is scaled or fitted.
"""

from __future__ import annotations

import itertools
from typing import ClassVar, Self

import numpy as np
from pydantic import model_validator

from neurodecode.core.artifacts import Features
from neurodecode.core.bands import name_bands
from neurodecode.core.checks import check_finite, check_known, find_rows
from neurodecode.core.errors import DataError
from neurodecode.core.stage import Sight, Stage


class Concatenate(Stage):
    """Put features side by side, or take some bands of features.

    ``features: {alexnet: step, word2vec: step}`` makes two bands of these names; a list takes the
    names of the steps. With ``bands`` only these are kept, in this order: so the subsets that
    variance partitioning compares each take one line.

    Parameters
    ----------
    bands : tuple of str
        The bands to keep; none keeps all.
    """

    stage: ClassVar[str] = "features.concatenate"

    bands: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _check_bands(self) -> Self:
        if len(set(self.bands)) < len(self.bands):
            raise ValueError("bands names one of them twice. Name each band once.")
        return self

    def sees(self) -> dict[str, Sight]:
        """Each item is on its own."""
        return {"features": "row"}

    def run(self, features: dict[str, Features]) -> Features:
        """Return features of the items that the first input lists.

        Parameters
        ----------
        features : Features by name
            All of the same items, in any order. Tokens are laid side by side.
        """
        items = next(iter(features.values())).items
        found: dict[str, np.ndarray] = {}
        extractors = {}
        for label, given in features.items():
            if len(given.items) != len(items):
                raise DataError(
                    f"{self.stage}: '{label}' describes {len(given.items)} items, the first input "
                    f"{len(items)}. Allowed: features of the same items. Extract them from the "
                    "same stimuli."
                )
            rows = find_rows(given.items["id"], items["id"], what="item", where=self.stage)
            values = np.asarray(given.data)[rows].reshape(len(rows), -1)
            check_finite(values, what=f"features '{label}'", where=self.stage)
            for name, (a, b) in name_bands(label, given, values.shape[1], len(features)).items():
                found[name] = values[:, a:b]
            extractors[label] = dict(given.extractor)
        for name in self.bands:
            check_known(name, list(found), what="band", where=self.stage)
        kept = {name: found[name] for name in self.bands or found}
        edges = np.cumsum([0, *(v.shape[1] for v in kept.values())]).tolist()
        return Features(
            data=np.concatenate(list(kept.values()), axis=1),
            items=items,
            extractor={"name": self.stage, "of": extractors, **self.settings()},
            bands=dict(zip(kept, itertools.pairwise(edges), strict=True)),
        )
