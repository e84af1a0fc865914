import copy
import json
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from pydantic import ValidationError
from safetensors.torch import save_file

from neurodecode.core.artifacts import Stimuli, make_items
from neurodecode.core.errors import DataError
from neurodecode.features.open_clip import OpenClip
from neurodecode.features.open_clip_weights import find_hub_file

TINY = {
    "embed_dim": 8,
    "vision_cfg": {"image_size": 32, "layers": 3, "width": 16, "head_width": 8, "patch_size": 16},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 8, "heads": 2, "layers": 2},
}
TEXTS = ["a dog", "two red bicycles", "!", "the sea at night, seen from a window"]


class Tiny:
    """A small model built by open_clip's own classes, its files, and stimuli."""

    def __init__(self, folder):
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(3)
            self.model = open_clip.CLIP(**copy.deepcopy(TINY)).eval()
        self.config = folder / "tiny.json"
        self.config.write_text(json.dumps(TINY))
        self.safe, self.pickled = folder / "tiny.safetensors", folder / "tiny.pt"
        state = {name: t.clone() for name, t in self.model.state_dict().items()}
        save_file(state, self.safe)
        torch.save({"epoch": 1, "state_dict": state}, self.pickled)
        rng = np.random.default_rng(0)
        data = rng.integers(0, 256, (5, 40, 50, 3), np.uint8)
        self.images = Stimuli(data=data, items=make_items([f"i{n}" for n in range(5)], data))
        texts = np.array(TEXTS)
        self.texts = Stimuli(data=texts, items=make_items(list("abcd"), texts), of="text")
        transform = open_clip.image_transform((32, 32), is_train=False)
        self.pixels = torch.stack([transform(Image.fromarray(image)) for image in data])
        self.tokens = open_clip.SimpleTokenizer(context_length=16)(TEXTS)

    def stage(self, **settings):
        return OpenClip(**{"config": self.config, "checkpoint": self.safe, **settings})


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return Tiny(tmp_path_factory.mktemp("tiny"))


def read_hooked(module, call):
    found = []
    handle = module.register_forward_hook(lambda _m, _i, output: found.append(output))
    with torch.no_grad():
        call()
    handle.remove()
    return found[0].numpy()


@pytest.mark.parametrize("kind", ["safe", "pickled"])
def test_pooled_features_are_those_of_the_model(tiny, kind):
    stage = tiny.stage(checkpoint=getattr(tiny, kind))
    with torch.no_grad():
        image, text = tiny.model.encode_image(tiny.pixels), tiny.model.encode_text(tiny.tokens)
    images, texts = stage.run(tiny.images), stage.run(tiny.texts)
    np.testing.assert_allclose(images.data, image.numpy(), atol=1e-5)
    np.testing.assert_allclose(texts.data, text.numpy(), atol=1e-5)
    np.testing.assert_array_equal(images.items["digest"], tiny.images.items["digest"])
    assert images.extractor["weights"] == texts.extractor["weights"]
    assert images.extractor["random_weights"] is False
    assert len(images.extractor["golden"]) == 8
    assert images.extractor["golden"] != texts.extractor["golden"]


def test_weights_digest_is_that_of_the_state_dict(tiny):
    first = tiny.stage().run(tiny.texts).extractor["weights"]
    assert first == tiny.stage(checkpoint=tiny.pickled).run(tiny.texts).extractor["weights"]
    random = tiny.stage(checkpoint=None, random_weights=True).run(tiny.texts).extractor
    assert random["weights"] != first


@pytest.mark.parametrize(("layer", "number"), [(1, 1), (-1, 2), (0.0, 0), (0.5, 1), (1.0, 2)])
def test_layers_are_the_blocks_outputs(tiny, layer, number):
    features = tiny.stage(output="tokens", layer=layer).run(tiny.images)
    block = tiny.model.visual.transformer.resblocks[number]
    expected = read_hooked(block, lambda: tiny.model.encode_image(tiny.pixels))
    assert features.data.shape == (5, 5, 16)
    np.testing.assert_allclose(features.data, expected, atol=1e-5)
    assert features.extractor["layer"] == f"block{number}"
    mean = tiny.stage(output="mean", layer=layer).run(tiny.images)
    np.testing.assert_allclose(mean.data, expected.mean(axis=1), atol=1e-5)


def test_own_tokens_follow_the_last_norm(tiny):
    images = tiny.stage(output="tokens").run(tiny.images)
    expected = read_hooked(tiny.model.visual.ln_post, lambda: tiny.model.encode_image(tiny.pixels))
    np.testing.assert_allclose(images.data, expected[:, 1:], atol=1e-5)
    texts = tiny.stage(output="tokens").run(tiny.texts)
    expected = read_hooked(tiny.model.ln_final, lambda: tiny.model.encode_text(tiny.tokens))
    np.testing.assert_allclose(texts.data, expected, atol=1e-5)
    lengths = (tiny.tokens == 49407).int().argmax(dim=1).numpy() + 1
    mean = tiny.stage(output="mean").run(tiny.texts).data
    for row, found, n in zip(mean, expected, lengths, strict=True):
        np.testing.assert_allclose(row, found[:n].mean(axis=0), atol=1e-5)


def test_text_layers(tiny):
    features = tiny.stage(output="tokens", layer=0).run(tiny.texts)
    block = tiny.model.transformer.resblocks[0]
    expected = read_hooked(block, lambda: tiny.model.encode_text(tiny.tokens))
    np.testing.assert_allclose(features.data, expected, atol=1e-5)


@pytest.mark.parametrize("settings", [{}, {"output": "tokens", "layer": 1}])
def test_batches_and_normalising(tiny, settings):
    for stimuli in (tiny.images, tiny.texts):
        one = tiny.stage(**settings, execution={"batch_size": 1}).run(stimuli)
        three = tiny.stage(**settings, execution={"batch_size": 3}).run(stimuli)
        np.testing.assert_allclose(one.data, three.data, atol=1e-5)
        unit = tiny.stage(**settings, normalize=True).run(stimuli).data
        expected = one.data / np.linalg.norm(one.data, axis=-1, keepdims=True)
        np.testing.assert_allclose(unit, expected, atol=1e-5)


def test_a_custom_text_tower_and_its_preprocessing(tiny, tmp_path):
    config = {**copy.deepcopy(TINY), "custom_text": True}
    with torch.random.fork_rng(devices=[]):
        model = open_clip.CustomTextCLIP(**copy.deepcopy(TINY)).eval()
    checkpoint = tmp_path / "custom.safetensors"
    save_file({name: t.clone() for name, t in model.state_dict().items()}, checkpoint)
    preprocess = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "interpolation": "bilinear"}
    saved = {"model_cfg": config, "preprocess_cfg": {**preprocess, "resize_mode": "squash"}}
    stage = OpenClip(config=saved, checkpoint=checkpoint)
    with torch.no_grad():
        text = model.encode_text(tiny.tokens)
    np.testing.assert_allclose(stage.run(tiny.texts).data, text.numpy(), atol=1e-5)
    transform = open_clip.image_transform(
        (32, 32), is_train=False, mean=(0.5,) * 3, std=(0.5,) * 3,
        interpolation="bilinear", resize_mode="squash",
    )  # fmt: skip
    pixels = torch.stack([transform(Image.fromarray(image)) for image in tiny.images.data])
    with torch.no_grad():
        image = model.encode_image(pixels)
    np.testing.assert_allclose(stage.run(tiny.images).data, image.numpy(), atol=1e-5)
    tokens = OpenClip(config=saved, checkpoint=checkpoint, output="tokens").run(tiny.texts)
    expected = read_hooked(model.text.ln_final, lambda: model.encode_text(tiny.tokens))
    np.testing.assert_allclose(tokens.data, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("vision", "n_tokens"),
    [
        ({"layers": [1, 1, 1, 1], "width": 8, "head_width": 8, "image_size": 64}, 4),
        ({"timm_model_name": "test_vit", "image_size": 160}, 100),
    ],
)
def test_other_vision_towers(tiny, vision, n_tokens):
    config = {**copy.deepcopy(TINY), "vision_cfg": vision}
    stage = OpenClip(config=config, random_weights=True)
    assert stage.run(tiny.images).data.shape == (5, 8)
    own = OpenClip(config=config, random_weights=True, output="tokens").run(tiny.images)
    assert own.data.shape[:2] == (5, n_tokens)
    last = OpenClip(config=config, random_weights=True, output="tokens", layer=1.0)
    assert last.run(tiny.images).data.ndim == 3


def test_coca(tiny):
    """Its towers hand out tokens, normalise by default, and put a class token behind the words."""
    pooler = {"attentional_pool": True, "attn_pooler_queries": 6, "attn_pooler_heads": 2}
    config = {
        **copy.deepcopy(TINY),
        "custom_text": True,
        "multimodal_cfg": {**TINY["text_cfg"], "attn_pooler_heads": 2},
    }
    config["vision_cfg"] |= {**pooler, "output_tokens": True}
    config["text_cfg"] |= {"embed_cls": True, "output_tokens": True}
    shapes = {}
    for output, layer in (("pooled", None), ("tokens", None), ("tokens", 0), ("mean", 0)):
        stage = OpenClip(config=config, random_weights=True, output=output, layer=layer)
        found = [stage.run(stimuli).data for stimuli in (tiny.images, tiny.texts)]
        shapes[output, layer] = [f.shape[1:] for f in found]
        if output == "pooled":
            assert not np.allclose(np.linalg.norm(found[0], axis=1), 1, atol=1e-3)
    assert shapes == {
        ("pooled", None): [(8,), (8,)],
        ("tokens", None): [(5, 8), (16, 8)],
        ("tokens", 0): [(5, 16), (17, 8)],
        ("mean", 0): [(16,), (8,)],
    }


@pytest.mark.parametrize(("precision", "tolerance"), [("fp16", 0.02), ("bf16", 0.1)])
def test_low_precision_is_near(tiny, precision, tolerance):
    for stimuli in (tiny.images, tiny.texts):
        full = tiny.stage().run(stimuli).data
        low = tiny.stage(precision=precision).run(stimuli).data
        assert low.dtype == np.float32
        assert 0 < np.abs(low - full).max() < tolerance * np.abs(full).max()


def test_random_weights_follow_the_seed_and_say_so(tiny):
    stage = OpenClip(config=TINY, random_weights=True, seed=4)
    before = torch.get_rng_state()
    first, again = stage.run(tiny.images), stage.run(tiny.images)
    assert torch.equal(torch.get_rng_state(), before)
    np.testing.assert_array_equal(first.data, again.data)
    other = OpenClip(config=TINY, random_weights=True, seed=5).run(tiny.images)
    assert not np.allclose(first.data, other.data)
    assert first.extractor["random_weights"] is True
    assert first.extractor["source"] == "random-4"


def test_the_key_knows_the_weights(tiny):
    assert tiny.stage().weights() == {"open_clip": "tiny.safetensors"}
    assert set(tiny.stage().sources()) == {tiny.safe, tiny.config}
    tag = OpenClip(model="ViT-L-14", pretrained="laion2b_s32b_b82k", revision="abc")
    assert tag.weights() == {"open_clip": "ViT-L-14:laion2b_s32b_b82k@abc"}
    assert OpenClip(random_weights=True, seed=7).weights() == {"open_clip": "random-7"}
    hub = OpenClip(model="hf-hub:owner/name")
    assert hub.weights() == {"open_clip": "hf-hub:owner/name"}


def test_absent_weights_fail_at_once_and_say_what_to_do(tiny, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for settings in ({"pretrained": "laion2b_s34b_b79k"}, {"model": "hf-hub:owner/name"}):
        with pytest.raises(DataError, match="HF_HUB_OFFLINE is set, which forbids") as caught:
            OpenClip(**settings).run(tiny.images)
        for word in ("hf download", "into /", "checkpoint: PATH", "random_weights: true"):
            assert word in str(caught.value)


def test_cached_weights_need_no_network(tiny, monkeypatch, tmp_path):
    from huggingface_hub import constants

    repository = tmp_path / "models--owner--name"
    snapshot = repository / "snapshots" / "0123"
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0123")
    (snapshot / "open_clip_config.json").write_text(json.dumps({"model_cfg": TINY}))
    (snapshot / "open_clip_model.safetensors").write_bytes(tiny.safe.read_bytes())
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    found = find_hub_file("owner/name", ("open_clip_model.safetensors",))
    assert found == snapshot / "open_clip_model.safetensors"
    features = OpenClip(model="hf-hub:owner/name").run(tiny.images)
    np.testing.assert_array_equal(features.data, tiny.stage().run(tiny.images).data)


@pytest.mark.slow
def test_a_pretrained_tag_is_found_in_the_cache(tiny, monkeypatch, tmp_path):
    """The whole way of a tag of a real architecture; only the weights themselves are untrained."""
    from huggingface_hub import constants

    repository = tmp_path / "models--laion--CLIP-ViT-B-32-laion2B-s34B-b79K"
    snapshot = repository / "snapshots" / "0123"
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0123")
    model = open_clip.create_model("ViT-B-32").eval()
    state = {name: t.clone() for name, t in model.state_dict().items()}
    save_file(state, snapshot / "open_clip_model.safetensors")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    stage = OpenClip(model="ViT-B-32", pretrained="laion2b_s34b_b79k")
    transform = open_clip.image_transform((224, 224), is_train=False)
    pixels = torch.stack([transform(Image.fromarray(image)) for image in tiny.images.data])
    with torch.no_grad():
        image = model.encode_image(pixels)
        text = model.encode_text(open_clip.get_tokenizer("ViT-B-32")(TEXTS))
    np.testing.assert_allclose(stage.run(tiny.images).data, image.numpy(), atol=1e-4)
    np.testing.assert_allclose(stage.run(tiny.texts).data, text.numpy(), atol=1e-4)


def test_what_does_not_fit_is_refused(tiny, tmp_path):
    other = copy.deepcopy(TINY)
    other["vision_cfg"]["width"] = 24
    small = copy.deepcopy(TINY)
    small["text_cfg"]["vocab_size"] = 100
    audio = Stimuli(data=np.zeros((1, 4)), items=make_items(["a"], np.zeros((1, 4))), of="audio")
    long = np.array(["many words " * 20])
    long_text = Stimuli(data=long, items=make_items(["a"], long), of="text")
    unsafe = tmp_path / "unsafe.pt"
    torch.save({"state_dict": {"a": torch.zeros(1)}, "code": Path("x")}, unsafe)
    cases = [
        (tiny.stage(config=other), tiny.images, "do not fit the model"),
        (tiny.stage(checkpoint=Path("absent.pt")), tiny.images, "no checkpoint at 'absent.pt'"),
        (tiny.stage(checkpoint=unsafe), tiny.images, "holds more than tensors"),
        (tiny.stage(checkpoint=tiny.config), tiny.images, "ends in '.json'"),
        (tiny.stage(output="tokens", layer=3), tiny.images, "no layer 3; there are 3"),
        (tiny.stage(), audio, "of kind 'audio'"),
        (tiny.stage(), long_text, "tokens, the model takes 16"),
        (OpenClip(config=small, random_weights=True), tiny.texts, "the model knows 100"),
        (OpenClip(config={"embed_dim": 3}, random_weights=True), tiny.texts, "text_cfg, vision"),
        (OpenClip(model="ViT-B-31", random_weights=True), tiny.images, "Did you mean 'ViT-B-"),
        (OpenClip(pretrained="laion2b_s34b"), tiny.images, "Did you mean 'laion2b_"),
        (OpenClip(pretrained="openai"), tiny.images, "Set model: ViT-B-32-quickgelu"),
    ]
    for stage, stimuli, message in cases:
        with pytest.raises(DataError, match=message):
            stage.run(stimuli)
    assert tiny.stage(truncate_text=True).run(long_text).data.shape == (1, 8)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "weights come from nowhere"),
        ({"pretrained": "openai", "random_weights": True}, "Give exactly one"),
        ({"config": TINY, "pretrained": "openai"}, "architecture of your own"),
        ({"random_weights": True, "layer": 2}, "Set output"),
        ({"random_weights": True, "layer": 1.5, "output": "tokens"}, "outside 0 to 1"),
        ({"model": "local-dir:x"}, "outside the cache key"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(ValidationError, match=message):
        OpenClip(**settings)
