"""Run the towers of an open_clip model: pooled embeddings, tokens, and what blocks hand on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import open_clip
import torch
from torch.nn import functional

from neurodecode.core.errors import DataError
from neurodecode.features.extraction import convert_to_pil
from neurodecode.features.open_clip_weights import LoadedClip
from neurodecode.numerics.hooks import choose_layer, record_output

WHERE = "features.open_clip"

# Where the various towers keep their blocks.
BLOCKS = ("transformer.resblocks", "trunk.blocks", "trunk.stages", "transformer.encoder.layer")
RESNET_STAGES = ("layer1", "layer2", "layer3", "layer4")


class Encoder:
    """From stimuli to features, batch by batch.

    Parameters
    ----------
    loaded : LoadedClip
    of : {"image", "text"}
    output, layer, normalize, truncate_text
        As in features.open_clip.

    Attributes
    ----------
    layer_name : str
        Name of the layer in the network, for the record.
    """

    def __init__(
        self,
        loaded: LoadedClip,
        *,
        of: Literal["image", "text"],
        output: Literal["pooled", "tokens", "mean"] = "pooled",
        layer: int | float | None = None,
        normalize: bool = False,
        truncate_text: bool = False,
    ) -> None:
        self._loaded = loaded
        self._network = loaded.network
        self._of = of
        self._output = output
        self._normalize = normalize
        self._truncate_text = truncate_text
        self._tokenizer = make_tokenizer(loaded) if of == "text" else None
        self._dtype = open_clip.get_input_dtype(loaded.precision) or torch.float32
        self._compute: Callable[[torch.Tensor], torch.Tensor]
        if output == "pooled":
            self.layer_name, self._compute = "pooled", self._pool
        elif layer is None:
            self.layer_name, self._compute = "tokens", self._read_own_tokens
        else:
            blocks = self._find_blocks()
            number = choose_layer(layer, len(blocks), f"{WHERE}: {of} tower")
            self.layer_name = f"block{number}"
            block = blocks[number]
            self._compute = lambda given: self._read_block(block, given)

    def encode(self, batch: np.ndarray) -> np.ndarray:
        """Return the features of a batch.

        Parameters
        ----------
        batch : array of float32 in [0, 1], shape (n, height, width, n_colours); or of str, (n,)

        Returns
        -------
        features : array of float32, shape (n, n_dims) or (n, n_tokens, n_dims)
        """
        given = self._tokenize(batch) if self._of == "text" else self._prepare(batch)
        with torch.inference_mode():
            found = self._compute(given).float()
            if self._output == "mean":
                found = self._average(found, given)
            if self._normalize:
                found = functional.normalize(found, dim=-1)
            return np.asarray(found.cpu().numpy())

    def _prepare(self, images: np.ndarray) -> torch.Tensor:
        pixels = torch.stack([self._loaded.transform(image) for image in convert_to_pil(images)])
        return pixels.to(self._loaded.device, self._dtype)

    def _tokenize(self, texts: np.ndarray) -> torch.Tensor:
        tokenizer = self._tokenizer
        most = tokenizer.context_length  # type: ignore[union-attr]
        if not self._truncate_text:
            lengths = [count_tokens(tokenizer, text) for text in texts]
            if max(lengths) > most:
                longest = int(np.argmax(lengths))
                raise DataError(
                    f"{WHERE}: the text '{texts[longest][:60]}...' has {lengths[longest]} tokens, "
                    f"the model takes {most}. Shorten it, or set truncate_text: true."
                )
        tokens = tokenizer([str(text) for text in texts])  # type: ignore[misc]
        n_known = self._loaded.text_config.get("vocab_size", open_clip.CLIPTextCfg.vocab_size)
        if not self._has_foreign_text and int(tokens.max()) >= n_known:
            raise DataError(
                f"{WHERE}: the tokenizer gives numbers up to {int(tokens.max())}, the model knows "
                f"{n_known}. Give the config the vocab_size of its tokenizer."
            )
        return tokens.to(self._loaded.device)

    @property
    def _has_foreign_text(self) -> bool:
        """Whether the text tower is of another library, and brings its own vocabulary."""
        return bool(self._loaded.text_config.get("hf_model_name"))

    @property
    def _tower(self) -> Any:
        if self._of == "image":
            return self._network.visual
        # CLIP proper keeps its text tower in pieces, on itself.
        return self._network if isinstance(self._network, open_clip.CLIP) else self._network.text

    def _pool(self, given: torch.Tensor) -> torch.Tensor:
        encode = self._network.encode_text if self._of == "text" else self._network.encode_image
        found = encode(given, normalize=False)  # CoCa's default is True
        return found[0] if isinstance(found, tuple) else found

    def _read_own_tokens(self, given: torch.Tensor) -> torch.Tensor:
        """Return the tokens after the tower's last norm, images without the class token."""
        tower = self._tower
        if isinstance(tower, open_clip.CLIP):
            return self._read_block(tower.ln_final, given)
        if isinstance(tower, open_clip.model.TimmModel):
            tokens = _flatten_map(tower.trunk.forward_features(given))
            return tokens[:, getattr(tower.trunk, "num_prefix_tokens", 0) :]
        if isinstance(tower, open_clip.model.ModifiedResNet):
            return self._read_block(tower.layer4, given)
        before, tower.output_tokens = tower.output_tokens, True
        try:
            return tower(given)[1]
        finally:
            tower.output_tokens = before

    def _read_block(self, block: Any, given: torch.Tensor) -> torch.Tensor:
        with record_output(block) as outputs:
            self._pool(given)
        return _flatten_map(outputs[0])

    def _find_blocks(self) -> list[Any]:
        tower = self._tower
        if isinstance(tower, open_clip.model.ModifiedResNet):
            return [tower.get_submodule(name) for name in RESNET_STAGES]
        for path in BLOCKS:
            try:
                return list(tower.get_submodule(path))
            except AttributeError:
                continue
        raise DataError(
            f"{WHERE}: no blocks are known in a tower of type {type(tower).__name__}. Leave layer "
            "out to take its own tokens, or set output: pooled."
        )

    def _average(self, tokens: torch.Tensor, given: torch.Tensor) -> torch.Tensor:
        if self._of == "image":
            return tokens.mean(dim=1)
        # Padding is what follows the last token that is none; zero itself can be a word.
        padding = self._loaded.text_config.get("pad_id", 0)
        if self._has_foreign_text:
            padding = self._tower.config.pad_token_id
        is_word = given != padding
        counted = is_word.flip(1).cumsum(1).flip(1) > 0
        words = tokens[:, : counted.shape[1]]  # CoCa's class token stands behind them
        weights = counted[:, : words.shape[1], None].float()
        return (words * weights).sum(1) / weights.sum(1)


def make_tokenizer(loaded: LoadedClip) -> Any:
    """Return the tokenizer that belongs to a model's text tower."""
    config = loaded.text_config
    length = config.get("context_length", open_clip.tokenizer.DEFAULT_CONTEXT_LENGTH)
    options = config.get("tokenizer_kwargs") or {}
    name = config.get("hf_tokenizer_name")
    if not name:
        return open_clip.tokenizer.SimpleTokenizer(context_length=length, **options)
    try:
        return open_clip.tokenizer.HFTokenizer(
            name, context_length=length, tokenizer_mode=config.get("tokenizer_mode"), **options
        )
    except (OSError, ValueError) as error:
        raise DataError(
            f"{WHERE}: the tokenizer '{name}' of {loaded.model} is not at hand: {error}. On a "
            f"machine with a network run `hf download {name}`, copy its cache folder here and "
            "point HF_HOME at its parent."
        ) from error


def count_tokens(tokenizer: Any, text: str) -> int:
    """Return the length of a text in tokens, with those that mark its start and end."""
    if isinstance(tokenizer, open_clip.tokenizer.SimpleTokenizer):
        return len(tokenizer.encode(text)) + 2
    return len(tokenizer.tokenizer(tokenizer.clean_fn(text))["input_ids"])


def _flatten_map(found: torch.Tensor) -> torch.Tensor:
    """Return a map of shape (n, n_dims, height, width) as tokens (n, height * width, n_dims)."""
    return found.flatten(2).transpose(1, 2) if found.ndim == 4 else found
