from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neurodecode.core.errors import DataError
from neurodecode.plotting.gallery import Gallery, choose_evenly, fit_to_cell, match_items
from tests.plotting.plotting_data import LEAK, decode, make_pictures, make_scores


def find_cells(pixels: np.ndarray, n_items: int) -> list[np.ndarray]:
    """Return the grey level at the middle of each column, for each row of the gallery."""
    cell = int(np.clip(1500 // n_items, 96, 320))
    gap = max(6, cell // 24)
    left = [30 + 270 + k * (cell + gap) + cell // 2 for k in range(n_items)]
    top = 30
    return [pixels[top + r * (cell + gap) + cell // 2, left, 0] for r in range(2)]


def test_reconstructions_stand_below_their_own_originals() -> None:
    stimuli, reconstructions = make_pictures()
    document = Gallery(n_items=6, seed=1).run(stimuli, [reconstructions])
    originals, below = find_cells(decode(document, "gallery.png"), 6)
    # Every 4th in the order of the reconstructions, from the second.
    numbers = [int(i[-2:]) for i in reconstructions.items["id"][1::4]]
    assert originals.tolist() == [10 * n for n in numbers]
    assert below.tolist() == originals.tolist()
    assert "every 4th of 24 test items, from number 2 (seed 1)" in document.html
    assert "first of 3 samples" in document.html


def test_choice_does_not_depend_on_quality() -> None:
    stimuli, reconstructions = make_pictures()
    worse = replace(reconstructions, data=1 - np.asarray(reconstructions.data))
    a, b = (Gallery(n_items=5).run(stimuli, [r]) for r in (reconstructions, worse))
    assert find_cells(decode(a, "gallery.png"), 5)[0].tolist() == (
        find_cells(decode(b, "gallery.png"), 5)[0].tolist()
    )


def test_same_bytes_again() -> None:
    stimuli, reconstructions = make_pictures()
    first, second = (Gallery().run(stimuli, [reconstructions]) for _ in range(2))
    assert first.html == second.html
    assert np.array_equal(first.figures["gallery.png"], second.figures["gallery.png"])


def test_small_images_are_repeated_pixel_by_pixel() -> None:
    image = np.random.default_rng(0).random((4, 4, 3)).astype(np.float32)
    expected = np.round(image * 255).repeat(25, axis=0).repeat(25, axis=1) / 255
    np.testing.assert_allclose(fit_to_cell(image, 100), expected, atol=1e-6)
    assert fit_to_cell(np.zeros((400, 200, 1)), 100)[:, :20].min() == 1.0  # kept upright, padded


def test_steps_are_matched_by_identity() -> None:
    _, reconstructions = make_pictures(6)
    other = reconstructions.take(np.array([4, 2, 0]))
    rows, several = match_items([reconstructions.items, other.items])
    assert rows.tolist() == [[0, 2], [2, 1], [4, 0]]
    assert not several


def test_leakage_is_printed_in_red_on_the_picture() -> None:
    stimuli, reconstructions = make_pictures()
    clean = Gallery().run(stimuli, [reconstructions], [make_scores()])
    leaky = Gallery().run(stimuli, [reconstructions], [make_scores(notices=(LEAK,))])

    def count_red(pixels: np.ndarray) -> int:
        return int((np.abs(pixels.astype(int) - [0xB3, 0x26, 0x1E]).max(axis=2) < 30).sum())

    assert count_red(decode(clean, "gallery.png")) == 0
    assert count_red(decode(leaky, "gallery.png")) > 200


def test_hostile_names_and_dollars_are_text() -> None:
    stimuli, reconstructions = make_pictures(4)
    labels = ("<script>$\\frac{</script>",)
    document = Gallery(title="$x_{", labels=labels, item_label="label").run(
        stimuli, [reconstructions]
    )
    assert "<script" not in document.html


def test_refusals() -> None:
    stimuli, reconstructions = make_pictures(4)
    with pytest.raises(DataError, match="2 labels for 1"):
        Gallery(labels=("a", "b")).run(stimuli, [reconstructions])
    with pytest.raises(DataError, match="no reconstructions"):
        Gallery().run(stimuli, [])
    with pytest.raises(DataError, match="Did you mean 'label'"):
        Gallery(item_label="labl").run(stimuli, [reconstructions])
    alien = replace(
        reconstructions, items=reconstructions.items.with_columns(id=["a", "b", "c", "d"])
    )
    with pytest.raises(DataError, match="share no item"):
        Gallery().run(stimuli, [reconstructions, alien])


@pytest.mark.parametrize("n_items", [1, 7, 50, 103])
@pytest.mark.parametrize("seed", [0, 3, 11])
def test_even_choice(n_items: int, seed: int) -> None:
    chosen, _ = choose_evenly(n_items, 8, seed)
    assert len(chosen) == min(8, n_items)
    assert chosen.max() < n_items
    assert len(set(np.diff(chosen))) <= 1
