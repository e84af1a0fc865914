"""neurodecode plot and neurodecode export --bids, as a user runs them."""

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from neurodecode.cli.commands import app
from neurodecode.cli.export_bids import write_bids
from neurodecode.cli.plot import read_threshold
from neurodecode.core.artifacts import Scores, Space
from neurodecode.core.errors import UserError
from neurodecode.core.store import Store, read_outputs_of
from neurodecode.core.tables import Table

STEPS = """
title: Blocks
steps:
  digits: {stage: datasets.digits, n_items: 30}
  scan: {stage: datasets.simulated, stimuli: digits, n_vertices: 60, n_repeats: 2, n_runs: 2,
         subject: "07"}
  split: {stage: evaluation.split, responses: scan, by: stimulus, n_folds: 2}
  pixels: {stage: features.pixels, stimuli: digits, size_px: 4}
  encoded: {stage: encoding.ridge, features: pixels, responses: scan, split: split, alphas: [10]}
  scores: {stage: evaluation.encoding, predictions: encoded, responses: scan,
           ceiling: scan.ceiling, metric: r2, n_permutations: 20, n_bootstrap: 20}
  map: {stage: plotting.interactive_map, scores: scores}
"""
SUMMARY = Table(
    {"name": ["all"], "value": [0.2], "low": [float("nan")], "high": [0.3], "chance": [0], "n": [9]}
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("user")
    (folder / "file.yaml").write_text(STEPS)
    done = CliRunner().invoke(
        app,
        ["run", str(folder / "file.yaml"), "--cache", str(folder / "cache"),
         "--out", str(folder / "results")],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    return folder


def run(folder: Path, command: str, *arguments: str) -> Result:
    file, cache = str(folder / "file.yaml"), ["--cache", str(folder / "cache")]
    return CliRunner().invoke(app, [command, file, *arguments, *cache])


def test_the_interactive_map_of_a_pipeline_is_written_beside_its_report(folder: Path) -> None:
    page = folder / "results" / "file_map.html"
    assert "window.brainMap" in page.read_text()


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (["--view", "flat", "--threshold", "q<0.5"], "scores_flat.png"),
        (["--view", "inflated", "--divide-by-ceiling", "--ceiling-min", "0.01", "--hide"],
         "scores_inflated.png"),
        (["--view", "html"], "scores_map.html"),
    ],
)  # fmt: skip
def test_a_step_becomes_a_picture_whose_path_is_printed(
    folder: Path, tmp_path: Path, options: list[str], name: str
) -> None:
    done = run(folder, "plot", "scores", *options, "--out", str(tmp_path))
    assert done.exit_code == 0, done.output
    path = tmp_path / name
    assert done.output.strip().replace("\n", "") == str(path)
    if name.endswith("png"):
        pixels = np.asarray(Image.open(path).convert("RGB"))
        assert (np.ptp(pixels, axis=2) > 60).sum() > 200
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_a_result_file_is_plotted_without_its_pipeline(folder: Path, tmp_path: Path) -> None:
    result = next((folder / "cache" / "evaluation.encoding").glob("*.h5"))
    out = tmp_path / "mine.svg"
    done = CliRunner().invoke(app, ["plot", str(result), "--view", "flat", "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert out.read_text().startswith("<?xml")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["scores", "--view", "glas"], "Did you mean 'glass'"),
        (["scores", "--view", "slices"], "lie on a surface"),
        (["scores", "--threshold", "p<0.05"], "p is not corrected"),
        (["scores", "--out", "map.jpg"], "ends in '.jpg'"),
        (["scores", "--cut", "w=3"], "is no cut"),
        (["scores", "--cut", "z=3", "--view", "flat"], "it is for slices"),
        (["encoded"], "no scores of voxels"),
        ([], "Name a step"),
    ],
)
def test_mistakes_are_told(folder: Path, arguments: list[str], words: str) -> None:
    done = run(folder, "plot", *arguments)
    assert isinstance(done.exception, UserError)
    assert words in str(done.exception)


@pytest.mark.parametrize("text", ["q>0.05", "value<1", "q<2", "q<0", "r>0.1", "q<", "q<1e", ""])
def test_thresholds_that_mean_nothing(text: str) -> None:
    with pytest.raises(UserError, match="is no threshold"):
        read_threshold(text)


def test_slices_of_a_volume_on_an_anatomy_cut_where_asked(tmp_path: Path) -> None:
    mask = np.ones((8, 8, 6), bool)
    space = Space(kind="volume", mask=mask, affine=np.diag([3.0, 3.0, 3.0, 1.0]))
    scores = Scores(
        values=np.linspace(0, 1, mask.size), over="voxels", space=space, metric="correlation",
        scale="r", summary=SUMMARY,
    )  # fmt: skip
    card = Store(tmp_path / "cache").write("evaluation.example", "key", {"scores": scores}, {})
    t1w = tmp_path / "T1w.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.ones((24, 24, 18), np.float32), np.eye(4)), t1w)
    sizes = []
    for cut in ("z=3", "z=3,6,9"):
        out = tmp_path / f"{len(sizes)}.png"
        options = ["--view", "slices", "--cut", cut, "--anatomy", str(t1w), "--out", str(out)]
        done = CliRunner().invoke(app, ["plot", str(card["path"]), *options])
        assert done.exit_code == 0, done.output
        pixels = np.asarray(Image.open(out).convert("RGB")).astype(int)[:-204]
        columns = (np.ptp(pixels, axis=2) > 60).any(axis=0)
        sizes.append(int((np.diff(columns.astype(int)) == 1).sum()))
    assert sizes == [1, 3]


# -------------------------------------------------------------------------------- BIDS


def test_maps_of_a_surface_have_bids_names_and_hold_the_values(
    folder: Path, tmp_path: Path
) -> None:
    done = run(folder, "export", "scores", str(tmp_path), "--bids", "--entity", "task=digits")
    assert done.exit_code == 0, done.output
    func = tmp_path / "sub-07" / "func"
    stem = "sub-07_task-digits_hemi-{}_space-fsaverage5_stat-{}_desc-{}_statmap"
    names = {p.name for p in func.iterdir()}
    assert names == {
        stem.format(hemi, stat, desc) + suffix
        for hemi in "LR"
        for stat, desc in [(s, "scores") for s in ("r2", "p", "q")] + [("r2", "scoresCeiling")]
        for suffix in (".func.gii", ".json")
    }  # fmt: skip
    path = next((folder / "cache" / "evaluation.encoding").glob("*.h5"))
    scores = read_outputs_of(path)["scores"]
    assert isinstance(scores, Scores)
    halves = [nibabel.load(func / f"{stem.format(h, 'r2', 'scores')}.func.gii") for h in "LR"]
    whole = np.concatenate([half.darrays[0].data for half in halves])
    vertices = np.asarray(scores.space.vertices)
    np.testing.assert_array_equal(whole[vertices], np.asarray(scores.values, np.float32))
    assert np.isnan(np.delete(whole, vertices)).all()
    assert [half.meta["AnatomicalStructurePrimary"] for half in halves] == [
        "CortexLeft", "CortexRight",
    ]  # fmt: skip
    about = json.loads((func / f"{stem.format('L', 'r2', 'scores')}.json").read_text())
    assert about["Scale"] == "r2"
    assert about["GeneratedBy"][0]["Stage"] == "evaluation.encoding"
    assert about["GeneratedBy"][0]["Settings"]["n_permutations"] == 20
    assert not any("space of the volume" in notice for notice in about["Notices"])
    described = json.loads((tmp_path / "dataset_description.json").read_text())
    assert described["DatasetType"] == "derivative"


def make_volume() -> Scores:
    mask = np.random.default_rng(0).uniform(size=(5, 4, 3)) < 0.5
    affine = np.diag([3.0, 3.0, 4.0, 1.0])
    affine[:3, 3] = [1, 2, 3]
    space = Space(kind="volume", mask=mask, affine=affine)
    values = np.arange(mask.sum(), dtype=float)
    return Scores(
        values=values, over="voxels", space=space, metric="correlation", scale="r", summary=SUMMARY
    )


def test_maps_of_a_volume(tmp_path: Path) -> None:
    scores = make_volume()
    entities = {"sub": "01", "ses": "b", "task": "movie"}
    card = {"label": "clip_scores", "settings": {"seed": 0}}
    paths = write_bids(scores, tmp_path, entities, card, "clip_scores")
    name = "sub-01_ses-b_task-movie_stat-r_desc-clipscores_statmap"
    assert paths[1] == tmp_path / "sub-01" / "ses-b" / "func" / f"{name}.nii.gz"
    image = nibabel.load(paths[1])
    mask = np.asarray(scores.space.mask)
    np.testing.assert_array_equal(np.asarray(image.dataobj)[mask], scores.values)
    np.testing.assert_array_equal(image.affine, scores.space.affine)
    about = json.loads(paths[2].read_text())
    assert "space of the volume is not known" in about["Notices"][-1]
    assert about["Summary"][0]["low"] is None
    named = write_bids(scores, tmp_path, {**entities, "space": "T1w"}, card, "clip_scores")
    assert "_space-T1w_stat-r_" in named[0].name
    assert json.loads(named[1].read_text())["Notices"] == []


def test_densities_are_written_apart_as_bids_does(tmp_path: Path) -> None:
    space = Space(kind="surface", mesh="fsLR32k", vertices=np.array([0, 32_492]))
    values = np.array([1.0, 2.0])
    scores = Scores(
        values=values, over="voxels", space=space, metric="R²", scale="r2", summary=SUMMARY
    )
    paths = write_bids(scores, tmp_path, {"sub": "01", "space": "fsLR"}, {}, "scores")
    left, right = (nibabel.load(p) for p in paths if p.suffix == ".gii")
    assert paths[1].name == "sub-01_hemi-L_space-fsLR_den-32k_stat-r2_desc-scores_statmap.func.gii"
    assert (left.darrays[0].data[0], right.darrays[0].data[0]) == (1, 2)


def test_what_bids_does_not_take_is_refused(folder: Path, tmp_path: Path) -> None:
    for entity, words in (("foo=1", "Unknown entity"), ("task=a_b", "letters and digits")):
        done = run(folder, "export", "scores", str(tmp_path), "--bids", "--entity", entity)
        assert words in str(done.exception)
    done = run(folder, "export", "encoded", str(tmp_path), "--bids")
    assert "holds no scores" in str(done.exception)
    scores = make_volume()
    with pytest.raises(UserError, match="--entity sub=01"):
        write_bids(scores, tmp_path, {}, {}, "scores")
    (tmp_path / "dataset_description.json").write_text('{"Name": "raw", "DatasetType": "raw"}')
    with pytest.raises(UserError, match="derivatives"):
        write_bids(scores, tmp_path, {"sub": "01"}, {}, "scores")
    (tmp_path / "dataset_description.json").write_text("[]")
    with pytest.raises(UserError, match="no JSON object"):
        write_bids(scores, tmp_path, {"sub": "01"}, {}, "scores")
