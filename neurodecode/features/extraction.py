"""What all extractors share: reading stimuli in batches, and describing themselves.

Reconstructions are read like the stimuli they stand for. Where there are several samples per item,
their features lie along the second axis.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

import numpy as np

from neurodecode.core.artifacts import Features, Reconstructions, Stimuli, read_images
from neurodecode.core.digests import new_digest
from neurodecode.core.errors import DataError
from neurodecode.core.progress import track

Compute = Callable[[np.ndarray], np.ndarray]


def check_kind(stimuli: Stimuli, allowed: tuple[str, ...], where: str) -> None:
    """Raise DataError unless the stimuli are of an allowed kind, with an id each."""
    if stimuli.of not in allowed:
        raise DataError(
            f"{where}: the stimuli are of kind '{stimuli.of}'. Allowed: {', '.join(allowed)}. "
            "Choose an extractor for that kind."
        )
    if "id" not in stimuli.items:
        raise DataError(
            f"{where}: the stimuli's table has no column 'id'. Make it with make_items."
        )


def extract(
    stimuli: Stimuli | Reconstructions, compute: Compute, *, batch_size: int, label: str
) -> np.ndarray:
    """Return the features of all stimuli, computed batch by batch.

    Parameters
    ----------
    stimuli : Stimuli or Reconstructions
    compute : callable
        From images, float32 in [0, 1] of shape (n, height, width, n_colours), or from an array of
        str of shape (n,), to features of shape (n, ...).
    batch_size : int
    label : str
        Names the loop in progress reports.

    Returns
    -------
    features : array of float32, shape (n_items, ...)
        (n_items, n_samples, ...) for reconstructions with several samples.
    """
    n_items = len(stimuli.items)
    n_samples = stimuli.data.shape[1] if isinstance(stimuli, Reconstructions) else 1
    if n_items == 0:
        raise DataError(f"{label}: there are no stimuli. Check what was selected upstream.")
    features = np.empty((0,), np.float32)  # made once the first batch says how wide they are
    n_per_read = max(1, batch_size // n_samples)
    for start in track(range(0, n_items, n_per_read), label):
        batch = _read_batch(stimuli, slice(start, min(start + n_per_read, n_items)), label)
        found = np.asarray(compute(batch), np.float32)
        if start == 0:
            features = np.empty((n_items * n_samples, *found.shape[1:]), np.float32)
        features[start * n_samples : start * n_samples + len(found)] = found
    if n_samples == 1:
        return features
    return features.reshape(n_items, n_samples, *features.shape[1:])


def _read_batch(stimuli: Stimuli | Reconstructions, rows: slice, label: str) -> np.ndarray:
    if stimuli.of == "text":
        return np.asarray(stimuli.data[rows]).astype(str).ravel()
    images = read_images(stimuli, rows)
    if isinstance(stimuli, Reconstructions):
        images = images.reshape(-1, *images.shape[2:])
    if images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise DataError(
            f"{label}: images have the shape {tuple(images.shape)}. Allowed: (n_images, height, "
            "width, n_colours) with one colour or three."
        )
    if not (np.isfinite(images).all() and images.min() >= 0 and images.max() <= 1):
        raise DataError(
            f"{label}: images hold values from {np.nanmin(images):g} to {np.nanmax(images):g}, or "
            "NaN. Allowed: uint8, or floats in [0, 1]. Scale or clip them where they are made."
        )
    return images


def make_features(
    stimuli: Stimuli,
    data: np.ndarray,
    *,
    extractor: Mapping[str, Any],
    bands: Mapping[str, tuple[int, int]] | None = None,
) -> Features:
    """Return features under the identities of their stimuli."""
    return Features(data=data, items=stimuli.items, extractor=extractor, bands=bands or {})


def list_versions(*distributions: str) -> dict[str, str]:
    """Return the versions of the libraries that made the features."""
    return {name: version(name) for name in distributions}


def convert_to_bytes(images: np.ndarray) -> np.ndarray:
    """Return images in [0, 1] as uint8; the exact inverse of reading uint8 images."""
    return np.rint(images * np.float32(255)).astype(np.uint8)


def convert_to_pil(images: np.ndarray) -> list[Any]:
    """Return images in [0, 1] as PIL images, grey ones in mode "L"."""
    from PIL import Image

    found = convert_to_bytes(images)
    return [Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image) for image in found]


def digest_weights(network: Any) -> str:
    """Return the digest of a network's parameters and buffers, by name.

    Parameters
    ----------
    network : torch.nn.Module
    """
    import torch

    digest = new_digest()
    for name, tensor in sorted(network.state_dict().items()):
        values = tensor.detach().cpu().contiguous()
        digest.update(f"{name}{values.dtype}{tuple(values.shape)}".encode())
        digest.update(values.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
