"""Simulated subjects who view any images, with known truth, on a real cortical surface.

The surface is fsaverage5, which nilearn carries in its wheel. The code (retinotopy, oriented
energy, object units) is in numerics/simulation.py, what subjects share in simulation_subject.py,
time (order, haemodynamics, noise) in simulation_time.py; sources are named there.

"V1sim", "V2sim", "V3sim" and "LOsim" are bands of distance from the occipital pole (the most
posterior vertex of each pial surface). They are simulated areas, NOT anatomical labels.

All subjects of one seed share one code; a subject's own tuning, positions, gain and ceilings
deviate from it by ``subject_variability``. The signal of each vertex is standardised over the
images viewed, and noise scaled to it, so that the noise ceilings are true by construction.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, NotRequired, TypedDict

import numpy as np
from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from neurodecode.core.artifacts import Events, Model, Responses, Scores, Stimuli, read_images
from neurodecode.core.checks import check_finite, find_rows
from neurodecode.core.digests import digest_array, digest_json, make_tokens
from neurodecode.core.errors import DataError
from neurodecode.core.progress import track
from neurodecode.core.stage import Sight, Stage
from neurodecode.core.tables import Table
from neurodecode.datasets.simulated_patch import Patch, load_patch
from neurodecode.datasets.simulated_runs import (
    Run,
    tabulate_events,
    tabulate_scans,
    tabulate_trials,
)
from neurodecode.numerics import simulation, simulation_time
from neurodecode.numerics.simulation_subject import Subject, make_subject, spread_ceilings

IMAGES_AT_ONCE = 256  # fixed, so that memory stays bounded and the bytes the same
MIN_SCANS = 8

Share = Annotated[float, Field(ge=0, lt=1)]


class SimulatedOutputs(TypedDict):
    """What a simulated subject yields; events with time series only."""

    responses: Responses
    truth: Model
    ceiling: Scores
    events: NotRequired[Events]


class Simulated(Stage):
    """Simulate what a subject's visual cortex does while images are shown.

    Parameters
    ----------
    subject, session : str
        BIDS labels. Another subject has a related code, another session the same; both have
        noise and an order of their own.
    n_vertices : int
        Columns, half of them in each hemisphere (the left has one more if odd).
    visual_field_deg : float
        Width of the images, degrees of visual angle.
    n_repeats : int
        Presentations of each image.
    n_runs : int
    repeat_within_run : bool
        Whether one run may show an image twice.
    shared_order : bool
        Give all subjects the same order.
    noise_ceiling : float
        Share of the variance of a single sample (a trial, or a scan of time series) that is
        signal, r², in [0, 1): the median over vertices that respond to these images at all. The
        others have ceiling 0, as have all if this is 0.
    ceiling_spread : float
        Standard deviation over vertices of logit(ceiling).
    subject_variability : float
        In [0, 1]: 0 gives all subjects one code, 1 gives each their own tuning.
    rho : float
        Autocorrelation of the noise from sample to sample of a run, in [0, 1).
    output : {"betas", "timeseries"}
        Single-trial responses, or BOLD in time.
    isi_s : float
        From one onset to the next, seconds; at least t_r and duration_s.
    duration_s : float
        How long an image is shown, seconds.
    rest_s : float
        Rest at either end of a run, seconds.
    t_r : float
        Repetition time of time series, seconds.
    hrf_peak_s, hrf_undershoot_s : float
        When the response and its undershoot peak, seconds.
    hrf_undershoot_ratio : float
        Area of the undershoot relative to that of the peak.
    hrf_jitter_s : float
        Standard deviation of the peak over vertices, cut at two, to a tenth of a second.
    evoked_mean : float
        Time series: response common to all images, in standard deviations over images.
    drift_share : float
        Time series: share of the noise variance that is slow drift, in [0, 1).
    seed : int
    """

    stage: ClassVar[str] = "datasets.simulated"
    example: ClassVar = {"n_vertices": 40}

    subject: str = Field("01", pattern=r"^[0-9A-Za-z]+$")
    session: str = Field("01", pattern=r"^[0-9A-Za-z]+$")
    n_vertices: int = Field(1000, ge=32, le=8000)
    visual_field_deg: PositiveFloat = 8.4
    n_repeats: PositiveInt = 2
    n_runs: PositiveInt = 4
    repeat_within_run: bool = False
    shared_order: bool = False
    noise_ceiling: Share = 0.3
    ceiling_spread: NonNegativeFloat = 0.5
    subject_variability: float = Field(0.3, ge=0, le=1)
    rho: Share = 0.2
    output: Literal["betas", "timeseries"] = "betas"
    isi_s: PositiveFloat = 4.0
    duration_s: NonNegativeFloat = 2.0
    rest_s: NonNegativeFloat = 12.0
    t_r: PositiveFloat = 2.0
    hrf_peak_s: float = Field(5.0, ge=2, le=10)
    hrf_undershoot_s: PositiveFloat = 15.0
    hrf_undershoot_ratio: Share = 1 / 6
    hrf_jitter_s: NonNegativeFloat = 0.5
    evoked_mean: NonNegativeFloat = 1.0
    drift_share: Share = 0.2
    seed: NonNegativeInt = 0

    @model_validator(mode="after")
    def _check_settings(self) -> Simulated:
        if not self.repeat_within_run and self.n_repeats > self.n_runs:
            raise ValueError(
                f"n_repeats is {self.n_repeats} but n_runs {self.n_runs}: no run may repeat an "
                "image. Give as many runs as repeats, or set repeat_within_run."
            )
        if self.duration_s > self.isi_s:
            raise ValueError(
                f"duration_s is {self.duration_s} but the next image comes after isi_s = "
                f"{self.isi_s}. Show images no longer than that."
            )
        if self.output == "timeseries" and self.isi_s < self.t_r:
            raise ValueError(
                f"isi_s is {self.isi_s} but t_r {self.t_r}: two images would begin in one scan. "
                "Give an isi_s of at least t_r."
            )
        if 2 * self.hrf_jitter_s > self.hrf_peak_s - 1:
            raise ValueError(
                f"hrf_jitter_s is {self.hrf_jitter_s}: peaks would come before 1 s. Allowed: at "
                f"most {(self.hrf_peak_s - 1) / 2} with hrf_peak_s {self.hrf_peak_s}."
            )
        if self.hrf_undershoot_s <= self.hrf_peak_s + 2 * self.hrf_jitter_s:
            raise ValueError(
                f"hrf_undershoot_s is {self.hrf_undershoot_s}, before the latest peak. Give it a "
                f"later time than {self.hrf_peak_s + 2 * self.hrf_jitter_s} s."
            )
        return self

    def sees(self) -> dict[str, Sight]:
        """A trial's response is made from its own image.

        The set of images sets nothing but the zero and unit of each vertex's signal, which is
        how the ceiling is defined: part of the simulated world, and nothing learnt from it.
        """
        return {"stimuli": "row"}

    def run(self, stimuli: Stimuli) -> SimulatedOutputs:
        """Return the responses of one subject, and the truth behind them."""
        seen = _view(stimuli)
        ids = stimuli.items["id"].astype(str)
        find_rows(ids, ids, what="stimulus", where="datasets.simulated")  # refuses ids used twice
        # Other images get other noise, else two sets viewed apart would share theirs.
        viewed = digest_json([digest_array(seen), ids.tolist(), self.session])
        patch = load_patch(self.n_vertices, self.visual_field_deg)
        subject = self._make_subject(patch)
        signal, silent = self._compute_signal(seen, subject.code)
        ceiling = np.zeros(self.n_vertices)
        ceiling[~silent] = spread_ceilings(
            self.noise_ceiling, self.ceiling_spread, subject.quality[~silent]
        )
        peaks_s = self.hrf_peak_s + self.hrf_jitter_s * np.clip(subject.latency, -2, 2)
        peaks_s = np.round(peaks_s, 1)
        runs = self._plan_runs(len(seen), viewed)
        rng = self._make_rng("noise", self.subject, viewed)
        in_time = self.output == "timeseries"
        scale = subject.gain * np.sqrt(ceiling)
        if in_time:
            clean, amplitudes = self._simulate_bold(signal, silent, runs, peaks_s)
            samples = tabulate_scans(runs, stimuli, self.subject, self.session, self.t_r)
        else:
            clean, amplitudes = signal[np.concatenate([run.images for run in runs])], signal
            samples = tabulate_trials(runs, stimuli, self.subject, self.session)
        noise = np.concatenate([self._make_noise(len(run.times_s), rng) for run in runs])
        data = clean * scale + noise * (subject.gain * np.sqrt(1 - ceiling))
        truth = {
            "responses": amplitudes * scale,
            "signal": signal,
            "ceiling": ceiling,
            "gain": subject.gain,
            **vars(subject.code),
            **({"hrf_peaks_s": peaks_s} if in_time else {}),
        }
        outputs = SimulatedOutputs(
            responses=Responses(
                data=data.astype(np.float32),
                samples=samples,
                space=patch.space,
                t_r=self.t_r if in_time else None,
            ),
            truth=self._make_truth(truth, patch.areas, ids),
            ceiling=_make_ceiling(patch, ceiling, silent, "scan" if in_time else "trial"),
        )
        if in_time:
            outputs["events"] = tabulate_events(
                runs, ids, self.subject, self.session, self.duration_s
            )
        return outputs

    def _make_rng(self, *what: str) -> np.random.Generator:
        return np.random.default_rng(
            [self.seed, int(make_tokens(["/".join(what)], "simulated")[0])]
        )

    def _make_subject(self, patch: Patch) -> Subject:
        return make_subject(
            patch.areas,
            patch.centres_deg,
            radius_deg=self.visual_field_deg / 2,
            variability=self.subject_variability,
            shared=self._make_rng("code"),
            own=self._make_rng("subject", self.subject),
        )

    def _compute_signal(
        self, seen: np.ndarray, code: simulation.VisualCode
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the standardised response to each image, and which vertices are silent."""
        starts = range(0, len(seen), IMAGES_AT_ONCE)
        drive = [
            simulation.compute_drive(seen[k : k + IMAGES_AT_ONCE], code, self.visual_field_deg)
            for k in track(starts, "viewing images")
        ]
        signal, silent = simulation.standardise_drive(np.concatenate(drive), code)
        if silent.all():
            raise DataError(
                f"datasets.simulated: all {len(seen)} images look the same to this subject, on a "
                f"grid of {simulation.N_PIXELS} x {simulation.N_PIXELS} pixels. Give images that "
                "differ."
            )
        return signal, silent

    def _plan_runs(self, n_images: int, viewed: str) -> list[Run]:
        n_shown = n_images * self.n_repeats
        if n_shown < self.n_runs:
            raise DataError(
                f"datasets.simulated: {n_images} images x {self.n_repeats} repeats are {n_shown} "
                f"presentations, fewer than n_runs = {self.n_runs}. Ask for fewer runs."
            )
        rng = self._make_rng("order", "" if self.shared_order else self.subject, viewed)
        shown = simulation_time.order_presentations(
            n_images, self.n_repeats, self.n_runs, rng, self.repeat_within_run
        )
        width = max(2, len(str(self.n_runs)))
        runs = []
        for k, images in enumerate(shown, 1):
            onsets = times = self.rest_s + self.isi_s * np.arange(len(images))
            if self.output == "timeseries":
                length_s = 2 * self.rest_s + self.isi_s * len(images)
                times = self.t_r * np.arange(int(np.ceil(length_s / self.t_r - 1e-9)))
                if len(times) < MIN_SCANS:
                    raise DataError(
                        f"datasets.simulated: run {k} lasts {length_s:g} s, {len(times)} scans. "
                        f"Allowed: {MIN_SCANS} or more. Show more images per run, or rest longer."
                    )
            runs.append(Run(f"{k:0{width}d}", images, onsets, times))
        return runs

    def _simulate_bold(
        self, signal: np.ndarray, silent: np.ndarray, runs: list[Run], peaks_s: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return BOLD of variance 1 around the mean of each run, and the amplitudes in it."""
        amplitudes = np.where(silent, 0, signal + self.evoked_mean)
        parts = []
        for run in track(runs, "simulating BOLD"):
            bold = simulation_time.simulate_bold(
                amplitudes[run.images],
                run.onsets_s,
                run.times_s,
                peaks_s,
                undershoot_s=self.hrf_undershoot_s,
                undershoot_ratio=self.hrf_undershoot_ratio,
                duration_s=self.duration_s,
            )
            parts.append(bold - bold.mean(axis=0))
        bold = np.concatenate(parts)
        spread = np.where(silent, 1, bold.std(axis=0))
        return bold / spread, amplitudes / spread

    def _make_noise(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Return noise of expected variance 1 for one run."""
        noise = simulation_time.make_ar1_noise(n, self.n_vertices, self.rho, rng)
        if self.output == "betas" or self.drift_share == 0:
            return noise
        drift = simulation_time.make_drift(n, self.n_vertices, rng)
        share = self.drift_share
        return np.sqrt(1 - share) * noise + np.sqrt(share) * drift

    def _make_truth(
        self, arrays: dict[str, np.ndarray], areas: np.ndarray, ids: np.ndarray
    ) -> Model:
        names = {"areas": list(simulation.AREAS), "channels": list(simulation.CHANNELS)}
        return Model(
            stage=self.stage,
            settings={**self.settings(), **names},
            arrays={
                **{name: array.astype(np.float32) for name, array in arrays.items()},
                "areas": areas,
                "stimulus_id": ids,
            },
        )


def _view(stimuli: Stimuli) -> np.ndarray:
    """Return the images on the subject's retina, refusing what is no image."""
    where = "datasets.simulated"
    if stimuli.of != "image":
        raise DataError(
            f"{where}: the stimuli are {stimuli.of}; a simulated subject sees. Give images."
        )
    shape = tuple(stimuli.data.shape)
    if len(shape) != 4 or shape[3] not in (1, 3) or shape[0] < 2 or 0 in shape:
        raise DataError(
            f"{where}: images have shape {shape}. Allowed: (n_images, height, width, n_colours) "
            "with two images or more and one or three colours. Convert them first."
        )
    seen = []
    for start in range(0, shape[0], IMAGES_AT_ONCE):
        images = read_images(stimuli, slice(start, start + IMAGES_AT_ONCE))
        check_finite(images, what="images", where=where)
        if images.min() < 0 or images.max() > 1:
            raise DataError(
                f"{where}: images reach from {images.min():g} to {images.max():g}. Allowed: uint8, "
                "or numbers in [0, 1]. Rescale them first."
            )
        seen.append(simulation.view_images(images))
    return np.concatenate(seen)


def _make_ceiling(patch: Patch, ceiling: np.ndarray, silent: np.ndarray, of: str) -> Scores:
    responding = ceiling[~silent]
    summary = {
        "name": [f"median true noise ceiling of a single {of}"],
        "value": [float(np.median(responding))],
        "low": [np.nan],
        "high": [np.nan],
        "chance": [0.0],
        "n": [len(responding)],
    }
    areas = np.array(simulation.AREAS)[patch.areas]
    return Scores(
        values=ceiling.astype(np.float32),
        over="voxels",
        items=Table({"vertex": np.asarray(patch.space.vertices), "area": areas}),
        metric="true noise ceiling",
        scale="r2",
        summary=Table(summary),
        space=patch.space,
    )
