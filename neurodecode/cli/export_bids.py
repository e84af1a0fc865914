"""Maps under the names of a BIDS derivative, with sidecars that say what they are.

Names follow BIDS (Gorgolewski et al. 2016; specification 1.10, derivatives) in the order of its
entities; ``stat`` and ``statmap`` are those that FitLins and nilearn write, which the
specification does not yet hold.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodecode.core.artifacts import Scores
from neurodecode.core.checks import name_known
from neurodecode.core.errors import UserError
from neurodecode.core.files import write_text, writing

if TYPE_CHECKING:
    from neurodecode.core.graph import Graph, Instance

# In the order in which BIDS writes them; "hemi" and "stat" are ours to fill.
ENTITIES = ("sub", "ses", "task", "acq", "run", "hemi", "space", "res", "den", "stat", "desc")
GIVEN = tuple(e for e in ENTITIES if e not in ("hemi", "stat"))
# Variables of a pipeline, and settings of stages that read data, that are entities.
NAMED = {"subject": "sub", "session": "ses", "task": "task", "run": "run"}
BIDS_VERSION = "1.10.0"


def read_entities(given: list[str]) -> dict[str, str]:
    """Return entities written as "task=objects".

    Raises
    ------
    UserError
        One is unknown, or its value is not letters and digits.
    """
    entities = {}
    for text in given:
        name, equals, value = text.partition("=")
        if name not in GIVEN:
            raise UserError(f"--entity: Unknown entity '{name}'.{name_known(name, GIVEN)}")
        if not equals or not re.fullmatch(r"[0-9A-Za-z]+", value):
            raise UserError(
                f"--entity '{text}': BIDS takes letters and digits only. Write, say, {name}=01."
            )
        entities[name] = value
    return entities


def find_entities(graph: Graph, instance: Instance) -> dict[str, str]:
    """Return what a step's branch, and the settings of the data it comes from, say of entities."""
    found = {NAMED[name]: value for name, value in instance.branch if name in NAMED}
    upstream = [graph.instances[key] for key in graph.find_upstream([instance.id])]
    # others of a dataset were joined, or are its default
    for setting, entity in {"subject": "sub", "task": "task", "space": "space"}.items():
        values = {
            str(value)
            for other in upstream
            if other.address.startswith("datasets.")
            and isinstance(value := getattr(other.stage, setting, None), str)
            and value
        }
        if len(values) == 1:
            found.setdefault(entity, next(iter(values)))
    return {entity: re.sub(r"[^0-9A-Za-z]", "", value) for entity, value in found.items()}


def write_bids(
    scores: Scores,
    out: Path,
    entities: Mapping[str, str],
    card: Mapping[str, Any],
    name: str,
) -> list[Path]:
    """Write the maps of scores, with a JSON sidecar each; return what was written.

    Parameters
    ----------
    out : Path
        The derivative's folder.
    entities : mapping
        ``sub`` is needed; ``desc`` is the step's name if absent.
    card : mapping
        Of the stored result.
    name : str
        Of the step.

    Raises
    ------
    UserError
        The scores have no map, or no subject is known.
    """
    if scores.over != "voxels" or scores.space.kind not in ("volume", "surface"):
        raise UserError(
            f"--bids: {name} is over {scores.over} of a space of kind '{scores.space.kind}'. "
            "Allowed: maps of a volume or a surface. Export it --as csv."
        )
    if "sub" not in entities:
        raise UserError(
            f"--bids: {name} does not say which subject it is of. Add --entity sub=01, say."
        )
    entities = {"desc": re.sub(r"[^0-9A-Za-z]", "", name) or "scores", **entities}
    space = scores.space
    if space.mesh:
        density = re.fullmatch(r"(fsLR)(\d+k)", space.mesh)  # which BIDS writes apart
        named = {"space": density[1], "den": density[2]} if density else {"space": space.mesh}
        named = {entity: re.sub(r"[^0-9A-Za-z]", "", text) for entity, text in named.items()}
        entities = {**entities, **named}
    folder = out / f"sub-{entities['sub']}"
    folder = folder / f"ses-{entities['ses']}" if "ses" in entities else folder
    folder = folder / "func"
    written = _write_description(out, card)
    for stat, desc, values, words in _list_maps(scores, entities["desc"]):
        about = _describe(scores, words, stat, card, "space" in entities)
        images = _make_images(values, scores)
        for hemi, (image, suffix) in images.items():
            named = {**entities, **_name_hemisphere(hemi), "stat": stat, "desc": desc}
            stem = "_".join(f"{e}-{named[e]}" for e in ENTITIES if e in named) + "_statmap"
            path = folder / f"{stem}{suffix}"
            with writing(path) as temporary:
                data = image.to_bytes()
                # without the time of day: the same map gives the same bytes
                temporary.write_bytes(gzip.compress(data, mtime=0) if ".gz" in suffix else data)
            sidecar = folder / f"{stem}.json"
            write_text(sidecar, json.dumps(about, indent=2, ensure_ascii=False) + "\n")
            written += [path, sidecar]
    return written


def project_scores(scores: Scores) -> Scores:
    """Return the scores of a volume in MNI space at the vertices of fsaverage5.

    Values and ceilings are averaged between the white and the pial surface. P-values are left
    out: the mean of some is none.

    Raises
    ------
    UserError
        The scores are of no volume, or meet the surface nowhere.
    """
    from neurodecode.core.artifacts import Space
    from neurodecode.plotting.cortex import load_fsaverage5

    if scores.over != "voxels" or scores.space.kind != "volume":
        raise UserError(
            f"--surface: the scores are over {scores.over} of a space of kind "
            f"'{scores.space.kind}'. Allowed: maps of a volume. Leave --surface out."
        )
    cortex = load_fsaverage5()
    values = cortex.place(np.asarray(scores.values, np.float64), scores.space)
    met = np.flatnonzero(np.isfinite(values))
    if not len(met):
        raise UserError(
            "--surface: no vertex of fsaverage5 meets a voxel with a value. Check that the volume "
            "is in MNI space, or leave --surface out."
        )
    ceiling = scores.ceiling
    if ceiling is not None:
        ceiling = cortex.place(np.asarray(ceiling, np.float64), scores.space)[met]
    space = Space(kind="surface", mesh="fsaverage5", vertices=met)
    return replace(scores, values=values[met], ceiling=ceiling, p=None, q=None, space=space)


def _name_hemisphere(hemi: str) -> dict[str, str]:
    """Return the entity of a hemisphere, none for a volume."""
    return {"hemi": hemi} if hemi else {}


def _list_maps(scores: Scores, desc: str) -> list[tuple[str, str, np.ndarray, str]]:
    """Return stat, desc, values and a sentence for each map that the scores hold."""
    maps: list[tuple[str, str, np.ndarray, str]] = []
    maps.append((scores.scale, desc, np.asarray(scores.values), f"{scores.metric} of each target"))
    if scores.ceiling is not None:
        words = f"Noise ceiling of each target, in the unit of {scores.metric}"
        maps.append((scores.scale, f"{desc}Ceiling", np.asarray(scores.ceiling), words))
    if scores.p is not None:
        maps.append(("p", desc, np.asarray(scores.p), "p-value of each target, uncorrected"))
    if scores.q is not None:
        words = "p-value of each target, corrected over all targets"
        maps.append(("q", desc, np.asarray(scores.q), words))
    return [(stat, name, values.astype(np.float32), words) for stat, name, values, words in maps]


def _make_images(values: np.ndarray, scores: Scores) -> dict[str, tuple[Any, str]]:
    from neurodecode.cli.export_formats import make_gifti, make_nifti

    if scores.space.kind == "volume":
        return {"": (make_nifti(values, scores.space), ".nii.gz")}
    images = make_gifti(values, scores.space)
    return {hemi: (image, ".func.gii") for hemi, image in images.items()}


def _describe(
    scores: Scores, words: str, stat: str, card: Mapping[str, Any], has_space: bool
) -> dict[str, Any]:
    from neurodecode import __version__

    table = scores.summary
    rows = [{c: _make_plain(table[c][i]) for c in table} for i in range(len(table))]
    about: dict[str, Any] = {
        "Description": f"{words}; NaN where there is none.",
        "Metric": scores.metric,
        "Scale": scores.scale,
        "Statistic": stat,
        "Summary": rows,
        "Notices": list(scores.notices),
    }
    if not has_space:
        about["Notices"].append(
            "The space of the volume is not known; BIDS takes a name without one to be the space "
            "of the scans. State another with --entity space=NAME."
        )
    about["GeneratedBy"] = [
        {
            "Name": "neurodecode",
            "Version": __version__,
            "Pipeline": card.get("pipeline"),
            "Step": card.get("label"),
            "Stage": card.get("stage"),
            "Settings": card.get("settings"),
            "Result": card.get("key"),
        }
    ]
    return about


def _make_plain(value: Any) -> Any:
    """Return a cell of a table as JSON takes it: a number that is none becomes null."""
    plain = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(plain, float) and not np.isfinite(plain) else plain


def _write_description(out: Path, card: Mapping[str, Any]) -> list[Path]:
    """Write dataset_description.json, unless the folder has one; refuse one of a raw dataset."""
    from neurodecode import __version__

    path = out / "dataset_description.json"
    if path.exists():
        try:
            kind = json.loads(path.read_text(encoding="utf-8")).get("DatasetType", "raw")
        except (ValueError, AttributeError) as error:
            raise UserError(
                f"--bids: {path} is no JSON object. Mend it, or export to another folder."
            ) from error
        if kind != "derivative":
            raise UserError(
                f"--bids: {out} is a BIDS dataset of type '{kind}', and maps are derivatives. "
                f"Name a folder of their own: {out / 'derivatives' / 'neurodecode'}, say."
            )
        return []
    about = {
        "Name": f"neurodecode: {card.get('pipeline') or 'maps'}",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "neurodecode", "Version": __version__}],
    }
    write_text(path, json.dumps(about, indent=2, ensure_ascii=False) + "\n")
    return [path]
