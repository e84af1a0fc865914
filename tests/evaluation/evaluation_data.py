"""Small planted artifacts for the tests of evaluation."""

import numpy as np

from neurodecode.core.artifacts import (
    Features,
    Predictions,
    Reconstructions,
    Responses,
    Stimuli,
    make_items,
    make_samples,
)


def make_stimuli(images, ids=None, source=None, **columns):
    ids = [f"s{i:03d}" for i in range(len(images))] if ids is None else ids
    images = np.asarray(images, np.uint8)
    return Stimuli(data=images, items=make_items(ids, images, source=source, **columns))


def make_random_images(n, size=16, n_colours=1, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (n, size, size, n_colours)).astype(np.uint8)


def make_features(data, ids=None, source=None, **columns):
    data = np.asarray(data)
    ids = [f"s{i:03d}" for i in range(len(data))] if ids is None else ids
    return Features(data=data, items=make_items(ids, data, source=source, **columns))


def make_responses(data, stimulus_id=None, **columns):
    data = np.asarray(data)
    ids = [f"s{i:03d}" for i in range(len(data))] if stimulus_id is None else stimulus_id
    options = {k: columns.pop(k) for k in ("t_r", "foldwise") if k in columns}
    samples = make_samples(dataset="planted", stimulus_id=ids, **columns)
    return Responses(data=data, samples=samples, **options)


def make_predictions(data, stimulus_id=None, fold=None, of="features", split="", **columns):
    data = np.asarray(data)
    ids = [f"s{i:03d}" for i in range(len(data))] if stimulus_id is None else stimulus_id
    fold = np.zeros(len(data), int) if fold is None else fold
    table = make_samples(dataset="planted", stimulus_id=ids, **columns)
    rows = table.with_columns(row=np.arange(len(data)), fold=fold)
    return Predictions(data=data, rows=rows, of=of, split=split)


def make_reconstructions(data, ids=None, fold=None, **columns):
    """Data: (n_items, n_samples, height, width, n_colours) in [0, 1]."""
    data = np.asarray(data, np.float32)
    ids = [f"s{i:03d}" for i in range(len(data))] if ids is None else ids
    table = make_samples(dataset="planted", stimulus_id=ids, **columns)
    fold = np.zeros(len(data), int) if fold is None else fold
    items = table.with_columns(id=np.asarray(ids), fold=fold)
    return Reconstructions(data=data, items=items, seeds=np.arange(data.shape[1]))
