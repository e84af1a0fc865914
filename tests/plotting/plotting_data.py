"""Small artifacts with planted values for the tests of plotting."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from neurodecode.core.artifacts import (
    Document,
    Reconstructions,
    Scores,
    Space,
    Stimuli,
    make_items,
)
from neurodecode.core.tables import Table

LEAK = "LEAKAGE, allowed by the file: step 'clip' has seen 3 test rows. Reason given: pilot"
NAN = float("nan")


def decode(document: Document, name: str) -> np.ndarray:
    """Return a document's PNG as pixels."""
    data = np.asarray(document.figures[name]).tobytes()
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def make_scores(**changes: object) -> Scores:
    """Return scores with two controls, one of them beaten."""
    table = {
        "name": ["all items", "control: shuffled brain", "control: nearest training"],
        "value": [0.8437, 0.5031, 0.8122],
        "low": [0.80, 0.46, 0.76],
        "high": [0.88, 0.55, 0.85],
        "chance": [0.5, 0.5, 0.5],
        "n": [100, 100, 100],
        "null_mean": [0.501, NAN, NAN],
        "null_sd": [0.03, NAN, NAN],
        "p": [0.0123, NAN, NAN],
        "diff": [NAN, 0.34, 0.03],
        "diff_low": [NAN, 0.29, -0.02],
        "diff_high": [NAN, 0.39, 0.08],
    }
    values: dict[str, object] = {
        "values": np.full(100, 0.8437),
        "metric": "pairwise identification",
        "scale": "accuracy",
        "summary": Table(table),
        "null": np.linspace(0.42, 0.58, 50),
        "test_set": "f00d" * 8,
    }
    return Scores(**{**values, **changes})  # type: ignore[arg-type]


def make_map(values: np.ndarray, space: Space, **changes: object) -> Scores:
    """Return scores of voxels."""
    summary = Table(
        {"name": ["median"], "value": [0.2], "low": [0.1], "high": [0.3], "chance": [0.0], "n": [9]}
    )
    given: dict[str, object] = {"metric": "accuracy r", "scale": "r", "summary": summary}
    return Scores(values=values, over="voxels", space=space, **{**given, **changes})  # type: ignore[arg-type]


def make_pictures(n_items: int = 24) -> tuple[Stimuli, Reconstructions]:
    """Return images whose grey level is their number, and reconstructions in another order."""
    levels = np.arange(n_items, dtype=np.uint8) * 10
    data = np.broadcast_to(levels[:, None, None, None], (n_items, 4, 4, 1)).copy()
    ids = [f"item{k:02d}" for k in range(n_items)]
    stimuli = Stimuli(
        data=data, items=make_items(ids, data, label=[f"L{k}" for k in range(n_items)])
    )
    order = np.random.default_rng(0).permutation(n_items)
    copies = np.repeat((data[order] / 255).astype(np.float32)[:, None], 3, axis=1)
    copies[:, 1:] = 0.0  # later samples must not be shown
    items = stimuli.items.take(order).with_columns(fold=np.zeros(n_items, int))
    return stimuli, Reconstructions(data=copies, items=items, seeds=np.arange(3))
