"""From an fMRIPrep folder to report and maps, by one command and the file that it writes."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from neurodecode.cli.commands import app
from neurodecode.core.errors import UserError
from neurodecode.core.pipeline import load_pipeline
from tests.datasets.fmriprep_folder import DERIVATIVE, build_folder, build_from_haxby

FILE = "encode_sub-01.yaml"


def call(folder: Path, *more: str) -> Result:
    options = ["--bold", str(folder / DERIVATIVE), "--subject", "01", "--events", str(folder)]
    places = ["--cache", str(folder / "cache"), "--out", str(folder / "results")]
    file = [] if "--file" in more else ["--file", str(folder / FILE)]
    return CliRunner().invoke(app, ["fit-encoder", *options, *places, *file, *more])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    build_folder(folder)
    return folder


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        ([], ["conditions_scans: {stage: alignment.hrf", "by: trial_type", "by: run, leave_one_out",
              "encoded: {stage: encoding.ridge"]),
        (["--features", "pixels,gabor"],
         ["stimuli: {stage: datasets.images", "by: null", "encoding.banded_ridge",
          "{onset: onset_scans, luminance: luminance_scans, pixels: pixels_scans, gabor: "]),
        (["--features", "pixels", "--nuisance", "none", "--hrf", "learned"],
         ["model: none", "delays: [1, 2, 3, 4, 5]", "features: pixels_scans"]),
        (["--split", "block"], ["by: block, n_folds: 5, purge: 8", "allow_transductive: "]),
        (["--smooth", "6"], ["smoothed: {stage: preprocessing.smooth", "responses: smoothed"]),
        (["--features", "features.pixels"], ["pixels: {stage: \"features.pixels\", stimuli"]),
    ],
)  # fmt: skip
def test_the_file_says_what_was_asked_for(
    folder: Path, tmp_path: Path, options: list[str], lines: list[str]
) -> None:
    file = tmp_path / "mine.yaml"
    stimuli = ["--stimuli", str(folder / "stimuli")]
    done = call(folder, "--write-only", "--file", str(file), *stimuli, *options)
    assert done.exit_code == 0, done.exception
    text = file.read_text(encoding="utf-8")
    for line in lines:
        assert line in text
    graph = load_pipeline(file)  # every stage, setting and input is there
    assert graph.title == "Encoding model of subject 01"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--features", "gabr"], "no features 'gabr'. Did you mean 'gabor'"),
        (["--features", "gabor"], "'gabor' describes images, but no folder of them is named"),
        (["--features", "conditions", "--nuisance", "onset"], "'onset' is the sum of the"),
        (["--features", "conditions,conditions"], "'conditions' is there twice"),
        (["--run", "7"], "Known: "),
        (["--run", "1", "--session", "01", "--split", "run"], "1 run was found"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_written(
    folder: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    file = tmp_path / "mine.yaml"
    done = call(folder, "--file", str(file), *options)
    assert isinstance(done.exception, UserError)
    assert message in str(done.exception)
    assert not file.exists()


def test_a_file_that_was_edited_is_not_overwritten(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    assert call(folder, "--write-only", "--file", str(file)).exit_code == 0
    assert call(folder, "--write-only", "--file", str(file)).exit_code == 0
    edited = file.read_text(encoding="utf-8").replace("seed: 0", "seed: 1")
    file.write_text(edited, encoding="utf-8")
    done = call(folder, "--write-only", "--file", str(file))
    assert "is there already, and differs" in str(done.exception)
    assert file.read_text(encoding="utf-8") == edited


def test_one_command_gives_report_and_maps(folder: Path) -> None:
    done = call(folder, "--confounds", "motion")
    assert done.exit_code == 0, done.output
    results = folder / "results"
    assert (results / "encode_sub-01_report.html").stat().st_size > 10_000
    assert (results / "encode_sub-01_turning.html").is_file()
    maps = results / "encode_sub-01_maps/sub-01/func"
    names = {path.name for path in maps.glob("*_space-T1w_*")}
    assert "sub-01_task-view_space-T1w_stat-r_desc-scores_statmap.nii.gz" in names
    again = call(folder, "--confounds", "motion")
    assert "0 computed" in again.output


@pytest.mark.real_data
def test_a_real_recording_is_encoded_from_its_folder(tmp_path: Path, find_data) -> None:
    find_data("haxby2001_slice/openfmri")
    build_from_haxby(tmp_path, "MNI152NLin2009cAsym")
    runs = [word for run in ("01", "02", "03", "04", "05") for word in ("--run", run)]
    done = call(tmp_path, *runs)
    assert done.exit_code == 0, done.output
    maps = tmp_path / "results/encode_sub-01_maps/sub-01/func"
    stem = "sub-01_task-objects{}_space-{}_stat-r_desc-scores_statmap"
    volume = np.asarray(
        nibabel.load(maps / f"{stem.format('', 'MNI152NLin2009cAsym')}.nii.gz").dataobj
    )
    measured = volume[np.isfinite(volume)]
    assert len(measured) == 530
    assert np.median(measured) > 0.05
    assert measured.max() > 0.4
    on_surface = []
    for hemi in ("L", "R"):
        image = nibabel.load(maps / f"{stem.format(f'_hemi-{hemi}', 'fsaverage5')}.func.gii")
        on_surface.append(np.asarray(image.darrays[0].data))
        assert len(on_surface[-1]) == 10242
    drawn = np.concatenate(on_surface)
    drawn = drawn[np.isfinite(drawn)]
    assert 500 < len(drawn) < 2000
    assert measured.min() - 1e-6 <= drawn.min()
    assert drawn.max() <= measured.max() + 1e-6
