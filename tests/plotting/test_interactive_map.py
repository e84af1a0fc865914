"""The interactive maps, opened in headless Chromium with the network off."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from neurodecode.core.artifacts import Document, Scores, Space
from neurodecode.core.errors import DataError
from neurodecode.plotting.colours import list_colours
from neurodecode.plotting.cortex import load_fsaverage5
from neurodecode.plotting.interactive_map import InteractiveMap
from neurodecode.plotting.viewer_surface import find_rows_in
from tests.plotting.browser import Browser
from tests.plotting.plotting_data import LEAK, make_map

N_LEFT = 10_242
POINT = """
    const send = (type, element, x, y) => element.dispatchEvent(new PointerEvent(type, {
      clientX: x, clientY: y, bubbles: true, pointerId: 1}));
    const text = (id) => document.getElementById(id).textContent;
"""
ON_BRAIN = (
    POINT
    + """
    const brain = document.getElementById("brain"), box = brain.getBoundingClientRect();
    const place = (vertex) => {
      const [x, y] = brainMap.screenOf(vertex);
      return [box.left + x, box.top + y];
    };
"""
)


def plant() -> Scores:
    """Every vertex of the cortex with a value and a q of its own; regions about both poles."""
    cortex = load_fsaverage5()
    rng = np.random.default_rng(0)
    pial = np.concatenate([cortex.meshes[side, "pial"][0] for side in ("left", "right")])
    vertices = np.flatnonzero(~cortex.find_off_map())
    values = 0.5 + pial[vertices, 1] / 300 + rng.normal(scale=0.01, size=len(vertices))
    q = np.where(pial[vertices, 2] > 0, 0.01, 0.2) * rng.uniform(0.5, 1, len(vertices))
    rois = {"V1 & <more>": pial[vertices, 1] < -80, "front": pial[vertices, 1] > 50}
    space = Space(kind="surface", mesh="fsaverage5", vertices=vertices, rois=rois)
    return make_map(values, space, q=q, notices=(LEAK,))


@pytest.fixture(scope="module")
def scores() -> Scores:
    return plant()


@pytest.fixture(scope="module")
def document(scores: Scores) -> Document:
    return InteractiveMap(title="Planted </title>", limits=(0.0, 1.0)).run(scores)


@pytest.fixture(scope="module")
def brain(document: Document, tmp_path_factory: pytest.TempPathFactory) -> Browser:
    return Browser(document.html, tmp_path_factory.mktemp("brain"))


def compute_normals() -> np.ndarray:
    """Return the outward normals of both inflated hemispheres, from their triangles."""
    cortex, found = load_fsaverage5(), []
    for side in ("left", "right"):
        points, faces = cortex.meshes[side, "inflated"]
        a, b, c = (points[faces[:, k]] for k in range(3))
        normals = np.zeros_like(points)
        for k in range(3):
            np.add.at(normals, faces[:, k], np.cross(b - a, c - a))
        found.append(normals / np.linalg.norm(normals, axis=1, keepdims=True))
    return np.concatenate(found)


def format_number(value: float) -> str:
    """Return a number as the page writes it: four digits, trailing zeros kept."""
    return f"{np.float32(value):#.4g}"


def test_one_file_that_loads_nothing(document: Document) -> None:
    assert document.is_report
    assert len(document.html.encode()) < 3e6
    assert not re.search(r"https?://|<link|src=|@import|fetch\(|XMLHttpRequest", document.html)
    assert "default-src 'none'" in document.html
    assert "</title>" in document.html
    assert "Planted </title>" not in document.html
    assert "LEAKAGE" in document.html


def test_it_draws_planted_colours(brain: Browser, scores: Scores) -> None:
    """Flat, where light changes nothing: what passes has its own colour, what does not is faded."""
    vertices = np.asarray(scores.space.vertices)
    chosen = np.random.default_rng(1).choice(len(vertices), 400, replace=False)
    flat = "brainMap.setShape(3); brainMap.draw();"
    places = brain.ask(
        f"{ON_BRAIN}{flat} answer = {json.dumps(vertices[chosen].tolist())}.map(place)"
    )
    # without outlines, whose lines have a colour of their own
    seen = brain.photograph(
        f"document.getElementById('outlines').click(); document.getElementById('labels').click();"
        f"document.getElementById('fade').click(); {flat}"
    ).astype(int)
    x, y = np.floor(places).astype(int).T
    found = seen[y, x]
    passes = np.asarray(scores.q)[chosen] < 0.05
    shares = np.clip((np.asarray(scores.values)[chosen] * 256).astype(int), 0, 255)
    expected = np.rint(255 * list_colours("inferno")[shares])
    # a pixel lies up to half a pixel beside its vertex, whose neighbours have other values
    assert (np.abs(found - expected).max(axis=1)[passes] < 14).mean() > 0.9
    grey = np.ptp(found, axis=1) < 6
    assert grey[~passes].mean() > 0.9
    assert grey[passes].mean() < 0.1


def test_a_drag_turns_it(brain: Browser) -> None:
    drag = """
      const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
      send("pointerdown", brain, x, y); send("pointermove", brain, x + 60, y + 10);
      send("pointermove", brain, x + 120, y + 20); send("pointerup", brain, x + 120, y + 20);
      brainMap.draw();
    """
    before, after, moved = brain.ask(f"""{ON_BRAIN}
      brainMap.turnTo("posterior");
      const start = {{...brainMap.view}}, from = brainMap.pick(box.width / 2, box.height / 2);
      const pole = from ? from.vertex : 0, was = place(pole);
      {drag} answer = [start, {{...brainMap.view}}, place(pole)[0] - was[0]]
    """)
    assert after["azimuth"] == before["azimuth"] - 60
    assert after["elevation"] == before["elevation"] + 10
    assert moved > 20, "what lies under the pointer goes with it"
    still, turned = brain.photograph("brainMap.draw()"), brain.photograph(ON_BRAIN + drag)
    on_stage = slice(60, 540), slice(0, 760)
    differs = np.abs(still[on_stage].astype(int) - turned[on_stage]).max(axis=2) > 20
    assert differs.mean() > 0.05
    assert (np.ptp(still[on_stage], axis=2) > 60).mean() > 0.05, "it is not blank"


def test_the_value_under_the_pointer_is_the_one_put_in(brain: Browser, scores: Scores) -> None:
    vertices, values = np.asarray(scores.space.vertices), np.asarray(scores.values)
    some = np.random.default_rng(2).choice(2 * N_LEFT, 300, replace=False).tolist()
    views = ["left lateral", "right medial", "dorsal"]
    viewers = [[-1, 0, 0], [-1, 0, 0], [0, 0, 1]]
    asked = brain.ask(f"""{ON_BRAIN}
      answer = {views}.map((view) => {{
        brainMap.turnTo(view);
        return {some}.map((v) => {{
          const [x, y] = place(v), found = brainMap.pick(x - box.left, y - box.top);
          send("pointermove", brain, x, y);
          return [v, found && found.vertex, text("value"), text("details"), text("where")];
        }});
      }});
    """)
    for view, viewer, read in zip(views, viewers, asked, strict=True):
        assert sum(row[0] == row[1] for row in read) > 40
        seen = np.array([row[1] for row in read if row[1] is not None])
        facing = compute_normals()[seen] @ viewer
        assert (facing > -0.2).mean() > 0.98, "the near side is read"
        if view != "dorsal":  # a rim of the other hemisphere may be seen beyond this one
            assert ((seen < N_LEFT) == (view == "left lateral")).mean() > 0.95
        # vertices of the far side are not read through the near one
        assert sum(row[1] is not None and row[0] != row[1] for row in read) > 40
        for _, picked, value, details, where in [row for row in read if row[1] is not None]:
            side = "left" if picked < N_LEFT else "right"
            assert where.startswith(f"{side} hemisphere, vertex {picked % N_LEFT}")
            at = np.flatnonzero(vertices == picked)
            if not len(at):
                assert value == "no value"
                continue
            assert value == format_number(values[at[0]])
            assert ("below the threshold" in details) == (np.asarray(scores.q)[at[0]] >= 0.05)
            named = [name for name, roi in scores.space.rois.items() if roi[at[0]]]
            assert where.split(" · ")[1:] == ([", ".join(named)] if named else [])


def test_thresholds_keys_and_buttons(brain: Browser, scores: Scores) -> None:
    counts, views, read, zoom, shape = brain.ask(f"""{ON_BRAIN}
      const move = (id, value) => {{ const it = document.getElementById(id); it.value = value;
        it.dispatchEvent(new Event("input")); return text("count"); }};
      const counts = [text("count"), move("q", 2), move("q", 0), text("q-text"),
        move("least", 150)];
      const press = (key) => brain.dispatchEvent(new KeyboardEvent("keydown", {{key}}));
      const click = (name) => [...document.querySelectorAll("button")].find(
        (b) => b.textContent === name).click();
      click("left medial"); const medial = brainMap.view.which;
      press("ArrowLeft"); press("Enter"); const seen = text("where");
      press("+"); const near = brainMap.view.zoom;
      press("Home"); click("flat"); press("[");
      answer = [counts, [medial, brainMap.view.which], seen, near, brainMap.view.shape]
    """)
    # as the stage counts them
    q, values = np.asarray(scores.q), np.asarray(scores.values)
    n = f"{len(q):,}"
    assert counts[0] == f"{(q < 0.05).sum():,} of {n} vertices pass"
    assert counts[1] == f"{(q < 0.01).sum():,} of {n} vertices pass"
    assert counts[2:4] == [f"{n} of {n} vertices pass", "none"]
    least = float(f"{np.abs(values).max() * 0.75:.3g}")
    assert counts[4] == f"{(np.abs(values) >= least).sum():,} of {n} vertices pass"
    assert views == ["left", "both"]
    assert read.startswith("left hemisphere, vertex")
    assert zoom == pytest.approx(1.2)
    assert shape == pytest.approx(2.9)


def test_without_webgl_it_says_so(brain: Browser) -> None:
    told, there = brain.ask(
        f"{POINT} answer = [text('fallback'), Boolean(window.brainMap)]", "--disable-3d-apis"
    )
    assert "WebGL 2" in told
    assert "brain_map" in told
    assert not there


# ------------------------------------------------------------------------------- slices


def make_volume(shape: tuple[int, ...], affine: np.ndarray, holes: bool = True) -> Scores:
    rng = np.random.default_rng(3)
    mask = rng.uniform(size=shape) < 0.7 if holes else np.ones(shape, bool)
    values = rng.uniform(0.1, 0.9, int(mask.sum()))
    space = Space(kind="volume", mask=mask, affine=affine, rois={"half": values > 0.5})
    return make_map(values, space, q=rng.uniform(0, 0.1, len(values)))


# The first axis runs to the left, the last two are exchanged.
TURNED = np.array([[-3.0, 0, 0, 20], [0, 0, 2.5, -30], [0, 4.0, 0, 10], [0, 0, 0, 1]])


@pytest.mark.parametrize(
    ("shape", "affine", "planes"),
    [
        ((9, 7, 8), TURNED, ["sagittal", "coronal", "axial"]),
        ((12, 10, 1), np.diag([3.5, 3.5, 3.5, 1.0]), ["axial"]),
    ],
)
def test_slices_read_the_value_that_was_put_in(
    shape: tuple[int, ...], affine: np.ndarray, planes: list[str], tmp_path: Path
) -> None:
    scores = make_volume(shape, affine)
    page = InteractiveMap().run(scores)
    mask, values = np.asarray(scores.space.mask), np.asarray(scores.values)
    number = np.full(shape, -1)
    number[mask] = np.arange(len(values))
    seen, shown, to_original = Browser(page.html, tmp_path).ask(f"""{POINT}
      const planes = ["sagittal", "coronal", "axial"].filter(
        (name) => document.getElementById(name).offsetParent);
      const read = [], shape = DATA.shape;
      for (const name of planes) for (let n = 0; n < 40; n++) {{
        const at = shape.map((s, k) => Math.floor(n * (k + 1.7) * 1.3 + k) % s);
        sliceMap.moveTo(at);
        sliceMap.drawAll();
        const [x, y] = sliceMap.screenOf(name, at);
        send("pointermove", document.getElementById(name), x, y);
        read.push([text("value"), text("where"), at, name, x, y]);
      }}
      answer = [read, planes, DATA.to_original];
    """)
    assert shown == planes
    assert len(seen) == 40 * len(planes)
    inside = 0
    spots: dict[str, list[list[float]]] = {name: [] for name in planes}
    for value, where, at, plane, x, y in seen:
        place = tuple(int(n) for n in re.match(r"voxel \(([^)]*)\)", where)[1].split(","))  # type: ignore[index]
        told = [float(n) for n in re.search(r"\), (.*?) mm", where)[1].split(",")]  # type: ignore[index]
        np.testing.assert_allclose(told, affine[:3] @ [*place, 1], atol=0.051)
        assert (np.array(to_original) @ [*at, 1]).tolist() == list(place), "where it was pointed at"
        spots[plane].append([x, y, *told])
        if number[place] < 0:
            assert value == "outside the mask"
            continue
        inside += 1
        assert value == format_number(values[number[place]])
        assert ("half" in where) == (values[number[place]] > 0.5)
    assert inside > 20 * len(planes)
    for plane, rows in spots.items():
        x, y, *mm = np.array(rows).T
        right, up = {"sagittal": (1, 2), "coronal": (0, 2), "axial": (0, 1)}[plane]
        assert np.corrcoef(x, mm[right])[0, 1] > 0.999, "the right of the head is on the right"
        assert np.corrcoef(y, mm[up])[0, 1] < -0.999, "its top is at the top"


def test_slices_have_planted_colours(tmp_path: Path) -> None:
    scores = make_volume((9, 7, 8), TURNED, holes=False)
    browser = Browser(
        InteractiveMap(limits=(0.0, 1.0), q_threshold=None).run(scores).html, tmp_path
    )
    quiet = "document.getElementById('outlines').click(); sliceMap.drawAll();"
    grid = [[i, j, k] for i in (1, 6) for j in (2, 5) for k in (0, 4)]
    places, original = browser.ask(f"""
      const dot = (m, i) => m.map((r) => r[0] * i[0] + r[1] * i[1] + r[2] * i[2] + r[3]);
      answer = [[], []];
      for (const at of {grid}) {{
        const shown = [at[0], at[1], sliceMap.cross[2]];
        const [x, y] = sliceMap.screenOf("axial", shown);
        answer[0].push([x + 5, y + 5]); answer[1].push(dot(DATA.to_original, shown));
      }}""")
    seen = browser.photograph(quiet).astype(int)
    volume = np.asarray(scores.values).reshape(9, 7, 8)
    for (x, y), place in zip(places, original, strict=True):
        colour = np.rint(255 * list_colours("inferno")[int(volume[tuple(place)] * 256)])
        assert np.abs(seen[int(y), int(x)] - colour).max() <= 3


def test_a_whole_brain_at_three_millimetres_stays_small() -> None:
    from neurodecode.plotting.volume_background import load_template

    affine = np.diag([3.0, 3.0, 3.0, 1.0])
    affine[:3, 3] = [-90, -126, -72]
    places = np.argwhere(np.ones((61, 73, 61), bool)) @ affine[:3, :3] + affine[:3, 3]
    template = load_template()
    at = np.rint((places - template.affine[:3, 3]) / 2).astype(int)
    at = np.clip(at, 0, np.array(template.data.shape) - 1)
    mask = (template.data[tuple(at.T)] > 0).reshape(61, 73, 61)
    scores = make_map(np.linspace(0, 1, mask.sum()), Space(kind="volume", mask=mask, affine=affine))
    document = InteractiveMap().run(scores)
    assert mask.sum() > 50_000
    assert len(document.html.encode()) < 3e6
    assert "MNI152 template" in document.html


def test_faces_are_found_whatever_corner_they_start_with() -> None:
    faces = np.array([[0, 1, 2], [3, 4, 5], [6, 7, 8]])
    assert find_rows_in(faces, np.array([[5, 3, 4], [2, 0, 1]])).tolist() == [True, True, False]


def test_what_cannot_be_shown_is_refused() -> None:
    sensors = Space(kind="sensors", names=np.array(["Cz"]))
    with pytest.raises(DataError, match="sensors"):
        InteractiveMap().run(make_map(np.ones(1), sensors))
    volume = make_volume((4, 4, 4), np.eye(4))
    with pytest.raises(DataError, match="Unknown region"):
        InteractiveMap(rois=("V9",)).run(volume)
    with pytest.raises(DataError, match="no responses are given"):
        InteractiveMap(background="mean").run(volume)
