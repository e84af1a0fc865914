"""Slices, mosaics and glass brains, with planted voxels looked up in the picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neurodecode.core.artifacts import Responses, Scores, Space, make_samples
from neurodecode.core.errors import DataError
from neurodecode.plotting.volume_background import (
    Background,
    find_background,
    judge_mni,
    load_template,
    measure_tilt,
    resample,
)
from neurodecode.plotting.volume_figure import (
    VolumeLayers,
    choose_cuts,
    crop,
    list_axes,
    straighten,
)
from neurodecode.plotting.volume_map import VolumeMap
from tests.plotting.plotting_data import LEAK, decode, make_map

WARM = np.array([221, 81, 58])  # about the middle of inferno


def make_mni(step: float = 4.0) -> Scores:
    """A block of 0.5 at the left occipital pole, noise of 0.05 elsewhere in the brain."""
    shape = tuple(int(n // step) + 1 for n in (180, 216, 180))
    affine = np.diag([-step, step, step, 1.0])
    affine[:3, 3] = [90, -126, -72]
    places = np.indices(shape).reshape(3, -1).T @ affine[:3, :3] + affine[:3, 3]
    template = load_template()
    at = np.rint((places - template.affine[:3, 3]) @ np.linalg.inv(template.affine[:3, :3]))
    at = np.clip(at.astype(int), 0, np.array(template.data.shape) - 1)
    mask = (template.data[tuple(at.T)] > 0).reshape(shape)
    inside = places[mask.ravel()]
    block = (np.abs(inside - [-14, -90, 2]) < 9).all(axis=1)
    values = np.where(block, 0.5, 0.05)
    q = np.where(block, 0.001, 0.9)
    space = Space(kind="volume", mask=mask, affine=affine, rois={"V1": block})
    return make_map(values, space, q=q, notices=(LEAK,))


def make_native(shape: tuple[int, ...] = (20, 14, 1), tilt_deg: float = 0.0) -> Scores:
    """A warm block in the right, back corner of a slab in a subject's own space."""
    a = np.deg2rad(tilt_deg)
    turn = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([-3.0, 3.0, 3.5])
    affine[:3, 3] = [25, -60, 4]
    mask = np.ones(shape, bool)
    place = np.argwhere(mask)
    block = (place[:, 0] < 5) & (place[:, 1] < 5)  # the first axis runs to the left
    space = Space(kind="volume", mask=mask, affine=affine)
    return make_map(np.where(block, 0.5, 0.0), space, q=np.where(block, 0.001, 1.0))


def find_warm(picture: np.ndarray, above: int) -> np.ndarray:
    """Return where planted colours are, rows from the top of the picture to ``above``."""
    return np.argwhere(np.abs(picture[:above].astype(int) - WARM).max(axis=2) < 12)


def draw(scores: Scores, **settings: object) -> tuple[np.ndarray, str]:
    document = VolumeMap(limits=(0.0, 0.9), **settings).run(scores)  # type: ignore[arg-type]
    return decode(document, "volume_map.png"), document.html


def test_mni_slices_show_the_planted_block_on_the_left_at_the_back() -> None:
    picture, html = draw(make_mni(), cuts={"z": (2.0,)}, rois=("V1",))
    bar = picture.shape[0] - 204
    rows, columns = find_warm(picture, bar).T
    assert len(rows) > 1500
    brain = np.argwhere(np.ptp(picture[:bar], axis=2) + (picture[:bar].min(axis=2) < 240) * 50 > 49)
    middle = picture.shape[1] / 2
    assert columns.mean() < middle
    assert rows.mean() > np.median(brain[:, 0])
    assert "MNI152 template; the volume is taken to be in MNI space, by its grid" in html
    assert "LEAKAGE" in html
    red = np.abs(picture.astype(int) - [0xB3, 0x26, 0x1E]).max(axis=2)
    assert (red < 30).sum() > 200


def test_glass_brain_and_mosaic() -> None:
    scores = make_mni()
    picture, html = draw(scores, view="glass")
    warm = find_warm(picture, picture.shape[0] - 204)
    assert len(warm) > 1500
    # left, coronal, right and axial side by side: the block is seen from three of them, not from
    # the right, where nothing passes
    quarters = np.histogram(warm[:, 1], bins=4, range=(0, picture.shape[1]))[0]
    assert (quarters > 100).tolist() == [True, True, False, True]
    assert "outline of MNI152" in html
    mosaic, _ = draw(scores, view="mosaic")
    assert mosaic.shape[0] > picture.shape[0]


def test_a_single_native_slice_is_cut_once_and_has_no_mni_outline() -> None:
    scores = make_native()
    for view in ("slices", "mosaic"):
        picture, html = draw(scores, view=view)
        rows, columns = find_warm(picture, picture.shape[0] - 204).T
        # one panel, in the middle; the block at its right, at the back (below)
        assert len(rows) > 5000
        assert columns.min() > picture.shape[1] / 2
        assert "not taken to be in MNI space" in html
    with pytest.raises(DataError, match="view: glass"):
        draw(scores, view="glass")
    with pytest.raises(DataError, match="cuts along x"):
        draw(scores, cuts={"x": (0.0,)})
    with pytest.raises(DataError, match="outside the mask"):
        draw(scores, cuts={"z": (40.0,)})


@pytest.mark.parametrize("passing", [True, False])
def test_opacity_is_the_square_of_the_nearness_whatever_else_is_shown(passing: bool) -> None:
    scores = make_native((20, 14, 1))
    values = np.asarray(scores.values)
    q = np.where(values > 0, 0.001 if passing else 0.05**0.5, 0.05**0.5)
    picture, _ = draw(replace(scores, values=np.full(len(values), 0.5), q=q), background="none")
    # half as near, so a quarter of the colour on white
    faded = 0.25 * WARM + 0.75 * 255
    body = picture[: picture.shape[0] - 204].astype(int)
    assert (np.abs(body - faded).max(axis=2) < 8).sum() > 50_000
    assert (len(find_warm(picture, body.shape[0])) > 5000) == passing


def test_an_oblique_slab_is_drawn_on_its_own_grid() -> None:
    scores = make_native((20, 14, 4), tilt_deg=20)
    assert measure_tilt(np.asarray(scores.space.affine)) == pytest.approx(20)
    picture, html = draw(scores, cuts={}, background="none")
    assert "tilted by 20°" in html
    warm = find_warm(picture, picture.shape[0] - 204)
    assert len(warm) > 3000
    axial = warm[warm[:, 1] > 2 * picture.shape[1] / 3][:, 1]
    assert axial.mean() > 0.85 * picture.shape[1], "at the right of the last panel"


def test_straightening_keeps_voxels_and_middle_and_carries_the_background_along() -> None:
    scores = make_native((20, 14, 4), tilt_deg=20)
    affine, mask = np.asarray(scores.space.affine), np.asarray(scores.space.mask)
    values = np.zeros(mask.shape)
    values[mask] = scores.values
    # a background that is the values themselves, on a finer grid that is not tilted
    fine = np.diag([1.0, 1.0, 1.0, 1.0])
    fine[:3, 3] = [-45, -75, -20]
    anatomy = resample(Background(values, affine, ""), (80, 70, 50), fine)
    layers = VolumeLayers(values, values, None, affine, mask, Background(anatomy, fine, ""), {})
    straight = straighten(layers)
    assert measure_tilt(straight.affine) == 0
    np.testing.assert_allclose(np.diag(straight.affine), [-3, 3, 3.5, 1])
    middle = [*(np.array(mask.shape) - 1) / 2, 1]
    np.testing.assert_allclose(straight.affine @ middle, affine @ middle, atol=1e-9)
    assert straight.background is not None
    back = resample(straight.background, mask.shape, straight.affine)
    inner = np.zeros(mask.shape, bool)
    inner[2:-2, 2:-2, 1:-1] = True  # away from edges, which interpolation blurs
    assert np.corrcoef(back[inner], values[inner])[0, 1] > 0.9


def test_axes_and_cuts_are_those_of_the_head_not_of_the_file() -> None:
    affine = np.array([[0.0, 0, 3, 0], [3, 0, 0, 0], [0, 3, 0, 0], [0, 0, 0, 1]])  # y, z, x
    assert list_axes((5, 1, 6), affine) == ["z"]
    assert list_axes((5, 4, 6), affine) == ["x", "y", "z"]
    values = np.zeros((5, 4, 6))
    values[1, 2, 5] = 1
    mask = np.ones(values.shape, bool)
    layers = VolumeLayers(values, values, values > 0, affine, mask, None, {})
    assert choose_cuts(layers, 1) == {"x": [15.0], "y": [3.0], "z": [6.0]}
    many = choose_cuts(replace(layers, passes=mask), 7)
    assert {axis: len(cuts) for axis, cuts in many.items()} == {"x": 6, "y": 5, "z": 4}


def test_what_tells_mni_space_from_others() -> None:
    mni = make_mni().space
    assert judge_mni(mni)[0]
    assert not judge_mni(make_native((20, 14, 4), 20).space)[0]
    assert judge_mni(make_native((20, 14, 4), 20).space)[1] == "its axes are oblique"
    moved = np.array(mni.affine)
    moved[0, 3] += 15
    assert "midline" in judge_mni(replace(mni, affine=moved))[1]
    assert "outside the MNI152 brain" in judge_mni(replace(mni, mask=~np.asarray(mni.mask)))[1]
    assert judge_mni(replace(mni, mesh="MNI152NLin2009cAsym", affine=moved))[0]
    assert not judge_mni(replace(mni, mesh="T1w"))[0]


def test_the_template_is_empty_outside_the_brain() -> None:
    template = load_template()
    n_mm3 = (template.data > 0).sum() * 8
    assert 1.5e6 < n_mm3 < 2.2e6, "a brain, cerebellum and stem"
    picture, _ = draw(make_mni(), cuts={"z": (2.0,)})
    body = picture[200 : picture.shape[0] - 280]  # beneath the notice
    assert (body[:, :500].min(axis=(1, 2)) > 250).all(), "white beside the slice"


def make_responses(scores: Scores, units: str, mean: float) -> Responses:
    n = len(scores.values)
    data = np.random.default_rng(0).normal(mean, 1, (6, n)).astype(np.float32)
    samples = make_samples(
        dataset="x", subject="01", stimulus_id=[""] * 6, run=["01"] * 6, onset_s=np.arange(6.0)
    )
    return Responses(data=data, samples=samples, space=scores.space, units=units, t_r=1.0)


def test_backgrounds(tmp_path: Path) -> None:
    import nibabel

    scores = make_native()
    space, measured = scores.space, make_responses(scores, "a.u.", 500)
    found, words = find_background(space, "auto", "", measured, "here")
    assert found is not None
    np.testing.assert_allclose(found.data.ravel(), measured.data.mean(axis=0), rtol=1e-5)
    assert "mean of the responses" in words
    centred = make_responses(scores, "z", 0)
    assert find_background(space, "auto", "", centred, "here")[0] is None
    with pytest.raises(DataError, match="they were centred"):
        find_background(space, "mean", "", centred, "here")
    path = tmp_path / "T1w.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.ones((9, 9, 9), np.float32), np.eye(4)), path)
    given, words = find_background(space, "auto", str(path), None, "here")
    assert given is not None
    assert "T1w.nii.gz, as given" in words
    assert VolumeMap(anatomy=str(path)).sources() == [path]
    nibabel.save(nibabel.Nifti1Image(np.ones((9, 9, 9, 2), np.float32), np.eye(4)), path)
    with pytest.raises(DataError, match="three axes"):
        find_background(space, "auto", str(path), None, "here")
    (tmp_path / "no.nii").write_text("no image")
    with pytest.raises(DataError, match="cannot be read as an image"):
        find_background(space, "auto", str(tmp_path / "no.nii"), None, "here")
    with pytest.raises(DataError, match="is not there"):
        find_background(space, "auto", str(tmp_path / "gone.nii"), None, "here")


def test_resampling_of_a_single_slice_keeps_its_whole_width() -> None:
    data = np.arange(12.0).reshape(4, 3, 1) + 1
    finer = np.diag([0.5, 0.5, 0.5, 1.0])
    finer[:3, 3] = -0.25
    fine = resample(Background(data, np.eye(4), ""), (8, 6, 2), finer)
    assert (fine > 0).all()
    np.testing.assert_allclose(fine[0, 0], 1)
    assert resample(Background(data, np.eye(4), ""), (6, 3, 1), np.eye(4))[4:].max() == 0


def test_scores_of_a_surface_are_sent_elsewhere() -> None:
    space = Space(kind="surface", mesh="fsaverage5", vertices=np.arange(3))
    with pytest.raises(DataError, match="brain_map"):
        VolumeMap().run(make_map(np.ones(3), space))


@pytest.mark.real_data
def test_the_single_slice_of_haxby_on_its_own_mean(find_data: object) -> None:
    import nibabel

    folder = find_data("haxby2001_slice")  # type: ignore[operator]
    mask_image, bold = (nibabel.load(folder / name) for name in ("mask.nii.gz", "bold.nii.gz"))
    mask = np.asarray(mask_image.dataobj).reshape(mask_image.shape[:3]).astype(bool)
    data = np.asarray(bold.dataobj)[mask].T[:50].astype(np.float32)
    space = Space(kind="volume", mask=mask, affine=mask_image.affine)
    scores = make_map(np.linspace(0, 0.5, int(mask.sum())), space)
    samples = make_samples(
        dataset="h", subject="1", stimulus_id=[""] * 50, run=["1"] * 50, onset_s=np.arange(50) * 2.5
    )
    responses = Responses(data=data, samples=samples, space=space, t_r=2.5)
    document = VolumeMap(view="mosaic").run(scores, responses=responses)
    picture = decode(document, "volume_map.png")
    assert "mean of the responses" in document.html
    assert (np.ptp(picture, axis=2) > 60).sum() > 50_000


def test_without_a_background_the_field_of_view_is_cut_to_the_mask() -> None:
    mask = np.zeros((40, 30, 20), bool)
    mask[30:34, 2:6, 10:12] = True
    values = np.where(mask, np.arange(mask.size).reshape(mask.shape), 0.0)
    affine = np.array([[-3.0, 0, 0, 50], [0, 3, 0, -40], [0, 0, 4, 7], [0, 0, 0, 1]])
    layers = VolumeLayers(values, mask.astype(float), None, affine, mask, None, {"V1": mask})
    small = crop(layers)
    assert small.mask.shape == (8, 8, 6)
    np.testing.assert_array_equal(small.values[small.mask], values[mask])
    np.testing.assert_array_equal(small.outlines["V1"], small.mask)
    places = [np.argwhere(m.mask) @ m.affine[:3, :3].T + m.affine[:3, 3] for m in (layers, small)]
    np.testing.assert_allclose(places[0], places[1])
    behind = replace(layers, background=Background(values, affine, ""))
    assert crop(behind) is behind
