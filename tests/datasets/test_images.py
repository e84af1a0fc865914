import numpy as np
import pytest
from PIL import Image

from neurodecode.core.errors import DataError
from neurodecode.datasets.images import Images


def write(folder, sizes=((8, 6),), **names):
    rng = np.random.default_rng(0)
    pixels = {}
    for i, name in enumerate(["face/a.png", "face/b.png", "house/a.png"]):
        height, width = sizes[i % len(sizes)]
        pixels[name] = rng.integers(0, 256, (height, width, 3), np.uint8)
        (folder / name).parent.mkdir(exist_ok=True)
        Image.fromarray(pixels[name]).save(folder / name)
    return pixels


def test_images_come_back_as_they_were(tmp_path):
    pixels = write(tmp_path)
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / ".hidden.png").write_bytes(b"")
    stimuli = Images(path=str(tmp_path)).run()
    assert stimuli.items["id"].tolist() == list(pixels)
    assert stimuli.items["category"].tolist() == ["face", "face", "house"]
    for image, expected in zip(stimuli.data, pixels.values(), strict=True):
        np.testing.assert_array_equal(image, expected)
    assert len(Images(path=str(tmp_path)).sources()) == 3


def test_a_size_cuts_out_the_middle(tmp_path):
    write(tmp_path, sizes=((8, 6), (6, 10)))
    pixels = np.zeros((8, 4, 3), np.uint8)
    pixels[2:6] = 200  # the centred square
    Image.fromarray(pixels).save(tmp_path / "z.png")
    stimuli = Images(path=str(tmp_path), size_px=4, colours="grey").run()
    assert stimuli.data.shape == (4, 4, 4, 1)
    assert (stimuli.data[-1] == 200).all()


def test_what_is_not_clear_is_refused(tmp_path):
    write(tmp_path, sizes=((8, 6), (6, 10)))
    with pytest.raises(DataError, match=r"face/b.png has 6 x 10 pixels, face/a.png 8 x 6.*size_px"):
        Images(path=str(tmp_path)).run()
    with pytest.raises(DataError, match=r"1 ids belong to several files \(a.png\)"):
        Images(path=str(tmp_path), ids="name", size_px=4).run()
    layer = np.full((8, 6, 4), 100, np.uint8)
    Image.fromarray(layer).save(tmp_path / "face" / "c.png")
    with pytest.raises(DataError, match="transparent in places"):
        Images(path=str(tmp_path), size_px=4).run()
    (tmp_path / "face" / "c.png").write_bytes(b"no image")
    with pytest.raises(DataError, match="cannot be read as an image"):
        Images(path=str(tmp_path), size_px=4).run()


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match="holds no images"):
        Images(path=str(tmp_path)).run()
    with pytest.raises(DataError, match="is in none of the data folders"):
        Images(path="no_such_folder").run()
