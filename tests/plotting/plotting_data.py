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


def make_audit(**changes: object) -> Scores:
    """Return an audit: of two judged claims the second is not above one control."""
    rows = [
        {"name": "pairwise", "value": 0.8437, "low": 0.80, "high": 0.88, "null_mean": 0.501,
         "null_sd": 0.03, "null_n": 50, "p": 0.0196, "judged": True},
        {"name": "top-1", "value": 0.21, "low": 0.1, "high": 0.3},
        {"name": "pairwise within category", "value": 0.61, "low": 0.5, "high": 0.7,
         "within": "category", "judged": True},
        {"name": "pairwise within category 6", "value": 0.6, "within": "category", "only": "6"},
        {"name": "control: shuffled_brain / pairwise", "value": 0.501, "null_sd": 0.03,
         "null_n": 50, "p": 0.0196, "control": "shuffled_brain", "claim": "pairwise",
         "outcome": "beaten"},
        {"name": "control: true_features / pairwise", "value": 0.99, "low": 0.98, "high": 1.0,
         "diff": -0.1463, "diff_low": -0.2, "diff_high": -0.1, "control": "true_features",
         "claim": "pairwise", "outcome": "ceiling"},
        {"name": "control: prior_only / pairwise within category", "value": 0.55, "low": 0.5,
         "high": 0.6, "diff": 0.06, "diff_low": -0.02, "diff_high": 0.14,
         "control": "prior_only", "claim": "pairwise within category", "outcome": "not beaten"},
        {"name": "control: prior_only / top-1", "value": 0.1, "diff": 0.11, "diff_low": 0.02,
         "diff_high": 0.2, "control": "prior_only", "claim": "top-1"},
    ]  # fmt: skip
    blank = {"within": "", "only": "", "control": "", "claim": "", "outcome": ""}
    blank |= {"judged": False, "null_n": 0, "chance": 0.5, "n": 100}
    columns = list(dict.fromkeys(key for row in rows for key in (*row, *blank)))
    table = Table({key: [row.get(key, blank.get(key, NAN)) for row in rows] for key in columns})
    given: dict[str, object] = {
        "summary": table,
        "verdict": "identifies categories only",
        "reasons": ("Nothing beyond the category.", "pairwise 0.844 is above", "the ceiling"),
    }
    return make_scores(**{**given, **changes})


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
