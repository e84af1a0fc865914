"""Mean fMRI responses of one subject to 81 categories of objects, with two feature spaces.

The file is the one shared with QuantumMatter/cracking-the-code-dw1 on GitHub. It holds responses
of seven regions of visual cortex, a row per category (the mean over its photographs, which are not
there), and principal components of AlexNet and word2vec.

The components were computed over all 81 categories, so that features of test categories had a
part in them. Their lineage says so (contact through features alone), and a report prints it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, TypedDict

import numpy as np

from neurodecode.core.artifacts import Features, Responses, Space, make_items, make_samples
from neurodecode.core.errors import DataError
from neurodecode.core.lineage import Lineage, Peers, make_row_tokens
from neurodecode.core.raw import find_raw
from neurodecode.core.stage import Stage
from neurodecode.core.tables import Table

FACTS: Mapping[str, Any] = MappingProxyType(
    {
        "file": "objects81/objects81.npz",
        "origin": "file shared with https://github.com/QuantumMatter/cracking-the-code-dw1",
        "licence": "none stated",
        "doi": None,  # the file names no publication
        "subjects": ("01",),
        "n_categories": 81,
        "n_voxels": 696,
        "roi_names": ("EVC", "OPA", "PPA", "LOC", "PFS", "OFA", "FFA"),
        "n_components": {"alexnet": 20, "word2vec": 30},
        "t_r": None,  # one mean response per category
        "units": "a.u.",
    }
)


class Objects81Outputs(TypedDict):
    """What the dataset holds."""

    responses: Responses
    alexnet: Features
    word2vec: Features


class Objects81(Stage):
    """Load the responses to 81 categories and their AlexNet and word2vec components.

    The stimulus of a sample is its category; order, runs and onsets are not recorded. It has no
    settings.
    """

    stage: ClassVar[str] = "datasets.objects81"

    def sources(self) -> Sequence[Path]:
        """Return the NumPy archive."""
        get = "Get objects81.npz from https://github.com/QuantumMatter/cracking-the-code-dw1."
        return (find_raw(FACTS["file"], dataset=self.stage, get=get),)

    def run(self) -> Objects81Outputs:
        """Return responses (81, 696), AlexNet (81, 20) and word2vec (81, 30) components."""
        return make_objects81(_read_arrays(self.sources()[0]))


def make_objects81(arrays: Mapping[str, np.ndarray]) -> Objects81Outputs:
    """Return the artifacts of the file's arrays.

    Parameters
    ----------
    arrays : mapping of str to array
        betas (81, n_voxels), roi_index (n_voxels,) from 1, roi_names (7,), categories (81,),
        alexnet_pcs (81, 20), word2vec_pcs (81, 30).

    Raises
    ------
    DataError
        An array is absent, or is not what the facts say.
    """
    n, n_voxels = FACTS["n_categories"], FACTS["n_voxels"]
    betas = _get(arrays, "betas", (n, n_voxels), "f")
    categories = _get(arrays, "categories", (n,), "U")
    names = _get(arrays, "roi_names", (len(FACTS["roi_names"]),), "U")
    index = _get(arrays, "roi_index", (n_voxels,), "iu")
    if tuple(names.tolist()) != FACTS["roi_names"] or not np.isin(index, range(1, 8)).all():
        raise DataError(
            f"datasets.objects81: regions are {names.tolist()}, numbered {np.unique(index)}. "
            f"Allowed: {', '.join(FACTS['roi_names'])}, numbered from 1. Get the original file."
        )
    if len(np.unique(categories)) < n:
        raise DataError(
            f"datasets.objects81: {n - len(np.unique(categories))} categories are there twice. "
            "Allowed: one row per category. Get the original file."
        )
    ids = [f"objects81/{category}" for category in categories.tolist()]
    samples = make_samples(
        dataset="objects81", stimulus_id=ids, source=ids, digest=ids, category=categories
    )
    rois = {name: index == number for number, name in enumerate(FACTS["roi_names"], 1)}
    return {
        "responses": Responses(
            data=betas, samples=samples, space=Space(rois=rois), units=FACTS["units"]
        ),
        "alexnet": _make_features(arrays, "alexnet", ids, categories),
        "word2vec": _make_features(arrays, "word2vec", ids, categories),
    }


def _make_features(
    arrays: Mapping[str, np.ndarray], name: str, ids: list[str], categories: np.ndarray
) -> Features:
    n_components = FACTS["n_components"][name]
    data = _get(arrays, f"{name}_pcs", (len(ids), n_components), "f")
    items: Table = make_items(ids, np.array(ids)[:, None], category=categories)
    members = {
        level: (np.unique(tokens), np.zeros(len(np.unique(tokens)), np.int64))
        for level, tokens in make_row_tokens(items).items()
        if level != "category"
    }
    # Every row has seen all others: the components are those of the 81 categories together.
    peers = Peers(
        step=f"{name} components",
        kind="transductive",
        reason="as shipped: computed over all 81 categories, without responses",
        groups=np.zeros(len(ids), np.int64),
        members=members,
    )
    return Features(
        data=data,
        items=items,
        extractor={"name": name, "layer": "principal components over all 81 categories"},
        bands={name: (0, n_components)},
        lineage=Lineage(peers=(peers,)),
    )


def _read_arrays(path: Path) -> Mapping[str, np.ndarray]:
    import zipfile

    try:
        if not zipfile.is_zipfile(path):
            raise ValueError("it is no zip archive")
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(
            f"datasets.objects81: {path.name} cannot be read as an archive of NumPy arrays "
            f"({error}). Get the original file."
        ) from error


def _get(
    arrays: Mapping[str, np.ndarray], name: str, shape: tuple[int, ...], kinds: str
) -> np.ndarray:
    got = arrays.get(name)
    if got is None or got.shape != shape or got.dtype.kind not in kinds:
        found = "absent" if got is None else f"{got.dtype} of shape {got.shape}"
        wanted = "text" if kinds == "U" else "numbers"
        raise DataError(
            f"datasets.objects81: {name} is {found}. Allowed: {wanted} of shape {shape}. This is "
            "another file than the published one; read it with datasets.arrays."
        )
    if kinds == "f" and not np.isfinite(got).all():
        raise DataError(
            f"datasets.objects81: {name} holds {int((~np.isfinite(got)).sum())} values that are "
            "NaN or infinite. Allowed: finite numbers. Get the original file."
        )
    return got
