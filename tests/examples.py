"""Tiny artifacts of every kind that fit together, and how each stage is run on them.

24 samples in 3 runs show 12 stimuli twice; 8 voxels on fsaverage5; 3 folds by stimulus.
``list_cases`` says how a stage is run: from the annotations of ``run``, or, for a stage that needs
something particular, from ``SPECIAL``.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from neurodecode.core.artifacts import (
    TEST,
    TRAIN,
    VALIDATION,
    Artifact,
    Document,
    Events,
    Features,
    Model,
    Predictions,
    Reconstructions,
    Responses,
    Scores,
    Space,
    Split,
    Stimuli,
    make_items,
    make_samples,
    make_scan_items,
)
from neurodecode.core.rows import list_predicted_rows
from neurodecode.core.stage import find_stage, read_inputs
from neurodecode.core.store import Store
from neurodecode.core.tables import Table

N_STIMULI, N_VOXELS, N_FEATURES, N_FOLDS, SIZE_PX = 12, 8, 5, 3, 8
# Each run shows eight of the twelve stimuli.
SHOWN = [*range(8), *range(8, 12), *range(4), *range(4, 12)]


@cache
def make_stimuli() -> Stimuli:
    images = np.random.default_rng(1).integers(0, 256, (N_STIMULI, SIZE_PX, SIZE_PX, 1), np.uint8)
    ids = [f"photo{i:02d}" for i in range(N_STIMULI)]
    categories = np.array(["6", "9"])[np.arange(N_STIMULI) // 2 % 2]
    items = make_items(ids, images, category=categories, label=categories.astype(int))
    return Stimuli(data=images, items=items, licence="CC0", origin="made for the tests")


@cache
def make_space() -> Space:
    rois = {"V1": np.arange(N_VOXELS) < 4, "FFA": np.arange(N_VOXELS) >= 6}
    vertices = np.array([0, 10, 200, 3000, 10242, 10300, 12000, 20000])
    return Space(kind="surface", mesh="fsaverage5", vertices=vertices, rois=rois)


@cache
def make_responses(subject: str = "01") -> Responses:
    stimuli = make_stimuli()
    rng = np.random.default_rng(2)
    signal = make_features().data[SHOWN] @ rng.normal(size=(N_FEATURES, N_VOXELS))
    data = signal + rng.normal(size=signal.shape)
    samples = make_samples(
        dataset="example",
        subject=subject,
        stimulus_id=stimuli.items["id"][SHOWN],
        run=np.repeat(["01", "02", "03"], 8),
        onset_s=np.tile(np.arange(8) * 4.0, 3),
        stimuli=stimuli,
    )
    return Responses(data=data.astype(np.float32), samples=samples, space=make_space(), t_r=2.0)


@cache
def make_features() -> Features:
    data = np.random.default_rng(3).normal(size=(N_STIMULI, N_FEATURES)).astype(np.float32)
    extractor = {"name": "example", "layer": "last", "golden": [0.5, 1.0]}
    bands = {"low": (0, 2), "high": (2, N_FEATURES)}
    return Features(data=data, items=make_stimuli().items, extractor=extractor, bands=bands)


@cache
def make_split() -> Split:
    fold_of_sample = np.array(SHOWN) % N_FOLDS
    roles = np.where(fold_of_sample == np.arange(N_FOLDS)[:, None], TEST, TRAIN).astype(np.int8)
    return Split(roles=roles, samples=make_responses().samples, unit="stimulus")


@cache
def make_one_fold() -> Split:
    """One fold: a quarter of the stimuli is tested, a quarter validates."""
    quarter = np.array(SHOWN) % 4
    roles = np.select([quarter == 0, quarter == 1], [TEST, VALIDATION], TRAIN)[None]
    return Split(roles=roles.astype(np.int8), samples=make_responses().samples, unit="stimulus")


def make_predictions(of: str = "features", role: str = "test") -> Predictions:
    split = make_split()
    rows = [fold.test if role == "test" else fold.train for fold in split.folds()]
    table = list_predicted_rows(split.samples, rows)
    if of == "features":
        truth = make_features().read_for(table["stimulus_id"])
    else:
        truth = np.asarray(make_responses().data[table["row"]])
    noise = np.random.default_rng(4).normal(size=truth.shape).astype(np.float32)
    return Predictions(
        data=truth + noise,
        rows=table,
        of="features" if of == "features" else "responses",
        split=split.digest,
        unit=split.unit,
        role="test" if role == "test" else "training",
        space=make_space() if of == "responses" else Space(),
        bands=make_features().bands if of == "features" else {},
        extractor=make_features().extractor if of == "features" else {},
    )


def make_classes() -> Predictions:
    """Classes decoded, as predictions."""
    predictions = make_predictions()
    values = np.random.default_rng(9).normal(size=(len(predictions.data), 2))
    return replace(
        predictions, data=values, bands={"6": (0, 1), "9": (1, 2)},
        extractor={"name": "classes", "label": "category", "classes": ["6", "9"]},
    )  # fmt: skip


def make_pixels() -> Features:
    """Pixels of the stimuli, as features."""
    return find_stage("features.pixels")().run(make_stimuli())


def make_pixel_predictions(role: str = "test") -> Predictions:
    """Pixels decoded, as predictions."""
    pixels, predictions = make_pixels(), make_predictions(role=role)
    data = pixels.read_for(predictions.rows["stimulus_id"])
    noise = np.random.default_rng(5).normal(scale=0.1, size=data.shape).astype(np.float32)
    data = np.clip(data + noise, 0, 1)
    return replace(predictions, data=data, extractor=pixels.extractor, bands=pixels.bands)


def make_band_predictions() -> Predictions:
    """Predicted responses as a sum over two bands."""
    whole = make_predictions("responses")
    first = np.random.default_rng(9).normal(size=whole.data.shape).astype(np.float32)
    by_band = np.stack([first, whole.data - first], axis=1)
    return replace(whole, data=by_band, extractor={"name": "example", "bands": ["low", "high"]})


def make_subset_predictions() -> dict[str, Predictions]:
    """Predicted responses of two bands and of both."""
    whole = make_predictions("responses")
    noise = np.random.default_rng(10).normal(size=whole.data.shape).astype(np.float32)
    alone = {"low": replace(whole, data=whole.data + noise),
             "high": replace(whole, data=whole.data - noise)}  # fmt: skip
    return {**alone, "low+high": whole}


def make_reconstructions() -> Reconstructions:
    predictions = make_pixel_predictions()
    images = predictions.data.reshape(-1, 1, SIZE_PX, SIZE_PX, 1)
    return Reconstructions(
        data=np.concatenate([images, images**2], axis=1),
        items=predictions.items,
        seeds=np.arange(2),
        split=predictions.split,
        unit=predictions.unit,
    )


def make_summary(value: float = 0.7) -> Table:
    columns = {"value": value, "low": value - 0.1, "high": value + 0.1, "chance": 0.5}
    return Table({"name": ["two-way"], "n": [24]} | {k: [v] for k, v in columns.items()})


def make_scores(shift: float = 0.0) -> Scores:
    items = make_predictions().items
    values = np.random.default_rng(6).uniform(size=len(items)) + shift
    unit = np.unique(items["id"], return_inverse=True)[1]
    items = items.with_columns(**{"two-way": values, "unit": unit})
    return Scores(
        values=values, items=items, metric="pairwise identification", scale="accuracy",
        summary=make_summary(float(values.mean())), test_set="example",
    )  # fmt: skip


def make_voxel_scores() -> Scores:
    values = np.linspace(-0.1, 0.6, N_VOXELS)
    return Scores(
        values=values, over="voxels", items=Table({"voxel": np.arange(N_VOXELS)}),
        metric="correlation", scale="r", summary=make_summary(0.3), ceiling=np.full(N_VOXELS, 0.8),
        p=np.linspace(1, 0.001, N_VOXELS), q=np.linspace(1, 0.01, N_VOXELS),
        null=np.linspace(-0.1, 0.1, 9), space=make_space(), notices=("a notice",),
    )  # fmt: skip


def make_subject_scores() -> dict[str, Scores]:
    """Voxel scores of three subjects."""
    rng = np.random.default_rng(9)
    first = make_voxel_scores()
    return {
        f"0{k}": replace(first, values=first.values + 0.1 * rng.normal(size=N_VOXELS))
        for k in (1, 2, 3)
    }


def make_volume_scores() -> Scores:
    space = Space(
        kind="volume", mask=np.ones((4, 2, 1), bool), affine=np.diag([3.0, 3.0, 3.0, 1.0])
    )
    return replace(make_voxel_scores(), space=space)


def make_epochs() -> Responses:
    """Every sample in session 01, as epochs of 6 channels and 5 times."""
    responses = make_responses()
    data = np.random.default_rng(8).normal(size=(len(SHOWN), 6, 5)).astype(np.float32)
    return Responses(data=data, samples=responses.samples, sfreq=10.0, tmin=-0.1)


def make_run_events() -> Events:
    """What each run showed, 4 s apart and for a second each."""
    samples = make_responses().samples
    columns = {name: samples[name] for name in ("subject", "session", "run", "stimulus_id")}
    n = len(samples)
    return Events(
        table=Table(
            {**columns, "onset": samples["onset_s"], "duration": np.ones(n),
             "trial_type": samples["category"], "amplitude": np.linspace(0.5, 2, n)}
        )
    )  # fmt: skip


def make_scan_features() -> Features:
    """Two confounds of every sample."""
    data = np.random.default_rng(9).normal(size=(len(SHOWN), 2)).astype(np.float32)
    return Features(
        data=data,
        items=make_scan_items(make_responses().samples),
        extractor={"name": "example", "columns": ["trans_x", "csf"]},
        bands={"motion": (0, 1), "tissue": (1, 2)},
    )


def make_model() -> Model:
    arrays = {f"fold{k}/weights": np.full((N_VOXELS, N_FEATURES), k + 0.5) for k in range(N_FOLDS)}
    return Model(
        stage="decoding.ridge", settings={"alphas": [1.0, 10.0]}, arrays=arrays, n_folds=N_FOLDS,
        split=make_split().digest, curve={"loss": np.array([3.0, 2.0, 1.0])},
    )  # fmt: skip


def make_document() -> Document:
    return Document(title="An exâmple", html="<p>ü</p>", figures={"dot.png": make_png()})


def make_context() -> Document:
    """What the runner tells a step that prints its run."""
    steps = [{"name": "split", "stage": "evaluation.split", "settings": {"by": "run"}}]
    return Document(title="context", html=json.dumps({"title": "An example", "steps": steps}))


def make_png() -> np.ndarray:
    """A picture of one white pixel."""
    data = bytes.fromhex(
        "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b550000000a49444154789c63f80f00"
        "01010100b138f6140000000049454e44ae426082"
    )
    return np.frombuffer(data, np.uint8)


def make_events() -> Events:
    columns = {"onset": [0.0, 4.0], "duration": [1.0, 1.0], "trial_type": ["word", "größe"]}
    return Events(table=Table({**columns, "stimulus_id": ["photo00", "photo01"]}))


MAKERS: dict[type[Artifact], Callable[[], Artifact]] = {
    Responses: make_responses, Events: make_events, Stimuli: make_stimuli, Features: make_features,
    Split: make_split, Model: make_model, Predictions: make_predictions,
    Reconstructions: make_reconstructions, Scores: make_scores, Document: make_document,
}  # fmt: skip


def make_all() -> dict[str, Artifact]:
    """Return one artifact of every kind, by kind."""
    return {kind.kind(): make() for kind, make in MAKERS.items()}


# ----------------------------------------------------------------------- how each stage is run


@dataclass(frozen=True)
class Case:
    """One way to run a stage.

    ``needs`` names a raw file without which it cannot be run; ``n_company`` is how many rows it is
    given to see that few are treated as many are.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Any] = field(default_factory=dict)
    needs: str = ""
    n_company: int = 200


def make_inputs(address: str) -> dict[str, Any]:
    """Return the inputs that a stage must have, and the split if it takes one."""
    given: dict[str, Any] = {}
    for name, spec in read_inputs(find_stage(address)).items():
        if spec.optional and spec.artifact is not Split:
            continue
        artifact = MAKERS[spec.artifact]()
        forms = {"one": artifact, "list": [artifact], "dict": {"01": artifact, "02": artifact}}
        given[name] = forms[spec.many]
    return given


def _case(address: str, /, settings: Mapping[str, Any] | None = None, **inputs: Any) -> Case:
    return Case(settings or {}, {**make_inputs(address), **inputs})


def _run_arrays(folder: Path) -> list[Case]:
    np.save(folder / "responses.npy", np.asarray(make_responses().data))
    return [Case({"path": str(folder / "responses.npy"), "orientation": "samples_first"})]


def make_volume() -> Responses:
    """The samples, as 60 voxels of 8 mm at the back of MNI space."""
    mask = np.zeros((12, 14, 12), bool)
    mask[4:9, 2:5, 4:8] = True
    affine = np.diag([12.0, 12.0, 12.0, 1.0])
    affine[:3, 3] = (-70, -105, -60)
    data = np.random.default_rng(10).normal(size=(len(SHOWN), 60)).astype(np.float32)
    space = Space(kind="volume", mask=mask, affine=affine)
    return replace(make_responses(), data=data, space=space)


def _find_rois(folder: Path) -> list[Case]:
    import nibabel

    volume = make_volume()
    image = nibabel.Nifti1Image(np.asarray(volume.space.mask, np.int16), volume.space.affine)
    nibabel.save(image, folder / "V1.nii.gz")
    return [Case({"files": {"V1": str(folder / "V1.nii.gz")}}, {"responses": volume})]


def _run_fmriprep(folder: Path) -> list[Case]:
    from tests.datasets.fmriprep_folder import DERIVATIVE, build_folder

    build_folder(folder, n_unsteady=1)
    given = {"path": str(folder / DERIVATIVE), "events": str(folder), "confounds": "simple"}
    return [Case(given)]


def _run_nifti(folder: Path) -> list[Case]:
    from tests.datasets.fmriprep_folder import DERIVATIVE, build_folder

    build_folder(folder, sessions=("01",))
    files = sorted((folder / DERIVATIVE).rglob("*desc-preproc_bold.nii.gz"))
    return [Case({"files": [str(path) for path in files]})]


def _run_images(folder: Path) -> list[Case]:
    from PIL import Image

    images = folder / "images"
    images.mkdir(exist_ok=True)
    for name, image in zip(make_stimuli().items["id"], make_stimuli().data, strict=True):
        Image.fromarray(image[..., 0]).save(images / f"{name}.png")
    return [Case({"path": str(images)})]


def _run_pretrained(folder: Path) -> list[Case]:
    card = Store(folder).write("reconstruction.example", "model", {"model": make_model()}, {})
    return [Case({"name": card["path"]})]


def _run_diffusion(folder: Path) -> list[Case]:
    train = find_stage("reconstruction.train_diffusion")
    settings = {**train.example, "n_steps": 2}
    by_fold = train(**settings).run(
        stimuli=make_stimuli(), features=make_features(), split=make_split()
    )
    from_pixels = train(**settings).run(
        stimuli=make_stimuli(), estimates=make_pixel_predictions("training"), split=make_split()
    )
    return [
        Case({}, {"model": by_fold, "features": make_predictions()}),
        Case({"strength": 0.5}, {"model": from_pixels, "estimates": make_pixel_predictions()}),
    ]


def _run_betas(folder: Path) -> list[Case]:
    from tests.preprocessing.trial_data import plant_trials

    planted = plant_trials(n_runs=3, n_trials=8, n_voxels=6)
    inputs = {"responses": planted.responses, "events": planted.events}
    return [
        Case({}, inputs),
        Case({"method": "ridge", "fraction": 0.5}, {**inputs, "confounds": planted.confounds}),
        Case({"method": "ridge", "hrf": "library", "peaks_s": [4.0, 6.0]}, inputs),
        Case({"method": "all", "n_noise_components": 1, "noise_r2": 0.9}, inputs),
    ]


def _train_diffusion(folder: Path) -> list[Case]:
    address = "reconstruction.train_diffusion"
    return [
        _case(address, features=make_features()),
        _case(address, estimates=make_pixel_predictions("training")),
        Case({}, {"stimuli": make_stimuli()}),
    ]


SPECIAL: dict[str, Callable[[Path], list[Case]]] = {
    "features.efficientnet_lite": lambda folder: [
        Case({}, {"stimuli": make_stimuli()}, n_company=24)
    ],
    "features.open_clip": lambda folder: [Case({}, {"stimuli": make_stimuli()}, n_company=48)],
    "alignment.stack": lambda folder: [
        Case({}, {"responses": {name: make_responses(name) for name in ("01", "02")}})
    ],
    "alignment.hrf": lambda folder: [
        Case({"allow_empty_runs": True},
             {"events": make_run_events(), "responses": make_responses()}),
        Case(
            {"derivatives": "time", "amplitude": "amplitude", "allow_empty_runs": True},
            {"events": make_run_events(), "responses": make_responses(),
             "features": make_features()},
        ),
    ],
    "alignment.delays": lambda folder: [
        Case({"delays": (0, 1, -2)}, {"features": make_scan_features()})
    ],
    "alignment.resample": lambda folder: [
        Case({"method": method, "allow_empty_runs": True},
             {"events": make_run_events(), "responses": make_responses(),
              "features": make_features()})
        for method in ("lanczos", "linear", "box")
    ],
    "datasets.arrays": _run_arrays,
    "datasets.images": _run_images,
    "datasets.fmriprep": _run_fmriprep,
    "datasets.nifti": _run_nifti,
    "datasets.haxby": lambda folder: [
        Case({"recording": "openfmri_25mm"}, needs="haxby2001_slice/bold.nii.gz")
    ],
    "preprocessing.confounds": lambda folder: [
        Case({"polynomial": 1}, {"responses": make_responses()}),
        Case({"columns": ["trans_*"], "censored": "keep", "standardize": "none"},
             {"responses": make_responses(), "confounds": make_scan_features()}),
    ],
    "datasets.rois": _find_rois,
    "preprocessing.volume_to_surface": lambda folder: [Case({}, {"responses": make_volume()})],
    "preprocessing.functional_rois": lambda folder: [
        Case({"n_voxels": 3, "name": "FFA2"},
             {"responses": make_responses(), "scores": make_voxel_scores()})
    ],
    "datasets.digit69": lambda folder: [Case(needs="digit69/digit69_28x28.mat")],
    "datasets.alice": lambda folder: [Case(needs="alice_fmri/README_data.txt")],
    "datasets.localizer": lambda folder: [Case(needs="localizer_fmri/paradigm_loc.csv")],
    "datasets.objects81": lambda folder: [Case(needs="objects81/objects81.npz")],
    "evaluation.lag_check": lambda folder: [
        Case({}, {"responses": make_responses(), "events": make_run_events()})
    ],
    "evaluation.shuffle": lambda folder: [
        Case({}, {"responses": replace(make_responses(), t_r=None)}),
        Case({"block_rows": 2}, {"responses": make_responses()}),
    ],
    "preprocessing.average_repeats": lambda folder: [
        _case("preprocessing.average_repeats"),
        _case("preprocessing.average_repeats", {"by": "block", "leave_out": ["9"]}),
    ],
    "preprocessing.average_subjects": lambda folder: [
        Case({}, {"responses": {name: make_responses(name) for name in ("01", "02")}})
    ],
    "preprocessing.quality_gate": lambda folder: [
        _case("preprocessing.quality_gate", {"bad_share_max": 1.0, "runs": "mark"})
    ],
    "preprocessing.zscore": lambda folder: [
        _case("preprocessing.zscore"), _case("preprocessing.zscore", {"per": "training"}),
        _case("preprocessing.zscore", {"per": "session", "scale": "none"}),
    ],
    "preprocessing.select_voxels": lambda folder: [
        _case("preprocessing.select_voxels"),
        _case("preprocessing.select_voxels", {"by": "roi", "rois": ["V1"], "n_voxels": None}),
        _case(
            "preprocessing.select_voxels",
            {"by": "encoding", "alphas": [1.0, 10.0], "n_inner_folds": 2},
            features=make_features(),
        ),
        Case({"by": "scores"}, {"responses": make_responses(), "scores": make_voxel_scores()}),
    ],
    "preprocessing.single_trial_betas": _run_betas,
    "preprocessing.noise_normalization": lambda folder: [
        Case({}, {"responses": make_responses(), "split": make_one_fold()}),
        Case({"method": "epoch"}, {"responses": make_epochs(), "split": make_one_fold()}),
        Case({"per": "session"}, {"responses": make_epochs()}),
    ],
    "features.pca": lambda folder: [
        Case({}, {"features": make_features()}),
        Case({"fit_on": "training"}, {"features": make_features(), "split": make_one_fold()}),
        Case(
            {"fit_on": "reference", "by_band": True},
            {"features": make_features(), "reference": make_features()},
        ),
    ],
    "decoding.ridge": lambda folder: [
        _case("decoding.ridge"), _case("decoding.ridge", {"nested": True}),
    ],
    "evaluation.classification": lambda folder: [Case({}, {"predictions": make_classes()})],
    "encoding.ridge": lambda folder: [
        _case("encoding.ridge"), _case("encoding.ridge", {"block_voxels": 3}),
        _case("encoding.ridge", {"block_voxels": 3, "alpha_per_target": False}),
    ],
    "evaluation.encoding": lambda folder: [
        _case("evaluation.encoding", predictions=make_predictions("responses"))
    ],
    "evaluation.rois": lambda folder: [
        _case("evaluation.rois", predictions=make_predictions("responses"))
    ],
    "evaluation.compare_encoders": lambda folder: [
        _case(
            "evaluation.compare_encoders",
            first=make_predictions("responses"),
            second=replace(
                make_predictions("responses"), data=make_predictions("responses").data[::-1].copy()
            ),
        )
    ],
    "evaluation.group": lambda folder: [
        Case({}, {"scores": make_subject_scores()}),
        Case(
            {"test": "t"},
            {
                "scores": make_subject_scores(),
                "others": {
                    s: replace(one, values=one.values[::-1].copy())
                    for s, one in make_subject_scores().items()
                },
            },
        ),
    ],
    "evaluation.split_scores": lambda folder: [
        _case("evaluation.split_scores", {"metric": metric}, predictions=make_band_predictions())
        for metric in ("r", "r2")
    ],
    "evaluation.variance_partitioning": lambda folder: [
        _case(
            "evaluation.variance_partitioning", {"rois": ["V1"]},
            predictions=make_subset_predictions(),
        )
    ],
    "evaluation.identification": lambda folder: [
        Case({}, {"predictions": make_predictions(), "features": make_features()}),
        Case({}, {"reconstructions": make_reconstructions(), "stimuli": make_stimuli()}),
    ],
    "evaluation.compare": lambda folder: [
        _case("evaluation.compare", second=make_scores(shift=0.1))
    ],
    "evaluation.noise_ceiling": lambda folder: [
        _case("evaluation.noise_ceiling"),
        _case("evaluation.noise_ceiling", {"match": "position", "block_s": 4.0}),
    ],
    "evaluation.plan_repeats": lambda folder: [
        Case({}, {"ceiling": find_stage("evaluation.noise_ceiling")().run(make_responses())})
    ],
    "evaluation.audit": lambda folder: [
        _case(
            "evaluation.audit",
            shuffled={"0": make_scores(-0.1), "1": make_scores(-0.2)},
            others={"prior_only": make_scores(-0.3)},
        )
    ],
    "evaluation.replace": lambda folder: [
        _case("evaluation.replace", {"kind": kind})
        for kind in ("mean_embedding", "prior_only", "true_features")
    ],
    "evaluation.ssim": lambda folder: [_case("evaluation.ssim", {"size_px": 16})],
    "reconstruction.pixels": lambda folder: [
        _case("reconstruction.pixels", features=make_pixel_predictions())
    ],
    "reconstruction.diffusion": _run_diffusion,
    "reconstruction.pretrained": _run_pretrained,
    "reconstruction.train_diffusion": _train_diffusion,
    "plotting.brain_map": lambda folder: [_case("plotting.brain_map", scores=make_voxel_scores())],
    "plotting.roi_bars": lambda folder: [
        Case({"n_bootstrap": 20}, {"scores": [make_voxel_scores(), make_voxel_scores()]}),
    ],
    "plotting.methods": lambda folder: [
        Case({}, {"show": [make_voxel_scores()], "context": make_context()}),
    ],
    "evaluation.weights": lambda folder: [
        _case("evaluation.weights"),
        _case("evaluation.weights", {"kind": "weights", "band": "high"}, features=make_features()),
    ],
    "plotting.volume_map": lambda folder: [
        Case({"view": view}, {"scores": make_volume_scores()}) for view in ("slices", "mosaic")
    ],
    "plotting.interactive_map": lambda folder: [
        Case({}, {"scores": make_voxel_scores()}), Case({}, {"scores": make_volume_scores()}),
    ],
    "plotting.report": lambda folder: [
        Case({}, {"show": [make_scores(), make_document(), make_reconstructions()]})
    ],
}  # fmt: skip


def list_cases(address: str, folder: Path) -> list[Case]:
    """Return the ways to run a stage; ``folder`` is for files that it reads."""
    if address in SPECIAL:
        return SPECIAL[address](folder)
    return [Case({}, make_inputs(address))]
