"""What stages exchange: small frozen records of arrays with named axes, units and identity.

Arrays may be in memory or lazy (store.StoredArray): both slice and convert alike, and opening an
artifact reads no data. Axes have one order everywhere: samples or items first.

Responses        measured brain activity, (n_samples, n_voxels) or (n_samples, n_channels, n_times)
Events           onsets and durations of what was shown
Stimuli          what was shown or played
Features         descriptions of stimuli, (n_items, n_features) or (n_items, n_tokens, n_dims)
Split            which rows train, validate and test, per fold
Model            arrays of a fitted estimator, one set per fold
Predictions      predicted features or responses, one row per test row
Reconstructions  generated stimuli, (n_items, n_samples, ...)
Scores           one value per item or target, with chance, intervals and nulls
Document         HTML, figures and tables
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from neurodecode.core.artifacts.base import Array, Artifact, dims
from neurodecode.core.artifacts.fits import (
    TEST,
    TRAIN,
    UNUSED,
    VALIDATION,
    Fold,
    Model,
    Predictions,
    Split,
)
from neurodecode.core.artifacts.identity import make_items, make_samples, make_scan_items
from neurodecode.core.artifacts.responses import Events, Responses
from neurodecode.core.artifacts.results import Document, Scores
from neurodecode.core.artifacts.space import Foldwise, Space
from neurodecode.core.artifacts.stimuli import Features, Reconstructions, Stimuli, read_images
from neurodecode.core.tables import Table

__all__ = [
    "ACCEPTED", "ARTIFACTS", "TEST", "TRAIN", "UNUSED", "VALIDATION", "Array", "Artifact",
    "Document", "Events", "Features", "Fold", "Foldwise", "Model", "Predictions",
    "Reconstructions", "Responses", "Scores", "Space", "Split", "Stimuli", "dims", "is_accepted",
    "list_arrays", "make_items", "make_samples", "make_scan_items", "read_images",
]  # fmt: skip

ARTIFACTS: dict[str, type[Artifact]] = {
    cls.kind(): cls
    for cls in (
        Responses, Events, Stimuli, Features, Split, Model, Predictions, Reconstructions, Scores,
        Document,
    )
}  # fmt: skip

# Wherever the first is asked for, the second will do.
ACCEPTED: dict[type[Artifact], tuple[type[Artifact], ...]] = {
    Features: (Predictions,),
    Stimuli: (Reconstructions,),
}


def is_accepted(wanted: type[Artifact], given: type[Artifact]) -> bool:
    """Tell whether an input annotated as ``wanted`` may be given an artifact ``given``."""
    return issubclass(given, wanted) or given in ACCEPTED.get(wanted, ())


def list_arrays(record: Any, prefix: str = "") -> Iterator[tuple[str, Array, tuple[str, ...]]]:
    """Yield (name, array, dims) for every array of an artifact, tables' columns included."""
    for item in fields(record):
        value = getattr(record, item.name)
        name = f"{prefix}{item.name}"
        names = tuple(item.metadata.get("dims", ()))
        if isinstance(value, Table):
            for column in value:
                yield f"{name}/{column}", value[column], ("row",)
        elif isinstance(value, Space | Foldwise):
            yield from list_arrays(value, f"{name}/")
        elif "dims" in item.metadata and isinstance(value, Mapping):
            for key, array in value.items():
                yield f"{name}/{key}", array, names
        elif "dims" in item.metadata and value is not None:
            yield name, value, names
