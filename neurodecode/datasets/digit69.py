"""fMRI of one subject who saw handwritten sixes and nines.

Source: M. A. J. van Gerven, F. P. de Lange, T. Heskes (2010), Neural decoding with hierarchical
generative models, Neural Computation 22(12), 3127-3142. The file is the one shared with
ChangdeDu/DGMM: responses of V1 to V3, one row per trial, with the images.

As stored, the images are transposed and the rows sorted by class, sixes first; label 1 is a six
and 2 a nine (the labels' mean images, upright, are nearest to those digits). Images come back
upright here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, TypedDict

import numpy as np

from neurodecode.core.artifacts import Responses, Space, Stimuli, make_items, make_samples
from neurodecode.core.errors import DataError
from neurodecode.core.raw import find_raw
from neurodecode.core.stage import Stage

FACTS: Mapping[str, Any] = MappingProxyType(
    {
        "file": "digit69/digit69_28x28.mat",
        "origin": "van Gerven, de Lange, Heskes 2010; file shared with ChangdeDu/DGMM",
        "licence": "none stated",
        "doi": "10.1162/NECO_a_00047",
        "subjects": ("01",),
        "parts": (("train", 90), ("test", 10)),
        "n_voxels": 3092,
        "regions": "V1 to V3, not told apart",
        "image_shape": (28, 28),
        "classes": {1: "6", 2: "9"},
        "n_per_class": {"6": 50, "9": 50},
        "t_r": None,  # the file holds one pattern per trial
        "units": "a.u.",  # as stored
    }
)
_NAMES = {"train": "Trn", "test": "Test"}


class Digit69Outputs(TypedDict):
    """What the dataset holds."""

    responses: Responses
    stimuli: Stimuli


class Digit69(Stage):
    """Load the 100 trials: 90 of the publication's training part, then 10 of its test part.

    The sample table says which in the column ``published_part``. The run of a trial is not
    recorded: all are "01". It has no settings.
    """

    stage: ClassVar[str] = "datasets.digit69"

    def sources(self) -> Sequence[Path]:
        """Return the MATLAB file."""
        get = "Get digit69_28x28.mat from https://github.com/ChangdeDu/DGMM."
        return (find_raw(FACTS["file"], dataset="datasets.digit69", get=get),)

    def run(self) -> Digit69Outputs:
        """Return responses (100, 3092) and upright images (100, 28, 28, 1)."""
        return make_digit69(_read_variables(self.sources()[0]))


def make_digit69(variables: Mapping[str, np.ndarray]) -> Digit69Outputs:
    """Return the artifacts of the file's variables.

    Parameters
    ----------
    variables : mapping of str to array
        Of each part: fmriTrn (n, n_voxels), stimTrn (n, 784), labelTrn (n, 1); likewise Test.

    Raises
    ------
    DataError
        A variable is absent, or is not what the facts say.
    """
    n_voxels, shape, classes = FACTS["n_voxels"], FACTS["image_shape"], FACTS["classes"]
    data, images, labels, ids, parts = [], [], [], [], []
    for part, n in FACTS["parts"]:
        data.append(_get(variables, f"fmri{_NAMES[part]}", (n, n_voxels)))
        images.append(_get(variables, f"stim{_NAMES[part]}", (n, shape[0] * shape[1])))
        labels.append(_get(variables, f"label{_NAMES[part]}", (n, 1))[:, 0])
        ids += [f"digit69/{part}/{i:02d}" for i in range(n)]
        parts += [part] * n
    upright = np.concatenate(images).reshape(-1, *shape).transpose(0, 2, 1)[..., None]
    if upright.min() < 0 or upright.max() > 255 or (upright != np.rint(upright)).any():
        raise DataError(
            f"datasets.digit69: images range from {upright.min()} to {upright.max()}. Allowed: "
            "whole numbers from 0 to 255. Get the original file."
        )
    label = np.concatenate(labels)
    if not np.isin(label, list(classes)).all():
        raise DataError(
            f"datasets.digit69: labels are {np.unique(label).tolist()}. Allowed: {list(classes)}. "
            "Get the original file."
        )
    pixels = np.ascontiguousarray(upright, np.uint8)
    stimuli = Stimuli(
        data=pixels,
        items=make_items(ids, pixels, category=[classes[int(k)] for k in label]),
        licence=FACTS["licence"],
        origin=FACTS["origin"],
    )
    responses = Responses(
        data=np.concatenate(data),
        samples=make_samples(
            dataset="digit69", stimulus_id=ids, stimuli=stimuli, published_part=parts
        ),
        space=Space(kind="unknown"),
        units=FACTS["units"],
        t_r=FACTS["t_r"],
    )
    return {"responses": responses, "stimuli": stimuli}


def _read_variables(path: Path) -> Mapping[str, np.ndarray]:
    from neurodecode.datasets.array_process import ArrayProcess

    reader = ArrayProcess("datasets.digit69")
    kinds = ("fmri", "stim", "label")
    return {f"{k}{n}": reader.read(path, f"{k}{n}") for n in _NAMES.values() for k in kinds}


def _get(variables: Mapping[str, np.ndarray], name: str, shape: tuple[int, int]) -> np.ndarray:
    got = variables.get(name)
    if got is None or got.shape != shape or got.dtype.kind not in "fiu":
        found = "nothing" if got is None else f"{got.dtype} of shape {got.shape}"
        raise DataError(
            f"datasets.digit69: {name} is {found}. Allowed: numbers of shape {shape}. "
            "This is another file than the published one; read it with datasets.arrays."
        )
    if not np.isfinite(got).all():
        raise DataError(
            f"datasets.digit69: {name} holds {int((~np.isfinite(got)).sum())} values that are NaN "
            "or infinite. Allowed: finite numbers. Get the original file."
        )
    return got
