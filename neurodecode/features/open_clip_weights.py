"""Load open_clip models: from the local cache of the hub, a checkpoint, or with random weights.

The local cache is asked first, so that nothing waits for a network that it does not need; without
a network the answer is an error at once. Checkpoints are read as tensors only, never as pickled
objects.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import open_clip
import torch

from neurodecode.core.checks import list_names, name_known
from neurodecode.core.errors import DataError

WHERE = "features.open_clip"
CONFIG_NAME = "open_clip_config.json"
WEIGHTS_NAMES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
SUFFIXES = (".safetensors", ".pt", ".pth", ".bin")
CONNECT_S = 3.0
ANSWER_S = 10.0


@dataclass(frozen=True, eq=False)
class LoadedClip:
    """A model ready to use.

    Parameters
    ----------
    network : torch.nn.Module
    transform : callable
        From a PIL image to a tensor: open_clip's own.
    text_config : mapping
        Of the text tower; says which tokenizer it takes.
    model : str
        The name it goes by in open_clip.
    precision : str
    device : torch.device
    """

    network: Any
    transform: Any
    text_config: Mapping[str, Any]
    model: str
    precision: str
    device: Any


def load_clip(
    model: str,
    *,
    config: Path | Mapping[str, Any] | None = None,
    pretrained: str | None = None,
    revision: str | None = None,
    checkpoint: Path | None = None,
    seed: int | None = None,
    precision: str = "fp32",
    device: Any = "cpu",
) -> LoadedClip:
    """Return a model with its transform; features.open_clip explains the settings.

    Parameters
    ----------
    seed : int or None
        Of random weights, where neither tag, checkpoint nor hub repository is given.

    Raises
    ------
    DataError
        Model, tag or file are unknown, absent, or do not fit each other.
    """
    full, path = _find_config_and_weights(model, config, pretrained, revision, checkpoint)
    with _quiet(), torch.random.fork_rng(devices=[]), tempfile.TemporaryDirectory() as folder:
        # The CPU's generator alone: torch.manual_seed would reseed the devices, too.
        torch.default_generator.manual_seed(seed or 0)
        (Path(folder) / CONFIG_NAME).write_text(json.dumps(full), encoding="utf-8")
        try:
            network = open_clip.create_model(
                f"local-dir:{folder}",
                load_weights=False,
                precision=precision,
                pretrained_image=False,
                pretrained_text=False,
            )
        except (OSError, RuntimeError, ValueError, TypeError, KeyError, AssertionError) as error:
            raise DataError(
                f"{WHERE}: the model '{model}' cannot be built: {error}. Check its configuration; "
                "towers of other libraries need their own configuration in the hub's cache."
            ) from error
        if path is not None:
            _load_weights(network, path, model)
    transform = open_clip.transform.image_transform_v2(
        open_clip.transform.PreprocessCfg(**network.visual.preprocess_cfg), is_train=False
    )
    return LoadedClip(
        network=network.eval().requires_grad_(False).to(device),
        transform=transform,
        text_config=full["model_cfg"].get("text_cfg", {}),
        model=model,
        precision=precision,
        device=device,
    )


def _find_config_and_weights(
    model: str,
    config: Path | Mapping[str, Any] | None,
    pretrained: str | None,
    revision: str | None,
    checkpoint: Path | None,
) -> tuple[dict[str, Any], Path | None]:
    """Return the full configuration (model_cfg, preprocess_cfg) and the file of weights."""
    if model.startswith("hf-hub:") and config is None:
        repository = model.removeprefix("hf-hub:")
        found = find_hub_file(repository, (CONFIG_NAME,), revision)
        return _read_config(found), find_hub_file(repository, WEIGHTS_NAMES, revision)
    if config is not None:
        return _read_config(config), checkpoint
    model_cfg = open_clip.get_model_config(model)
    if model_cfg is None:
        known = open_clip.list_models()
        raise DataError(
            f"{WHERE}: Unknown model '{model}'.{name_known(model, known)} "
            "Name one of open_clip.list_models(), or give a config of your own."
        )
    full: dict[str, Any] = {"model_cfg": model_cfg, "preprocess_cfg": {}}
    if pretrained is None:
        return full, checkpoint
    tag = _find_tag(model, pretrained, model_cfg)
    keys = ("mean", "std", "interpolation", "resize_mode")
    full["preprocess_cfg"] = {key: tag[key] for key in keys if key in tag}
    return full, _find_tag_file(tag, revision)


def _read_config(config: Path | Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(config, Path):
        if not config.is_file():
            raise DataError(f"{WHERE}: no configuration at '{config}'. Give the path of a file.")
        try:
            given = json.loads(config.read_text(encoding="utf-8"))
        except ValueError as error:
            raise DataError(
                f"{WHERE}: '{config}' is no JSON file ({error}). Give the model's own "
                "open_clip_config.json."
            ) from error
    else:
        given = json.loads(json.dumps(config))  # a copy: open_clip changes what it is given
    full = given if "model_cfg" in given else {"model_cfg": given}
    absent = {"embed_dim", "vision_cfg", "text_cfg"} - set(full["model_cfg"])
    if absent:
        raise DataError(
            f"{WHERE}: config lacks {list_names(absent)}. Add it: an open_clip model has "
            "embed_dim, vision_cfg and text_cfg, as in the files under open_clip/model_configs."
        )
    return {"preprocess_cfg": {}, **full}


def _find_tag(model: str, pretrained: str, model_cfg: Mapping[str, Any]) -> Mapping[str, Any]:
    tag = open_clip.get_pretrained_cfg(model, pretrained)
    if not tag:
        known = open_clip.list_pretrained_tags_by_model(model)
        raise DataError(
            f"{WHERE}: Unknown pretrained tag '{pretrained}' of {model}."
            f"{name_known(pretrained, known)} Local weights are given as checkpoint: PATH."
        )
    quick = bool(tag.get("quick_gelu", False))
    if quick != bool(model_cfg.get("quick_gelu", False)):
        other = f"{model}-quickgelu" if quick else model.removesuffix("-quickgelu")
        raise DataError(
            f"{WHERE}: the weights '{pretrained}' were trained with "
            f"{'QuickGELU' if quick else 'GELU'}, which {model} does not use: its features would "
            f"be wrong. Set model: {other}."
        )
    return dict(tag)


def _find_tag_file(tag: Mapping[str, Any], revision: str | None) -> Path:
    """Return the file of weights of a tag, which lies in a hub repository or at an address."""
    if tag.get("hf_hub"):
        repository, _, filename = str(tag["hf_hub"]).rpartition("/")
        names = WEIGHTS_NAMES
        if filename:
            names = (str(Path(filename).with_suffix(".safetensors")), filename)
        return find_hub_file(repository, names, revision)
    url = str(tag["url"])
    target = Path("~/.cache/clip").expanduser() / Path(urlparse(url).path).name
    if not target.is_file():
        problem = _find_obstacle(url)
        if problem:
            raise DataError(
                f"{WHERE}: '{target.name}' is not in {target.parent}, and {problem}. Download "
                f"{url} there on a machine with a network, or give the file as checkpoint: PATH."
            )
    return Path(open_clip.download_pretrained_from_url(url))


def find_hub_file(repository: str, names: Sequence[str], revision: str | None = None) -> Path:
    """Return the first of some files of a hub repository, from the local cache if it is there.

    Parameters
    ----------
    repository : str
        Such as "laion/CLIP-ViT-B-32-laion2B-s34B-b79K".
    names : sequence of str
        Alternatives, the best first.
    revision : str or None

    Raises
    ------
    DataError
        It is not in the cache, and cannot be fetched.
    """
    from huggingface_hub import constants, hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError
    from huggingface_hub.file_download import repo_folder_name

    for name in names:
        cached = try_to_load_from_cache(repository, name, revision=revision)
        if isinstance(cached, str):
            return Path(cached)
    problem = _find_obstacle(constants.ENDPOINT)
    if not problem:
        for name in names:
            try:
                found = hf_hub_download(repository, name, revision=revision, etag_timeout=ANSWER_S)
            except EntryNotFoundError:
                problem = "the repository has no such file"
            except Exception as error:  # whatever the network does, the next step is the same
                problem = f"fetching it failed ({type(error).__name__}: {error})"
                break
            else:
                return Path(found)
    raise DataError(
        f"{WHERE}: the weights, '{repository}', are not in the local cache, and {problem}. Write "
        "in place of pretrained: checkpoint: PATH, for a file that you have, or random_weights: "
        "true, to try the steps or as an untrained control. Or run "
        f"`hf download {repository} {names[0]}` on a machine with a network, and copy "
        f"~/.cache/huggingface/hub/{repo_folder_name(repo_id=repository, repo_type='model')} "
        f"from there into {constants.HF_HUB_CACHE}."
    )


def _find_obstacle(url: str) -> str:
    """Return why an address cannot be asked, or "" if it can."""
    from huggingface_hub import constants

    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        if os.environ.get(name, "").upper() in ("1", "ON", "YES", "TRUE"):
            return f"{name} is set, which forbids the network"
    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE forbids the network"
    if any(os.environ.get(name) for name in ("https_proxy", "HTTPS_PROXY", "ALL_PROXY")):
        return ""  # a proxy answers for the host
    parts = urlparse(url)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        socket.create_connection((parts.hostname or "", port), timeout=CONNECT_S).close()
    except OSError as error:
        return f"{parts.hostname} cannot be reached ({error})"
    return ""


def _load_weights(network: Any, path: Path, model: str) -> None:
    if not path.is_file():
        raise DataError(f"{WHERE}: no checkpoint at '{path}'. Give the path of a file.")
    if path.suffix not in SUFFIXES:
        raise DataError(
            f"{WHERE}: the checkpoint '{path.name}' ends in '{path.suffix}'. Allowed: "
            f"{', '.join(SUFFIXES)}."
        )
    if path.suffix != ".safetensors":
        # open_clip falls back to reading pickles where weights_only is not known.
        try:
            torch.load(path, "cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
        except Exception as error:
            raise DataError(
                f"{WHERE}: '{path.name}' holds more than tensors, or is damaged: {error}. Save "
                "its state dict as .safetensors where you trust it."
            ) from error
    try:
        open_clip.load_checkpoint(network, str(path), strict=True, weights_only=True)
    except Exception as error:
        raise DataError(
            f"{WHERE}: the weights in '{path.name}' do not fit the model '{model}': {error}. Name "
            "the model that they were trained as, or give its config."
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Hold back open_clip's log lines on weights that it did not load itself."""
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(before)
