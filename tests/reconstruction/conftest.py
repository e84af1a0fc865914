"""Two classes of small images, with a split, embeddings and low-level estimates of them."""

import numpy as np
import pytest

from neurodecode.core.artifacts import (
    TEST,
    TRAIN,
    Features,
    Predictions,
    Split,
    Stimuli,
    make_items,
    make_samples,
)

N, SIZE = 24, 8
PIXELS = {"name": "pixels", "height": SIZE, "width": SIZE, "n_colours": 1}


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Tiny networks on several threads wait for each other, for seconds on a busy machine."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def toy() -> dict:
    """Images bright on the left (even) or on the right (odd); two folds."""
    rng = np.random.default_rng(0)
    kind = np.arange(N) % 2
    images = np.zeros((N, SIZE, SIZE, 1))
    for image, side in zip(images, kind, strict=True):
        image[:, side * 4 : side * 4 + 4] = rng.uniform(0.7, 1)
    images = (255 * images).astype(np.uint8)
    ids = [f"toy/{i:02d}" for i in range(N)]
    stimuli = Stimuli(data=images, items=make_items(ids, images, category=kind.astype(str)))
    samples = make_samples(dataset="toy", stimulus_id=ids, stimuli=stimuli)
    folds = np.arange(N) // 2 % 2
    roles = np.where(folds == np.arange(2)[:, None], TEST, TRAIN).astype(np.int8)
    split = Split(roles=roles, samples=samples, unit="stimulus")
    embedding = np.eye(2)[kind] @ rng.normal(size=(2, 5)) + 0.05 * rng.normal(size=(N, 5))
    features = Features(data=embedding.astype(np.float32), items=stimuli.items)
    noisy = images.reshape(N, -1) / 255 + 0.3 * rng.normal(size=(N, SIZE * SIZE))
    rows = np.flatnonzero(roles.T.ravel() == TRAIN)  # sample by sample
    training = Predictions(
        data=noisy[rows // 2].astype(np.float32),
        rows=samples.take(rows // 2).with_columns(row=rows // 2, fold=rows % 2),
        split=split.digest, unit="stimulus", role="training", extractor=PIXELS,
    )  # fmt: skip
    test = Predictions(
        data=noisy.astype(np.float32),
        rows=samples.with_columns(row=np.arange(N), fold=folds),
        split=split.digest, unit="stimulus", extractor=PIXELS,
    )  # fmt: skip
    return {
        "kind": kind, "stimuli": stimuli, "split": split, "features": features,
        "training": training, "test": test,
    }  # fmt: skip
