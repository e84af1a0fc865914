"""The pipeline file that ``neurodecode fit-encoder`` writes: a whole study, to be edited."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from neurodecode.core.checks import name_known
from neurodecode.core.errors import UserError
from neurodecode.core.visible import show

# What each name stands for. Any other is the address of a stage that describes stimuli.
OF_STIMULI = {
    "clip": "stage: features.open_clip, model: ViT-B-32, pretrained: laion2b_s34b_b79k",
    "efficientnet": "stage: features.efficientnet_lite",
    "gabor": "stage: features.gabor, n_orientations: 4, grid: 4",
    "luminance": "stage: features.image_statistics",
    "pixels": "stage: features.pixels, size_px: 16, grey: true",
}
OF_EVENTS = {"conditions": "by: trial_type", "onset": "by: null"}
LEARNED_S = 10.0  # how long a response that is learned lasts
PURGE_S = 16.0  # a haemodynamic response is over by then
FEWEST_RUNS = 3  # to leave one of them out
MOST_RUNS = 10  # to leave each of them out
CANDIDATES = 30  # band weights tried: enough for a few bands
WITHIN_RUN = "drift and confounds are removed within each run, as is usual, from scans of all folds"


@dataclass(frozen=True)
class Study:
    """What is to be encoded, and how.

    Parameters
    ----------
    recording : mapping of setting to value
        Of datasets.fmriprep.
    stimuli : str or None
        Folder of images.
    features, nuisance : sequence of str
        Names of OF_STIMULI or OF_EVENTS, or addresses of stages.
    smooth_mm : float
        0 does not smooth.
    high_pass_s : float
        Longest period of drift that is kept, seconds.
    hrf : {"spm", "glover", "learned"}
    split : {"auto", "run", "session", "block"}
    n_runs : int
    t_r : float
        Seconds.
    form : {"nifti", "gifti", "cifti"}
    is_mni : bool
        Whether the space is one of MNI.
    """

    recording: Mapping[str, Any]
    stimuli: str | None
    features: Sequence[str]
    nuisance: Sequence[str]
    smooth_mm: float
    high_pass_s: float
    hrf: str
    split: str
    n_runs: int
    t_r: float
    form: str
    is_mni: bool

    @property
    def unit(self) -> str:
        """What the split keeps together."""
        if self.split != "auto":
            return self.split
        return "run" if self.n_runs >= FEWEST_RUNS else "block"


def check_study(study: Study) -> None:
    """Raise UserError for features that cannot be made, with the nearest name."""
    known = [*OF_STIMULI, *OF_EVENTS]
    for name in (*study.features, *study.nuisance):
        if name not in known and "." not in name:
            raise UserError(
                f"fit-encoder: no features '{show(name)}'.{name_known(name, known)} Name one of "
                "these, or the address of a stage that describes stimuli (features.pixels)."
            )
        if name not in OF_EVENTS and study.stimuli is None:
            raise UserError(
                f"fit-encoder: '{show(name)}' describes images, but no folder of them is named. "
                "Name it with --stimuli, or encode --features conditions."
            )
    every = [*study.features, *study.nuisance]
    twice = sorted({name for name in every if every.count(name) > 1})
    if twice:
        raise UserError(
            f"fit-encoder: '{show(twice[0])}' is there twice among features and nuisances. Keep "
            "one."
        )
    if {"conditions", "onset"} <= set(every):
        raise UserError(
            "fit-encoder: 'onset' is the sum of the conditions. Leave it out: --nuisance none."
        )
    if study.unit == "run" and study.n_runs < 2:
        raise UserError(
            f"fit-encoder: {study.n_runs} run was found, so that none can be left out. Give "
            "--split block."
        )


def write_pipeline(study: Study) -> str:
    """Return the text of the pipeline file."""
    unit, columns = (
        study.unit,
        {name: name_step(name) for name in (*study.nuisance, *study.features)},
    )
    responses = "smoothed" if study.smooth_mm else "scan"
    named = f', allow_transductive: "{WITHIN_RUN}"' if unit == "block" else ""
    lines = [
        f"title: Encoding model of subject {study.recording['subject']}",
        "source: own recording; written by neurodecode fit-encoder, to be edited and run again",
        "seed: 0",
        "steps:",
        "  # the recording, and what is left of it without confounds and drift",
        f"  scan: {{stage: datasets.fmriprep, {_list(study.recording)}}}",
    ]
    if study.smooth_mm:
        lines.append(
            "  smoothed: {stage: preprocessing.smooth, responses: scan, "
            f"fwhm_mm: {study.smooth_mm:g}}}"
        )
    confounds = ", confounds: scan.confounds" if study.recording.get("confounds") else ""
    lines += [
        f"  cleaned: {{stage: preprocessing.confounds, responses: {responses}{confounds}, "
        f"high_pass_s: {study.high_pass_s:g}, standardize: z{named}}}",
        f"  split: {{stage: evaluation.split, responses: cleaned, {_split(study)}}}",
        "  # refuses events whose responses do not follow them as haemodynamics would",
        "  timed: {stage: evaluation.lag_check, responses: scan, events: scan.events}",
        "",
        "  # what describes the stimuli, brought to the scans",
    ]
    if study.stimuli is not None:
        lines.append(
            f"  stimuli: {{stage: datasets.images, path: {json.dumps(study.stimuli)}, "
            "size_px: 224}"
        )
    for name, step in columns.items():
        lines += _describe(study, name, step)
    lines += ["", "  # the encoder, and how well it predicts scans it has not seen"]
    if len(columns) == 1:
        fit = f"stage: encoding.ridge, features: {next(iter(columns.values()))}_scans"
    else:
        bands = ", ".join(f"{step}: {step}_scans" for step in columns.values())
        fit = (
            f"stage: encoding.banded_ridge, features: {{{bands}}}, n_candidates: {CANDIDATES}, "
            "by_band: true"
        )
    lines.append(f"  encoded: {{{fit}, responses: cleaned, split: split}}")
    within = "run" if unit in ("run", "session") else "fold"
    lines.append(
        "  scores: {stage: evaluation.encoding, predictions: encoded, responses: cleaned, "
        f"within: {within}}}"
    )
    if len(columns) > 1:
        lines.append(
            "  shares: {stage: evaluation.split_scores, predictions: encoded.band_predictions, "
            "responses: cleaned}"
        )
    return "\n".join([*lines, *_draw(study), ""])


def name_step(name: str) -> str:
    """Return the name of the step that makes some features.

    Examples
    --------
    >>> name_step("gabor"), name_step("mylab.textures:Textures")
    ('gabor', 'textures')
    """
    return name if name in (*OF_STIMULI, *OF_EVENTS) else name.split(":")[0].split(".")[-1]


def _split(study: Study) -> str:
    if study.unit == "block":
        return f"by: block, n_folds: 5, purge: {math.ceil(PURGE_S / study.t_r)}"
    if study.unit == "session" or study.n_runs <= MOST_RUNS:
        return f"by: {study.unit}, leave_one_out: true"
    return f"by: {study.unit}, n_folds: {MOST_RUNS // 2}"


def _describe(study: Study, name: str, step: str) -> list[str]:
    """Return the lines that make features of scans."""
    lines = []
    what = OF_EVENTS.get(name, f"features: {step}")
    if name not in OF_EVENTS:
        stage = OF_STIMULI.get(name, f"stage: {json.dumps(name)}")
        lines.append(f"  {step}: {{{stage}, stimuli: stimuli}}")
    aligned = f"stage: alignment.hrf, events: timed.events, responses: cleaned, {what}"
    if study.hrf == "learned":
        delays = list(range(1, math.ceil(LEARNED_S / study.t_r) + 1))
        lines += [
            f"  {step}_shown: {{{aligned}, model: none}}",
            f"  {step}_scans: {{stage: alignment.delays, features: {step}_shown, "
            f"delays: {delays}}}",
        ]
    else:
        lines.append(f"  {step}_scans: {{{aligned}, model: {study.hrf}}}")
    return lines


def _draw(study: Study) -> list[str]:
    """Return the lines that draw maps and put the report together."""
    drawn = []
    if study.form == "nifti":
        drawn.append("slices: {stage: plotting.volume_map, scores: scores, responses: scan}")
    if study.form != "nifti" or study.is_mni:
        drawn.append("cortex: {stage: plotting.brain_map, scores: scores}")
    drawn.append("turning: {stage: plotting.interactive_map, scores: scores}")
    told = ["scores"] if len(study.features) + len(study.nuisance) == 1 else ["scores", "shares"]
    drawn.append(f"methods: {{stage: plotting.methods, show: [{', '.join(told)}]}}")
    names = [line.split(":")[0] for line in drawn]
    shown = ", ".join([*names[:-1], *told, "timed.figure", names[-1]])
    drawn.append(f"report: {{stage: plotting.report, show: [{shown}]}}")
    return ["", "  # maps, and the report", *(f"  {line}" for line in drawn)]


def _list(settings: Mapping[str, Any]) -> str:
    given = {k: v for k, v in settings.items() if v not in (None, (), [])}
    return ", ".join(f"{key}: {json.dumps(value)}" for key, value in given.items())
