from __future__ import annotations

import numpy as np
import pytest

from neurodecode.core.artifacts import Space
from neurodecode.core.errors import DataError
from neurodecode.plotting.brain_figure import BrainFigure, ColourScale, plot_brain
from neurodecode.plotting.brain_map import BrainMap, round_up, to_vertices
from neurodecode.plotting.brain_panels import draw_flat, draw_inflated, measure_flat
from neurodecode.plotting.figures import encode_png
from neurodecode.plotting.fsaverage5 import HEMISPHERES, N_VERTICES, load_mesh, project_volume
from tests.plotting.plotting_data import LEAK, decode, make_map


def find_patch(hemisphere: str, radius_mm: float = 25.0) -> np.ndarray:
    """Vertices around the occipital pole."""
    points, _ = load_mesh(hemisphere, "pial")
    pole = points[points[:, 1].argmin()]
    near = np.flatnonzero(np.linalg.norm(points - pole, axis=1) < radius_mm)
    return near + (N_VERTICES if hemisphere == "right" else 0)


def is_grey(pixel: np.ndarray) -> bool:
    return int(np.ptp(pixel.astype(int))) < 12


def plant() -> np.ndarray:
    """Values around both occipital poles: 0.5 on the left, 0.9 on the right."""
    values = np.full(2 * N_VERTICES, np.nan)
    values[find_patch("left")] = 0.5
    values[find_patch("right")] = 0.9
    return values


SCALE = ColourScale(0.0, 1.0, "viridis", "r", 0.1)


@pytest.fixture(scope="module")
def whole() -> BrainFigure:
    return plot_brain(plant(), SCALE)


def check_planted(drawn: BrainFigure, side: str, value: float) -> np.ndarray:
    """Check the colours of planted vertices; return the pixels of vertices away from them."""
    values = plant()
    drawn.figure.canvas.draw()
    pixels = np.asarray(drawn.figure.canvas.buffer_rgba())[..., :3].astype(int)
    panel, left, top = drawn.flat[side]
    faces = load_mesh(side, "flat")[1]
    given = np.isfinite(values[:N_VERTICES] if side == "left" else values[N_VERTICES:])
    near, bare = (
        np.unique(faces[some]) for some in (given[faces].any(axis=1), ~given[faces].all(axis=1))
    )
    counts = np.bincount(faces.ravel(), minlength=N_VERTICES)
    inside = np.setdiff1d(near, bare)
    inside = inside[counts[inside] >= 5]  # not on a cut, whose edge is mixed with white

    def look(vertices: np.ndarray) -> np.ndarray:
        x, y = panel.positions[vertices].astype(int).T
        seen = (x >= 0) & (y >= 0) & (x < panel.pixels.shape[1]) & (y < panel.pixels.shape[0])
        return pixels[top + y[seen], left + x[seen]]

    expected = np.round(255 * SCALE(np.array([value]))[0])
    assert len(inside) > 50
    assert (np.abs(look(inside) - expected).max(axis=1) <= 6).mean() > 0.98
    return look(np.setdiff1d(np.unique(faces), near))


@pytest.mark.parametrize(("side", "value"), [("left", 0.5), ("right", 0.9)])
def test_planted_vertices_have_their_colour_on_the_flat_map(
    whole: BrainFigure, side: str, value: float
) -> None:
    bare = check_planted(whole, side, value)
    assert len(bare) > 5000
    assert (np.ptp(bare, axis=1) < 12).mean() > 0.99  # grey cortex


def test_crop_to_data_moves_values_along() -> None:
    drawn = plot_brain(
        plant(), SCALE, with_data=np.isfinite(plant()) & (np.arange(20_484) < 10_242)
    )
    assert set(drawn.flat) == {"left"}
    check_planted(drawn, "left", 0.5)


def test_inflated_views_show_the_occipital_pole_where_it_is() -> None:
    values = plant()
    for side, half in (("left", values[:N_VERTICES]), ("right", values[N_VERTICES:])):
        for view in ("lateral", "medial"):
            panel = draw_inflated(side, view, half, SCALE, 1.0)
            coloured = np.ptp(panel.pixels, axis=2) > 0.1
            share = np.nonzero(coloured)[1].mean() / panel.pixels.shape[1]
            # Anterior is on the left where one looks at a left hemisphere from outside.
            at_right = (side == "left") == (view == "lateral")
            assert (share > 0.8) if at_right else (share < 0.2)


@pytest.mark.parametrize("side", HEMISPHERES)
def test_flat_maps_lie_with_the_occipital_poles_towards_the_middle_and_the_crown_up(
    side: str,
) -> None:
    points, _ = load_mesh(side, "pial")

    def find_middle(seed: int) -> np.ndarray:
        near = np.linalg.norm(points - points[seed], axis=1) < 12
        values = np.where(near, 0.5, np.nan)
        panel = draw_flat(side, values, SCALE, 1.0, measure_flat(side))
        rows, columns = np.nonzero(np.ptp(panel.pixels, axis=2) > 0.1)
        return np.array([columns.mean(), rows.mean()]) / panel.pixels.shape[1::-1]

    occipital, crown = find_middle(points[:, 1].argmin()), find_middle(points[:, 2].argmax())
    frontal, temporal = find_middle(points[:, 1].argmax()), find_middle(points[:, 2].argmin())
    assert occipital[0] > 0.8 if side == "left" else occipital[0] < 0.2
    assert abs(occipital[0] - frontal[0]) > 0.6
    assert crown[1] < 0.3
    assert temporal[1] > 0.7


def test_same_bytes_again(whole: BrainFigure) -> None:
    first = encode_png(whole.figure)
    assert np.array_equal(first, encode_png(plot_brain(plant(), SCALE).figure))
    assert b"Software" not in first.tobytes()


def make_vertex_scores() -> tuple[np.ndarray, Space]:
    vertices = np.concatenate([find_patch("left"), find_patch("right")])
    return vertices, Space(kind="surface", mesh="fsaverage5", vertices=vertices)


def test_threshold_by_q_and_caption() -> None:
    vertices, space = make_vertex_scores()
    values = np.full(len(vertices), 0.4)
    q = np.where(np.arange(len(vertices)) < 100, 0.01, 0.5)
    ceiling = np.full(len(vertices), 0.62)
    scores = make_map(values, space, q=q, ceiling=ceiling, notices=(LEAK,))
    document = BrainMap(title="A <b>map</b>").run(scores)
    assert f"100 of the {len(vertices)} vertices with data" in document.html
    assert "q &lt; 0.05" in document.html
    assert "0.62" in document.html
    assert "LEAKAGE" in document.html
    assert "<b>map" not in document.html
    red = np.abs(decode(document, "brain_map.png").astype(int) - [0xB3, 0x26, 0x1E]).max(axis=2)
    assert (red < 30).sum() > 200  # the notice stands in the picture itself


def test_volume_agrees_with_nilearn() -> None:
    import nibabel
    from nilearn.surface import vol_to_surf

    from neurodecode.plotting.fsaverage5 import DEPTHS, find_files

    affine = np.diag([3.0, 3.0, 3.0, 1.0])
    affine[:3, 3] = [-90, -126, -72]
    x, y, z = np.meshgrid(*(np.arange(n) for n in (60, 72, 60)), indexing="ij")
    volume = np.sin(x / 9) + np.cos(y / 11) + z / 30
    ours = project_volume(volume, np.ones(volume.shape, bool), affine)
    files = find_files()
    theirs = vol_to_surf(
        nibabel.Nifti1Image(volume, affine),
        files["pial_left"],
        inner_mesh=files["white_left"],
        depth=[1 - d for d in DEPTHS],
    )
    # Nearest voxels against trilinear: they differ by less than half a voxel's step.
    assert np.corrcoef(ours[:N_VERTICES], theirs)[0, 1] > 0.999
    assert np.abs(ours[:N_VERTICES] - theirs).max() < 0.12


def test_masked_volume_never_mixes_in_what_is_outside() -> None:
    affine = np.diag([4.0, 4.0, 4.0, 1.0])
    affine[:3, 3] = [-90, -126, -72]
    mask = np.zeros((45, 54, 45), bool)
    mask[:, :12] = True  # the back of the head
    space = Space(kind="volume", mask=mask, affine=affine)
    found = to_vertices(np.full(mask.sum(), 0.25), space)
    assert 500 < np.isfinite(found).sum() < 10_000
    np.testing.assert_allclose(found[np.isfinite(found)], 0.25)
    points = np.concatenate([load_mesh(side, "pial")[0] for side in HEMISPHERES])
    assert points[np.isfinite(found), 1].max() < -126 + 4 * 12 + 6


def test_a_volume_beside_the_brain_is_refused() -> None:
    mask = np.ones((3, 3, 3), bool)
    space = Space(kind="volume", mask=mask, affine=np.diag([1.0, 1, 1, 1]) + 500 * np.eye(4, k=3))
    with pytest.raises(DataError, match="MNI"):
        BrainMap().run(make_map(np.ones(27), space))


@pytest.mark.parametrize(
    ("space", "words"),
    [
        (Space(kind="sensors", names=np.array(["Cz"])), "scores of sensors"),
        (Space(kind="parcels", names=np.array(["V1"])), "scores_chart"),
        (Space(kind="surface", mesh="fsaverage", vertices=np.array([1])), "Resample"),
        (Space(kind="surface", mesh="fsaverage5", vertices=np.array([20_484])), "outside"),
        (Space(kind="surface", mesh="fsaverage5", vertices=np.array([1, 2])), "1 values for 2"),
    ],
)
def test_refuses_other_spaces(space: Space, words: str) -> None:
    with pytest.raises(DataError, match=words):
        BrainMap().run(make_map(np.ones(1), space))


def test_two_sided_colours_where_values_lie_on_both_sides_of_chance() -> None:
    _, space = make_vertex_scores()
    scores = make_map(np.zeros(1), space)
    both = BrainMap()._choose_scale(scores, np.array([-0.2, 0.3, 0.1]))
    one = BrainMap()._choose_scale(scores, np.array([0.2, 0.3, 0.1]))
    assert (both.name, both.low, both.high) == ("RdBu_r", -0.3, 0.3)
    assert (one.name, one.low, one.high) == ("inferno", 0.0, 0.3)
    assert round_up(0.31) == 0.4
