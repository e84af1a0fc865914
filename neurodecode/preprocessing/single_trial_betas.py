"""Single-trial betas: one response per trial, from time series and the events of each run.

The estimators are those of numerics/single_trial.py (least squares all and separate: Mumford et al.
2012; fractional ridge: Rokem and Kay 2020; the whole in the manner of GLMsingle, Prince et al.
2022), the responses those of numerics/hrf_library.py. Each run is a model of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal, Self, TypedDict

import numpy as np
from pydantic import Field, NonNegativeInt, PositiveFloat, model_validator

from neurodecode.core.artifacts import Events, Features, Responses, Scores, Stimuli
from neurodecode.core.checks import check_finite
from neurodecode.core.errors import DataError
from neurodecode.core.lineage import ContactKind
from neurodecode.core.stage import Sight, Stage
from neurodecode.numerics.drift import make_cosines, make_polynomials
from neurodecode.numerics.hrf_library import CANONICAL, HrfShape
from neurodecode.numerics.single_trial import (
    choose_fractions,
    estimate_betas,
    estimate_ridge_betas,
    rescale_betas,
    score_hrfs,
)
from neurodecode.numerics.single_trial_design import (
    RunDesign,
    count_components,
    find_noise_components,
)
from neurodecode.preprocessing.trial_designs import Scans, leave_out_cut_off, make_designs
from neurodecode.preprocessing.trial_outputs import describe_fit, tabulate_trials
from neurodecode.preprocessing.trial_runs import TrialRun, collect_runs

Fraction = Annotated[float, Field(gt=0, le=1)]


class SingleTrialBetas(Stage):
    """Estimate the response to each trial.

    What a beta has seen is declared: with one response and a stated shrinkage, the scans and events
    of its run. A response or fraction chosen for each voxel, and noise components, look at all
    runs, test trials among them (transductive, as published for GLMsingle: a pipeline that goes on
    to score these trials names it with allow_transductive).

    Parameters
    ----------
    method : {"separate", "all", "ridge"}
        Least squares separate, which is best for trials that follow each other within seconds;
        least squares all, best for trials far apart; or least squares all, shrunk to a fraction of
        its length.
    others_by_type : bool
        Of separate: the other trials of each trial type in a column of their own, not all in one.
    hrf : {"canonical", "library"}
        SPM's response; or for each voxel the one of the library that explains it best.
    peaks_s, widths_s : tuple of float
        Of the library: every peak with every width at half height.
    hrf_by : {"cross_validated", "in_sample"}
        Explains best: other runs, from this one's betas; or the run itself, as in GLMsingle.
    fraction : float or None
        Of ridge: 0 to 1, or None to choose each voxel's by how well repeats in other runs are
        predicted.
    fractions : tuple of float
        To choose from.
    rescale : bool
        Of ridge: bring betas back to the scale and mean of least squares within each run.
    trial_types : tuple of str
        Events that are trials; none named, those that show a stimulus.
    nuisance_types : tuple of str
        Events of no interest, such as button presses: each type is one column.
    unseen_trials : {"refuse", "leave_out"}
        Trials whose response the scans hardly see, such as one just before the end of a run.
    drift : {"cosine", "polynomial", "none"}
        Taken out of each run with its mean.
    cutoff_s : float
        Of cosine: the shortest period.
    degree : int or None
        Of polynomial; None takes half the minutes of the run.
    n_noise_components : int
        Principal components over time of the voxels that trials do not explain, taken out of each
        run (as GLMdenoise does).
    noise_by : {"fixed", "cross_validated"}
        So many components; or at most so many: the fewest with which the betas of other runs
        predict the voxels that respond about as well as they ever do.
    noise_r2 : float
        Voxels are noise below this R² (across runs, or as hrf_by says).
    units : {"percent", "as_given"}
        Percent of each voxel's mean over the run, which takes data that still have their mean.
    """

    stage: ClassVar[str] = "preprocessing.single_trial_betas"
    contact: ClassVar[ContactKind] = "transductive"

    method: Literal["separate", "all", "ridge"] = "separate"
    others_by_type: bool = False
    hrf: Literal["canonical", "library"] = "canonical"
    peaks_s: Annotated[tuple[PositiveFloat, ...], Field(min_length=1)] = (3.5, 4.5, 5.5, 6.5, 7.5)
    widths_s: Annotated[tuple[PositiveFloat, ...], Field(min_length=1)] = (3.5, 4.5, 5.5, 7.0)
    hrf_by: Literal["cross_validated", "in_sample"] = "cross_validated"
    fraction: Fraction | None = None
    fractions: Annotated[tuple[Fraction, ...], Field(min_length=1)] = tuple(
        round(0.05 * k, 2) for k in range(1, 21)
    )
    rescale: bool = True
    trial_types: tuple[str, ...] = ()
    nuisance_types: tuple[str, ...] = ()
    unseen_trials: Literal["refuse", "leave_out"] = "refuse"
    drift: Literal["cosine", "polynomial", "none"] = "cosine"
    cutoff_s: PositiveFloat = 128.0
    degree: NonNegativeInt | None = None
    n_noise_components: NonNegativeInt = 0
    noise_by: Literal["fixed", "cross_validated"] = "fixed"
    noise_r2: float = 0.0
    units: Literal["percent", "as_given"] = "percent"

    @model_validator(mode="after")
    def _check_settings(self) -> Self:
        if list(self.fractions) != sorted(set(self.fractions)):
            raise ValueError("fractions repeat or fall. Give each once, the smallest first.")
        if self.noise_by == "cross_validated" and self.hrf_by == "in_sample":
            raise ValueError(
                "noise_by is cross_validated, but R² is taken in sample. Set hrf_by: "
                "cross_validated, too."
            )
        if set(self.trial_types) & set(self.nuisance_types):
            raise ValueError(
                "a trial type is named in trial_types and nuisance_types. Name it in one of them."
            )
        return self

    def sees(self) -> dict[str, Sight]:
        """A beta depends on its run; a choice by voxel, on all runs."""
        chooses = (
            self.hrf == "library"
            or self.n_noise_components > 0
            or (self.method == "ridge" and self.fraction is None)
        )
        sight: Sight = "all" if chooses else "run"
        return {"responses": sight, "confounds": sight}

    def run(
        self,
        responses: Responses,
        events: Events,
        confounds: Features | None = None,
        stimuli: Stimuli | None = None,
    ) -> SingleTrialOutputs:
        """Estimate betas.

        Parameters
        ----------
        responses : Responses
            Time series, (n_scans, n_voxels), with the time of each scan in ``onset_s``.
        events : Events
            Onset and duration in seconds on the clock of the scans of their run.
        confounds : Features or None
            Of the same scans.
        stimuli : Stimuli or None
            Gives each trial its stimulus' source, digest and category.

        Returns
        -------
        responses : Responses
            (n_trials, n_voxels), at the peak of the response. Runs without trials have none. A
            trial goes by the ``sample_id`` of the scan it begins in (the next free one of its
            run, where two begin in one), so that what was seen can be followed.
        fit : Scores
            R² of each voxel, with the response (``peak_s``, ``width_s``) and ``fraction`` chosen.

        Raises
        ------
        DataError
            Trials that scans hardly see or that cannot be told apart; more regressors than scans;
            events, scans and confounds that do not fit together; a mean of zero where percent is
            asked for; no repeats in other runs to choose a fraction by.
        """
        if responses.t_r is None or len(responses.data.shape) != 2:
            raise DataError(
                f"{self.stage}: the responses are no time series: shape "
                f"{tuple(responses.data.shape)}, t_r {responses.t_r}. Allowed: (n_scans, n_voxels) "
                "with a t_r. Give the scans, not trials or epochs."
            )
        runs = collect_runs(
            responses, events, confounds, self.trial_types, self.nuisance_types, self.stage
        )
        runs = leave_out_cut_off(
            runs, self._list_shapes(), refuse=self.unseen_trials == "refuse", where=self.stage
        )
        data = [responses.read(run.rows) for run in runs]
        for run, y in zip(runs, data, strict=True):
            check_finite(y, what="responses", where=f"{self.stage}: {run.name}")
        scans = Scans(data, [self._find_scale(*pair) for pair in zip(runs, data, strict=True)])
        designs = self._make_designs(runs, responses.t_r)
        r2 = self._score(designs, scans)
        n = self.n_noise_components
        if n:
            noise = self._find_noise(designs, scans, r2.max(axis=0))
            if self.noise_by == "cross_validated":
                responds = r2.max(axis=0) >= self.noise_r2
                n = self._count_components(runs, responses.t_r, noise, scans, responds)
            designs = self._make_designs(runs, responses.t_r, [c[:, :n] for c in noise])
            r2 = self._score(designs, scans)
        chosen = np.argmax(np.where(np.isnan(r2), -np.inf, r2), axis=0)
        betas, fraction = self._estimate(designs, scans, chosen)
        samples = tabulate_trials(responses, runs, stimuli)
        made = Responses(
            data=betas,
            samples=samples,
            space=responses.space,
            units="percent" if self.units == "percent" else responses.units,
        )
        best = np.take_along_axis(r2, chosen[None], axis=0)[0]
        shapes = [self._list_shapes()[hrf] for hrf in chosen]
        return {"responses": made, "fit": describe_fit(best, shapes, fraction, n, made.space)}

    def _list_shapes(self) -> tuple[HrfShape, ...]:
        if self.hrf == "canonical":
            return (CANONICAL,)
        return tuple(HrfShape(peak, width) for peak in self.peaks_s for width in self.widths_s)

    def _find_scale(self, run: TrialRun, y: np.ndarray) -> np.ndarray:
        """Return what each voxel of a run is multiplied by."""
        if self.units == "as_given":
            return np.ones(y.shape[1])
        mean = y.mean(axis=0, dtype=np.float64)
        low = np.flatnonzero(mean <= 1e-3 * y.std(axis=0, dtype=np.float64))
        if len(low):
            raise DataError(
                f"{self.stage}: {run.name}: {len(low)} of {len(mean)} voxels have a mean near or "
                f"below zero (first: {low[:5].tolist()}), of which there is no percent. Give "
                "responses that still have their mean, mask voxels outside the brain, or set "
                "units: as_given."
            )
        return 100 / mean

    def _make_designs(
        self, runs: Sequence[TrialRun], t_r: float, noise: Sequence[np.ndarray] = ()
    ) -> list[RunDesign]:
        drifts = [self._make_drift(run.times_s, t_r) for run in runs]
        pairs = zip(drifts, noise or [d[:, :0] for d in drifts], strict=True)
        return make_designs(
            runs, self._list_shapes(), [np.column_stack(pair) for pair in pairs],
            separate=self.method == "separate", apart=self.method == "all", where=self.stage,
        )  # fmt: skip

    def _make_drift(self, times_s: np.ndarray, t_r: float) -> np.ndarray:
        """Return a constant and slow drift of one run, (n_scans, n_drifts)."""
        numbers = (times_s - times_s[0]) / t_r
        if self.drift == "polynomial":
            minutes = (times_s[-1] - times_s[0] + t_r) / 60
            degree = round(minutes / 2) if self.degree is None else self.degree
            return make_polynomials(numbers, degree)
        return make_cosines(numbers, t_r, self.cutoff_s if self.drift == "cosine" else np.inf)

    def _score(self, designs: Sequence[RunDesign], scans: Scans) -> np.ndarray:
        """Return R² of each response of the library, (n_hrfs, n_voxels)."""
        across = len(designs) > 1 and self.hrf_by == "cross_validated"
        if self.hrf == "library" and self.hrf_by == "cross_validated" and not across:
            raise DataError(
                f"{self.stage}: one run has trials, and a response chosen by cross-validation "
                "takes two or more. Set hrf_by: in_sample, or hrf: canonical."
            )
        found = [
            score_hrfs(designs, block, cross_validated=across)
            for _, block in scans.iterate(f"{self.stage}: responses of voxels")
        ]
        return np.concatenate(found, axis=1)

    def _find_noise(
        self, designs: Sequence[RunDesign], scans: Scans, r2: np.ndarray
    ) -> list[np.ndarray]:
        """Return noise components of each run."""
        voxels = np.flatnonzero(r2 < self.noise_r2)
        if len(voxels) < self.n_noise_components:
            raise DataError(
                f"{self.stage}: {len(voxels)} voxels have an R² below noise_r2 "
                f"({self.noise_r2:g}), for {self.n_noise_components} components. Raise noise_r2, "
                "or give voxels beyond the regions that respond."
            )
        return [
            find_noise_components(design, y[:, voxels] * scale[voxels], self.n_noise_components)
            for design, y, scale in zip(designs, scans.data, scans.scales, strict=True)
        ]

    def _count_components(
        self,
        runs: Sequence[TrialRun],
        t_r: float,
        noise: Sequence[np.ndarray],
        scans: Scans,
        responds: np.ndarray,
    ) -> int:
        """Return the number of components with which runs predict each other well enough."""
        if len(runs) < 2 or not responds.any():
            raise DataError(
                f"{self.stage}: {len(runs)} runs have trials and {int(responds.sum())} voxels an "
                f"R² of noise_r2 ({self.noise_r2:g}) or more. Allowed for a count of noise "
                "components: two runs, one voxel. Set noise_by: fixed."
            )
        medians = []
        for n in range(self.n_noise_components + 1):
            designs = self._make_designs(runs, t_r, [c[:, :n] for c in noise])
            medians.append(np.median(self._score(designs, scans).max(axis=0)[responds]))
        return count_components(np.array(medians))

    def _estimate(
        self, designs: Sequence[RunDesign], scans: Scans, chosen: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the betas of all runs, (n_trials, n_voxels), and the fraction of each voxel."""
        betas = np.empty((sum(d.trials.shape[2] for d in designs), len(chosen)), np.float32)
        fraction = np.ones(len(chosen))
        grid = np.array(self.fractions if self.fraction is None else (self.fraction,))
        n_copies = len(grid) if self.method == "ridge" else 1
        for some, block in scans.iterate(f"{self.stage}: betas", n_copies):
            hrfs = chosen[some]
            made = estimate_betas(
                designs, block, hrfs,
                separate=self.method == "separate", by_kind=self.others_by_type,
            )  # fmt: skip
            if self.method == "ridge":
                shrunk = estimate_ridge_betas(designs, block, hrfs, grid)
                at = np.zeros(len(hrfs), np.int64)
                if self.fraction is None:
                    at = self._choose(designs, shrunk, made)
                fraction[some] = grid[at]
                taken = [np.take_along_axis(b, at[None, None], axis=0)[0] for b in shrunk]
                if self.rescale:
                    taken = [rescale_betas(b, full) for b, full in zip(taken, made, strict=True)]
                made = taken
            betas[:, some] = np.concatenate(made)
        return betas, fraction

    def _choose(
        self, designs: Sequence[RunDesign], shrunk: list[np.ndarray], full: list[np.ndarray]
    ) -> np.ndarray:
        try:
            return choose_fractions(designs, shrunk, full)
        except ValueError as error:
            raise DataError(
                f"{self.stage}: {error}, which the choice of a fraction takes. Give a fraction "
                "between 0 and 1, or set method: separate."
            ) from error


class SingleTrialOutputs(TypedDict):
    """What the stage makes."""

    responses: Responses
    fit: Scores
