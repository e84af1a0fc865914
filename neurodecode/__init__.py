"""Brain encoding and decoding with fMRI, EEG and MEG: one file from recording to report.

The public names, loaded on first use:

run_pipeline, load_pipeline     a pipeline file from Python (api.py)
Stage                           base of all stages
Responses, Events, Stimuli, Features, Split, Model, Predictions, Reconstructions, Scores, Document
                                what stages exchange
make_samples, make_items, read_images
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "neurodecode.api": ("run_pipeline", "load_pipeline", "Results"),
    "neurodecode.core.stage": ("Stage",),
    "neurodecode.core.artifacts": (
        "Responses", "Events", "Stimuli", "Features", "Split", "Model", "Predictions",
        "Reconstructions", "Scores", "Document", "make_samples", "make_items", "read_images",
    ),
}  # fmt: skip
__all__ = [name for names in _HOMES.values() for name in names]


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(home), name)
    raise AttributeError(f"module 'neurodecode' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
