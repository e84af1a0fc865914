from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from neurodecode.core.artifacts import Space
from neurodecode.core.errors import DataError
from neurodecode.numerics.volume_projection import DEPTHS
from neurodecode.plotting.brain_figure import BrainFigure, Layers, plot_brain
from neurodecode.plotting.brain_map import BrainMap
from neurodecode.plotting.brain_panels import Paint, draw_flat, draw_solid, measure_flat
from neurodecode.plotting.colours import ColourScale
from neurodecode.plotting.cortex import load_fsaverage5, project_volume
from neurodecode.plotting.figures import encode_figure, encode_png
from neurodecode.plotting.fsaverage5 import HEMISPHERES, N_VERTICES, load_mesh
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
    return plot_brain(Layers(plant()), SCALE, views=("lateral",))


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
        Layers(plant()),
        SCALE,
        shapes=("flat",),
        with_data=np.isfinite(plant()) & (np.arange(20_484) < 10_242),
    )
    assert set(drawn.flat) == {"left"}
    check_planted(drawn, "left", 0.5)


def test_inflated_views_show_the_occipital_pole_where_it_is() -> None:
    values, cortex = plant(), load_fsaverage5()
    for side, half in (("left", values[:N_VERTICES]), ("right", values[N_VERTICES:])):
        for view in ("lateral", "medial"):
            panel = draw_solid(cortex, "inflated", side, view, Paint(half, SCALE), 1.0)
            coloured = np.ptp(panel.pixels, axis=2) > 0.1
            share = np.nonzero(coloured)[1].mean() / panel.pixels.shape[1]
            # Anterior is on the left where one looks at a left hemisphere from outside.
            at_right = (side == "left") == (view == "lateral")
            assert (share > 0.8) if at_right else (share < 0.2)


@pytest.mark.parametrize("side", HEMISPHERES)
def test_flat_maps_lie_with_the_occipital_poles_towards_the_middle_and_the_crown_up(
    side: str,
) -> None:
    points, cortex = load_mesh(side, "pial")[0], load_fsaverage5()

    def find_middle(seed: int) -> np.ndarray:
        near = np.linalg.norm(points - points[seed], axis=1) < 12
        values = np.where(near, 0.5, np.nan)
        panel = draw_flat(cortex, side, Paint(values, SCALE), 1.0, measure_flat(cortex, side))
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
    again = plot_brain(Layers(plant()), SCALE, views=("lateral",)).figure
    assert np.array_equal(first, encode_png(again))
    assert b"Software" not in first.tobytes()
    drawn = encode_figure(whole.figure, "svg")
    assert drawn.tobytes().startswith(b"<?xml")
    assert np.array_equal(drawn, encode_figure(again, "svg"))
    assert b"<dc:date>" not in drawn.tobytes()


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

    from neurodecode.plotting.fsaverage5 import find_files

    affine = np.diag([3.0, 3.0, 3.0, 1.0])
    affine[:3, 3] = [-90, -126, -72]
    x, y, z = np.meshgrid(*(np.arange(n) for n in (60, 72, 60)), indexing="ij")
    volume = np.sin(x / 9) + np.cos(y / 11) + z / 30
    ours = project_volume(load_fsaverage5(), volume, np.ones(volume.shape, bool), affine)
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
    found = load_fsaverage5().place(np.full(mask.sum(), 0.25), space)
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
        (Space(kind="surface", mesh="fsaverage", vertices=np.array([1])), "mesh_files"),
        (Space(kind="surface", mesh="fsaverage5", vertices=np.array([20_484])), "outside"),
        (Space(kind="surface", mesh="fsaverage5", vertices=np.array([1, 2])), "1 values for 2"),
    ],
)
def test_refuses_other_spaces(space: Space, words: str) -> None:
    with pytest.raises(DataError, match=words):
        BrainMap().run(make_map(np.ones(1), space))


@pytest.mark.parametrize(
    ("view", "axis", "sign"),
    [("lateral", 0, -1), ("medial", 0, 1), ("dorsal", 2, 1), ("ventral", 2, -1),
     ("posterior", 1, -1), ("anterior", 1, 1)],
)  # fmt: skip
@pytest.mark.parametrize("side", HEMISPHERES)
def test_each_view_shows_the_side_it_is_named_after(
    view: str, axis: int, sign: int, side: str
) -> None:
    cortex = load_fsaverage5()
    points, _ = cortex.meshes[side, "pial"]
    if axis == 0 and side == "right":
        sign = -sign
    seed = (sign * points[:, axis]).argmax()
    for near, seen in ((seed, True), ((-sign * points[:, axis]).argmax(), False)):
        patch = np.linalg.norm(points - points[near], axis=1) < 9
        paint = Paint(np.where(patch, 0.5, np.nan), SCALE)
        coloured = np.ptp(draw_solid(cortex, "pial", side, view, paint, 1.0).pixels, axis=2) > 0.1
        assert coloured.any() == seen


def test_front_is_up_from_above_and_below_where_the_sides_change_place() -> None:
    cortex = load_fsaverage5()
    for view, outward in (("dorsal", -1), ("ventral", 1)):
        panel = draw_solid(cortex, "pial", "left", view, Paint(plant()[:N_VERTICES], SCALE), 1.0)
        points, _ = cortex.meshes["left", "pial"]
        assert np.corrcoef(panel.positions[:, 1], points[:, 1])[0, 1] < -0.99
        # the outside of the left hemisphere, at low x
        assert np.corrcoef(panel.positions[:, 0], points[:, 0])[0, 1] * -outward > 0.99


def test_all_views_and_shapes_are_on_the_figure_and_regions_on_all_of_them() -> None:
    region = np.zeros(2 * N_VERTICES, bool)
    region[find_patch("left")] = True
    views = ("posterior", "ventral")
    bare = np.full(2 * N_VERTICES, np.nan)
    with_line, without = (
        plot_brain(Layers(bare, outlines=o), SCALE, shapes=("pial", "white"), views=views)
        for o in ({"V1": region}, {})
    )
    expected = {(s, h, v) for s in ("pial", "white") for h in HEMISPHERES for v in views}
    assert set(with_line.solid) == expected
    pictures = []
    for drawn in (with_line, without):
        drawn.figure.canvas.draw()
        pictures.append(np.asarray(drawn.figure.canvas.buffer_rgba())[..., :3].astype(int))
    for key, (panel, left, top) in with_line.solid.items():
        rows, columns = panel.pixels.shape[:2]
        box = slice(top, top + rows), slice(left, left + columns)
        differs = (pictures[0][box] != pictures[1][box]).any()
        assert differs == (key[1] == "left"), key


def test_below_the_threshold_values_fade_by_the_square_of_their_nearness() -> None:
    """Taylor et al. 2023: opacity (value / threshold)²; an outline where it is reached."""
    vertices, space = make_vertex_scores()
    values = np.full(len(vertices), 0.8)
    values[vertices >= N_VERTICES] = 0.2
    document = BrainMap(
        value_threshold=0.4, limits=(0.0, 1.0), surfaces=("flat",), colours="viridis"
    ).run(make_map(values, space))
    pixels = decode(document, "brain_map.png").astype(float)
    passing = np.rint(255 * SCALE(np.array([0.8]))[0])
    assert (np.abs(pixels - passing).max(axis=2) <= 3).sum() > 2000
    # gyri and sulci, each mixed with a quarter of the colour: (0.2 / 0.4)²
    colour = 255 * SCALE(np.array([0.2]))[0]
    for grey in (0.86, 0.70):
        mixed = 0.25 * colour + 0.75 * 255 * grey
        assert (np.abs(pixels - mixed).max(axis=2) <= 3).sum() > 300
    assert "fading with the square" in document.html
    hidden = BrainMap(value_threshold=0.4, below_threshold="hide", surfaces=("flat",)).run(
        make_map(values, space)
    )
    assert "Shown where |r| ≥ 0.4" in hidden.html


def write_meshes(
    folder: Path, shapes: tuple[str, ...] = ("inflated",)
) -> dict[str, dict[str, str]]:
    """Write an octahedron per hemisphere, of 6 vertices each, as a lab's own meshes."""
    import nibabel

    points = 30 * np.array(
        [[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], np.float32
    )
    faces = np.array([[x, y, z] for x in (0, 1) for y in (2, 3) for z in (4, 5)], np.int32)
    named: dict[str, dict[str, str]] = {}
    for side, shift in (("left", -40), ("right", 40)):
        for shape in shapes:
            placed = np.add(points, [shift, 0, 0], dtype=np.float32)
            kinds = {"NIFTI_INTENT_POINTSET": placed, "NIFTI_INTENT_TRIANGLE": faces}
            arrays = [nibabel.gifti.GiftiDataArray(a, intent) for intent, a in kinds.items()]
            path = folder / f"{side}_{shape}.surf.gii"
            nibabel.save(nibabel.gifti.GiftiImage(darrays=arrays), path)
            named.setdefault(side, {})[shape] = str(path)
    return named


def test_meshes_of_ones_own(tmp_path: Path) -> None:
    files = write_meshes(tmp_path)
    space = Space(kind="surface", mesh="sub-01", vertices=np.arange(12))
    scores = make_map(np.linspace(0.1, 0.9, 12), space)
    stage = BrainMap(mesh_files=files, surfaces=("inflated",), views=("lateral", "dorsal"))
    document = stage.run(scores)
    assert "meshes given as files" in document.html
    assert "12 of the 12 vertices" in document.html
    assert (np.ptp(decode(document, "brain_map.png"), axis=2) > 60).sum() > 5000
    assert {str(p) for p in stage.sources()} == {p for s in files.values() for p in s.values()}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f.pop("right"), "no shape of the right hemisphere"),
        (lambda f: f["left"].update(infl="x"), "Unknown shape 'infl'"),
        (lambda f: f["left"].update(inflated="nowhere.gii"), "is not there"),
        (
            lambda f: f["left"].update(curvature=f["left"]["inflated"]),
            "one value for each of the 6",
        ),
        (lambda f: f["left"].update(pial=f["bad"]["file"]), "cannot be read as GIFTI"),
    ],
)
def test_meshes_that_do_not_fit_are_refused(
    change: Callable[[dict[str, dict[str, str]]], None], words: str, tmp_path: Path
) -> None:
    files = write_meshes(tmp_path)
    (tmp_path / "bad.gii").write_text("<GIFTI")
    files["bad"] = {"file": str(tmp_path / "bad.gii")}
    change(files)
    files.pop("bad")
    space = Space(kind="surface", mesh="sub-01", vertices=np.arange(12))
    with pytest.raises(DataError, match=words):
        BrainMap(mesh_files=files, surfaces=("inflated",)).run(make_map(np.ones(12), space))


def test_a_shape_that_the_mesh_lacks_is_refused(tmp_path: Path) -> None:
    space = Space(kind="surface", mesh="sub-01", vertices=np.arange(12))
    with pytest.raises(DataError, match="no flat surface"):
        BrainMap(mesh_files=write_meshes(tmp_path)).run(make_map(np.ones(12), space))
