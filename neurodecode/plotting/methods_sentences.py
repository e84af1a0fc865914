"""One sentence or two for each step that was run, in the past tense, from its settings.

A stage without a sentence here is told by its own first line and by its settings, so that nothing
that was run goes unsaid. Settings are read as the record has them: where branches differ, all
values with bars between them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from neurodecode.plotting.report_context import StepRecord

Settings = dict[str, Any]
UNITS = {"sample": "single samples", "stimulus": "stimuli", "category": "categories", "run": "runs",
         "session": "sessions", "subject": "subjects", "block": "blocks of scans"}  # fmt: skip
CORRECTIONS = {
    "fdr": "the false discovery rate (Benjamini and Hochberg 1995)",
    "fdr_by": "the false discovery rate under any dependence (Benjamini and Yekutieli 2001)",
    "max": "the family-wise error by the maximum statistic (Nichols and Holmes 2002)",
    "cluster_size": "the family-wise error by the size of clusters (Nichols and Holmes 2002)",
    "cluster_mass": "the family-wise error by the mass of clusters (Bullmore et al. 1999)",
    "tfce": "the family-wise error by threshold-free cluster enhancement (Smith and Nichols 2009)",
}
NULLS = {
    "exchange": "by exchanging the predictions of whole {unit}",
    "blocks": "by permuting blocks of scans",
    "circular_shift": "by circular shifts within runs",
    "phases": "by randomising phases within runs",
    "auto": "by exchanging whole {unit}, or in time series by phases, blocks or shifts of scans",
}
# For stages without a sentence of their own.
OPENERS = {
    "datasets": "Data ({name}) came from", "preprocessing": "Responses ({name}) went through",
    "features": "Features ({name}) were computed by", "alignment": "Time ({name}) was aligned by",
    "encoding": "Encoding models ({name}) were fitted by",
    "decoding": "Decoding models ({name}) were fitted by",
    "reconstruction": "Reconstructions ({name}) were made by",
    "evaluation": "Results ({name}) were evaluated by",
}  # fmt: skip
QUIET = ("title", "seed", "source", "colours", "form", "limits", "sides", "zoom", "labels")


def write_sentence(step: StepRecord, tests: bool | None, null: str = "") -> str:
    """Return what was done in a step.

    Parameters
    ----------
    tests : bool or None
        Of a step that scores, whether p-values were computed; None where that is not known.
    null : str
        What its scores say of the null that was chosen for them, "" if nothing.
    """
    writer = WRITERS.get(step.stage)
    if writer is not None:
        text = writer(step.settings)
        if step.stage in TESTED and tests is False:
            return f"{text} No p-values were computed."
        return f"{text} {_tell_test(step.settings, tests, null)}" if step.stage in TESTED else text
    opener = OPENERS.get(step.stage.partition(".")[0], "{name} was made by").format(name=step.name)
    first = step.doc.rstrip(".")
    return f"{opener} {step.stage} ({first}{_list_settings(step.settings)})."


def _list_settings(settings: Settings) -> str:
    told = [
        f"{name} {_say(value)}"
        for name, value in settings.items()
        if name not in QUIET and value not in (None, "", [], {})
    ]
    return f": {'; '.join(told)}" if told else ""


def _say(value: Any) -> str:
    """Return a setting for reading."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        shown = [_say(v) for v in value]
        if len(shown) > 6:
            return f"{shown[0]} to {shown[-1]} ({len(shown)} values)"
        return ", ".join(shown)
    if isinstance(value, dict):
        return ", ".join(f"{key} {_say(v)}" for key, v in value.items())
    return str(value)


def _zscore(s: Settings) -> str:
    if s.get("per") == "training":
        return "Responses were z-scored per voxel with the mean and deviation of the training rows."
    return f"Responses were z-scored per voxel within each {_say(s.get('per', 'run'))}."


def _detrend(s: Settings) -> str:
    if s.get("cutoff_s"):
        how = f"cosines below 1/{_say(s['cutoff_s'])} Hz"
    elif s.get("degree") is not None:
        how = f"polynomials of degree {_say(s['degree'])}"
    else:
        how = "slow trends"
    return f"From each run, {how} were removed by regression."


def _fmriprep(s: Settings) -> str:
    confounds = _say(s["confounds"]) if s.get("confounds") else ""
    parts = [
        f"space {_say(s['space'])}" if s.get("space") else "",
        f"the {_say(s.get('mask', 'intersection'))} of the runs' brain masks",
        f"confounds: {confounds}" if confounds else "no confounds",
    ]
    told = "; ".join(part for part in parts if part)
    return (
        f"BOLD of subject {_say(s.get('subject', ''))}, preprocessed with fMRIPrep (Esteban et "
        f"al. 2019), was read from its derivatives ({told})."
    )


def _images(s: Settings) -> str:
    size = f", cut to squares of {_say(s['size_px'])} pixels" if s.get("size_px") else ""
    return f"Stimuli were images{size}."


def _confounds(s: Settings) -> str:
    if s.get("high_pass_s"):
        drift = f"cosines slower than {_say(s['high_pass_s'])} s"
    elif s.get("polynomial") is not None:
        drift = f"polynomials of degree {_say(s['polynomial'])}"
    else:
        drift = "the mean"
    scaled = {"z": " Runs were then z-scored.", "percent": " Values are percent of the run's mean."}
    return (
        f"Confounds and {drift} were removed from each run in one projection (Lindquist et al. "
        f"2019).{scaled.get(str(s.get('standardize')), '')}"
    )


def _smooth(s: Settings) -> str:
    width = _say(s.get("fwhm_mm", ""))
    return f"Responses were smoothed with {width} mm (full width at half maximum)."


def _lag_check(s: Settings) -> str:
    shift = f", after a shift of {_say(s['shift_s'])} s" if s.get("shift_s") else ""
    return (
        "That responses follow their events by a haemodynamic delay was checked by moving onsets "
        f"by up to {_say(s.get('longest_shift_s', 12))} s either way{shift}."
    )


def _split_scores(s: Settings) -> str:
    score = "R²" if s.get("metric", "r2") == "r2" else "Correlation"
    return (
        f"{score} was split into the shares of the bands, which add up to it (product measure; "
        "Dupré la Tour et al. 2022)."
    )


def _partitioning(s: Settings) -> str:
    return (
        "Unique and shared variance of the feature spaces followed from models of all their "
        "subsets, by inclusion and exclusion."
    )


def _delays(s: Settings) -> str:
    return (
        f"To let the model learn the haemodynamic response, features were copied at delays of "
        f"{_say(s.get('delays', s.get('delays_s', '')))} scans, within runs."
    )


def _hrf(s: Settings) -> str:
    more = "" if s.get("derivatives", "none") == "none" else f" and its {_say(s['derivatives'])}"
    shift = f" Onsets were shifted by {_say(s['shift_s'])} s." if s.get("shift_s") else ""
    return (
        f"Events were convolved with the {_say(s.get('model', ''))} haemodynamic response "
        f"function{more}, within runs.{shift}"
    )


def _split(s: Settings) -> str:
    by = str(s.get("by", "stimulus"))
    units = UNITS.get(by, by)
    if s.get("leave_one_out"):
        text = f"Each of the {units} was held out once in cross-validation."
    elif s.get("n_folds"):
        text = f"{_say(s['n_folds'])}-fold cross-validation held out whole {units}."
    elif s.get("test_fraction"):
        text = f"Of the {units}, {_say(s['test_fraction'])} were held out for testing."
    elif s.get("test_where"):
        text = f"Rows with {_say(s['test_where'])} were held out for testing."
    else:
        text = f"Training and test rows shared no {units}."
    purge = f" {_say(s['purge'])} scans at the edges were purged." if s.get("purge") else ""
    return text + purge


def _ridge(what: str, target: str) -> Callable[[Settings], str]:
    def write(s: Settings) -> str:
        each = "for each " + target if s.get("alpha_per_target", True) else "jointly"
        score = "R²" if s.get("scoring", "r2") == "r2" else "correlation"
        scaled = " after standardisation of its inputs" if s.get("standardize") else ""
        return (
            f"{what} by ridge regression{scaled}; the penalty was chosen {each} from "
            f"{_say(s.get('alphas', []))} by the {score} in "
            f"{_say(s.get('n_inner_folds', ''))} inner folds of the training rows."
        )

    return write


def _banded(s: Settings) -> str:
    return (
        "Voxelwise encoding models were fitted by banded ridge regression (Nunez-Elizalde et al. "
        f"2019; Dupré la Tour et al. 2022); {_say(s.get('n_candidates', ''))} weightings of the "
        f"bands and the penalties {_say(s.get('alphas', []))} were tried for each voxel in "
        f"{_say(s.get('n_inner_folds', ''))} inner folds of the training rows."
    )


def _encoding_scores(s: Settings) -> str:
    within = {"fold": "held-out fold", "run": "held-out run"}.get(str(s.get("within", "fold")))
    where = f"within each {within}" if within else "over the pooled rows of all folds"
    if s.get("metric", "r") == "r":
        mean = " and averaged by Fisher's z" if within else ""
        return f"Predictions were correlated with the measured responses {where}{mean}."
    return f"R² of the predictions was taken {where}; it can be negative."


def _rois(s: Settings) -> str:
    return (
        f"{_encoding_scores(s)[:-1]}, and the {_say(s.get('statistic', 'mean'))} was taken over "
        "the voxels of each region, with intervals over independent units."
    )


def _tell_test(s: Settings, tests: bool | None, null: str) -> str:
    """Return how p-values were computed; with a caveat where it is not known that they were."""
    if s.get("null") == "none" or not s.get("n_permutations", 0):
        return "No p-values were computed."
    unit = UNITS.get(str(s.get("unit", "stimulus")), "units")
    how = NULLS.get(str(s.get("null", "auto")), _say(s.get("null"))).format(unit=unit)
    how = f"against a null in which {null}" if null else how
    correction = CORRECTIONS.get(str(s.get("correction", "fdr")), _say(s.get("correction")))
    where = "" if tests else ", where the design allows it,"
    return (
        f"Significance was{where} tested {how}, {int(s['n_permutations']):,} times, controlling "
        f"{correction}."
    )


def _ceiling(s: Settings) -> str:
    methods = {
        "ncsnr": "from the ratio of signal to noise between repeats (Allen et al. 2022)",
        "split_half": "from the correlation between repeats with the Spearman-Brown formula",
        "explainable_variance": "as explainable variance, corrected for bias",
    }
    how = methods.get(str(s.get("method")), f"by {_say(s.get('method'))}")
    unit = "r²" if s.get("scale", "r2") == "r2" else "r"
    return f"Noise ceilings, in {unit}, were estimated {how}."


def _map(s: Settings) -> str:
    passes = []
    if s.get("q_threshold") is not None:
        passes.append(f"q < {_say(s['q_threshold'])} where q was computed")
    if s.get("value_threshold") is not None:
        passes.append(f"a distance from zero of {_say(s['value_threshold'])} or more")
    if not passes:
        return "Maps show all values, without a threshold."
    below = (
        "values below fade with the square of how near they come (Taylor et al. 2023)"
        if s.get("below_threshold", "fade") == "fade"
        else "values below are hidden"
    )
    divided = (
        f" Values were divided by their noise ceiling where it exceeded {_say(s['ceiling_min'])}."
        if s.get("divide_by_ceiling")
        else ""
    )
    return f"Maps mark {' and '.join(passes)}; {below}.{divided}"


TESTED = ("evaluation.encoding", "evaluation.rois")
WRITERS: dict[str, Callable[[Settings], str]] = {
    "datasets.fmriprep": _fmriprep,
    "datasets.images": _images,
    "preprocessing.confounds": _confounds,
    "preprocessing.smooth": _smooth,
    "evaluation.lag_check": _lag_check,
    "evaluation.split_scores": _split_scores,
    "evaluation.variance_partitioning": _partitioning,
    "preprocessing.zscore": _zscore,
    "preprocessing.detrend": _detrend,
    "alignment.delays": _delays,
    "alignment.hrf": _hrf,
    "evaluation.split": _split,
    "encoding.ridge": _ridge("Voxelwise encoding models were fitted", "voxel"),
    "decoding.ridge": _ridge("Features were decoded from the responses", "feature"),
    "encoding.banded_ridge": _banded,
    "evaluation.encoding": _encoding_scores,
    "evaluation.rois": _rois,
    "evaluation.noise_ceiling": _ceiling,
    "plotting.brain_map": _map,
    "plotting.volume_map": _map,
    "plotting.interactive_map": _map,
}
