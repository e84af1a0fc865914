"""Features of CLIP and its kin: any model of the open_clip library, image and text tower.

Radford et al. 2021 (arXiv 2103.00020); open_clip: Ilharco et al. 2021, Cherti et al. 2023 (arXiv
2212.07143). Images go through the library's own transform of the model (resize, crop, mean, std).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import model_validator

from neurodecode.core.artifacts import Features, Stimuli
from neurodecode.core.device import choose_device
from neurodecode.core.stage import Sight, Stage
from neurodecode.features.extraction import (
    check_kind,
    digest_weights,
    extract,
    list_versions,
    make_features,
)
from neurodecode.numerics.golden import TEST_TEXT, make_test_image, round_golden

BATCH_SIZE = 32

_TINY = {
    "embed_dim": 4,
    "vision_cfg": {"image_size": 16, "layers": 1, "width": 8, "head_width": 8, "patch_size": 8},
    "text_cfg": {"context_length": 8, "vocab_size": 49408, "width": 8, "heads": 1, "layers": 1},
}


class OpenClip(Stage):
    """Describe images or text by a CLIP model of the open_clip library.

    Where the weights come from is said by exactly one of ``pretrained``, ``checkpoint`` and
    ``random_weights``; ``model="hf-hub:owner/name"`` says it by itself.

    Parameters
    ----------
    model : str
        Name of an architecture, such as "ViT-B-32" (open_clip.list_models), or
        "hf-hub:owner/name" for a repository that holds an open_clip configuration and weights.
    config : path, mapping or None
        An architecture of one's own in place of ``model``: a JSON file in open_clip's form, or
        the same inline (embed_dim, vision_cfg, text_cfg). A file may also hold model_cfg and
        preprocess_cfg, as open_clip saves them.
    pretrained : str or None
        Tag of pretrained weights, such as "laion2b_s34b_b79k" (open_clip.list_pretrained). Looked
        up in the local cache of the Hugging Face hub first.
    revision : str or None
        Commit of the hub repository; None takes its newest, or what the cache holds.
    checkpoint : path or None
        Local weights: .safetensors, or .pt, .pth, .bin, which may hold tensors only.
    random_weights : bool
        Untrained weights, as a control. The extractor says so.
    seed : int
        Of random weights.
    output : {"pooled", "tokens", "mean"}
        Pooled: the embedding in the space that images and text share. Tokens: all tokens, shape
        (n_items, n_tokens, n_dims). Mean: the mean over tokens.
    layer : int, float or None
        With tokens or mean: the block whose output to take, counted from 0 (negative: from the
        end), or as a relative depth from 0.0 to 1.0. None takes the tokens that the tower itself
        hands out: after its last norm, images without the class token.
    normalize : bool
        Scale each vector to length one.
    precision : {"fp32", "fp16", "bf16"}
        Of the computation; features are float32 in any case.
    truncate_text : bool
        Cut texts that exceed the model's context, which are refused otherwise.
    """

    stage: ClassVar[str] = "features.open_clip"
    example: ClassVar[Mapping[str, Any]] = {"random_weights": True, "config": _TINY}

    model: str = "ViT-B-32"
    config: Path | dict[str, Any] | None = None
    pretrained: str | None = None
    revision: str | None = None
    checkpoint: Path | None = None
    random_weights: bool = False
    seed: int = 0
    output: Literal["pooled", "tokens", "mean"] = "pooled"
    layer: int | float | None = None
    normalize: bool = False
    precision: Literal["fp32", "fp16", "bf16"] = "fp32"
    truncate_text: bool = False

    @model_validator(mode="after")
    def _check_settings(self) -> OpenClip:
        from_hub = self.model.startswith("hf-hub:")
        if self.model.startswith("local-dir:"):
            raise ValueError(
                "model 'local-dir:' would read files outside the cache key. Name them: config: "
                "FOLDER/open_clip_config.json, checkpoint: FOLDER/open_clip_model.safetensors."
            )
        given = {
            "pretrained": self.pretrained is not None,
            "checkpoint": self.checkpoint is not None,
            "random_weights": self.random_weights,
            "model: hf-hub:...": from_hub,
        }
        named = [name for name, is_given in given.items() if is_given]
        if len(named) != 1:
            raise ValueError(
                f"weights come from {' and '.join(named) or 'nowhere'}. Give exactly one of "
                "pretrained (a tag), checkpoint (a file), random_weights: true, or a model "
                "'hf-hub:owner/name'."
            )
        if self.config is not None and (self.pretrained is not None or from_hub):
            raise ValueError(
                "config describes an architecture of your own, which pretrained tags and hub "
                "models do not fit. Give checkpoint or random_weights with it."
            )
        if self.layer is not None and self.output == "pooled":
            raise ValueError(
                "layer is for output: tokens or mean; the pooled embedding is always the last. "
                "Set output, or leave layer out."
            )
        if isinstance(self.layer, float) and not 0 <= self.layer <= 1:
            raise ValueError(
                f"layer {self.layer} is a relative depth outside 0 to 1. Give one inside, or a "
                "whole number."
            )
        return self

    def sees(self) -> Mapping[str, Sight]:
        """Each item is described by itself."""
        return {"stimuli": "row"}

    def sources(self) -> Sequence[Path]:
        """Return the local files of weights and configuration."""
        config = self.config if isinstance(self.config, Path) else None
        return [path for path in (self.checkpoint, config) if path is not None]

    def weights(self) -> Mapping[str, str]:
        """Return which weights are used, without loading any."""
        return {"open_clip": self._name_weights()}

    def run(self, stimuli: Stimuli) -> Features:
        """Return features of shape (n_items, n_dims), or (n_items, n_tokens, n_dims)."""
        check_kind(stimuli, ("image", "text"), self.stage)
        from neurodecode.features.open_clip_network import Encoder
        from neurodecode.features.open_clip_weights import load_clip

        device = choose_device(self.execution.device)
        loaded = load_clip(
            self.model,
            config=self.config,
            pretrained=self.pretrained,
            revision=self.revision,
            checkpoint=self.checkpoint,
            seed=self.seed if self.random_weights else None,
            precision=self.precision,
            device=device,
        )
        digest = digest_weights(loaded.network)
        encoder = Encoder(
            loaded,
            of="text" if stimuli.of == "text" else "image",
            output=self.output,
            layer=self.layer,
            normalize=self.normalize,
            truncate_text=self.truncate_text,
        )
        data = extract(
            stimuli,
            encoder.encode,
            batch_size=self.execution.batch_size or BATCH_SIZE,
            label=self.stage,
        )
        extractor = {
            "name": "open_clip",
            "model": self.model if self.config is None else "custom",
            "of": stimuli.of,
            "source": self._name_weights(),
            "random_weights": self.random_weights,
            "output": self.output,
            "layer": encoder.layer_name,
            "normalize": self.normalize,
            "weights": digest,
            "golden": round_golden(encoder.encode(_make_pattern(stimuli.of))),
            "versions": list_versions("open_clip_torch", "torch", "torchvision", "Pillow"),
        }
        return make_features(stimuli, data, extractor=extractor)

    def _name_weights(self) -> str:
        if self.random_weights:
            return f"random-{self.seed}"
        if self.checkpoint is not None:
            return self.checkpoint.name
        name = self.model if self.pretrained is None else f"{self.model}:{self.pretrained}"
        return name if self.revision is None else f"{name}@{self.revision}"


def _make_pattern(of: str) -> np.ndarray:
    """Return the fixed input of the golden vector."""
    if of == "text":
        return np.array([TEST_TEXT])
    return make_test_image()[None] / np.float32(255)
