"""Leaks as users make them, each a whole pipeline beside its clean twin.

``python -m tests.attacks.leaky_pipelines`` runs all of them and prints a table.
"""

import re
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from neurodecode.core.artifacts import Scores
from neurodecode.core.pipeline import build_graph
from neurodecode.core.runner import Summary, run_graph
from neurodecode.core.store import Store

OWN = "tests.attacks.leaky_stages"
BASE = """
digits: {stage: datasets.digits, n_items: 24}
scan: {stage: datasets.simulated, stimuli: digits, n_vertices: 40, n_repeats: 2, n_runs: 4}
split: {stage: evaluation.split, responses: scan, by: stimulus, n_folds: 2}
one: {stage: evaluation.split, responses: scan, by: stimulus, test_fraction: 0.5}
runs: {stage: evaluation.split, responses: scan, by: run, leave_one_out: true}
trials: {stage: evaluation.split, responses: scan, by: sample, n_folds: 2}
pixels: {stage: features.pixels, stimuli: digits}
"""


def decode(
    responses: str = "scan", features: str = "pixels", split: str = "split", *, name="decoded",
    alphas: str = "[10]", more: str = "",
) -> str:  # fmt: skip
    return (
        f"{name}: {{stage: decoding.ridge, constant_targets: predict, alphas: {alphas}, "
        f"responses: {responses}, features: {features}, split: {split}{more}}}\n"
    )


def identify(predictions: str = "decoded", features: str = "pixels", name: str = "scores") -> str:
    return (
        f"{name}: {{stage: evaluation.identification, predictions: {predictions}, "
        f"features: {features}, n_permutations: 0, n_bootstrap: 50}}\n"
    )


def show(images: str = "linear", stimuli: str = "digits") -> str:
    return (
        f"scores: {{stage: evaluation.pixcorr, reconstructions: {images}, stimuli: {stimuli}, "
        "n_permutations: 0, n_bootstrap: 50}\n"
    )


def score_encoding(responses: str = "scan", predictions: str = "encoded", name="scores") -> str:
    return (
        f"{name}: {{stage: evaluation.encoding, predictions: {predictions}, "
        f"responses: {responses}, n_permutations: 0, n_bootstrap: 20}}\n"
    )


def encode(responses: str = "scan", features: str = "pixels", split: str = "split") -> str:
    return (
        f"encoded: {{stage: encoding.ridge, alphas: [10], responses: {responses}, "
        f"features: {features}, split: {split}}}\n"
    )


LINEAR = "linear: {stage: reconstruction.pixels, features: decoded}\n"
DECODED = decode() + LINEAR + show()
IDENTIFIED = decode() + identify()


def record(split: str, aligned: str = "shown: {stage: alignment.hrf, %s}\n") -> str:
    """A time series, features of its scans, and a split of it."""
    return (
        "film: {stage: datasets.simulated, stimuli: digits, n_vertices: 40, n_repeats: 2, "
        "n_runs: 4, output: timeseries}\n"
        + aligned % "events: film.events, responses: film, features: pixels"
        + f"late: {{stage: evaluation.split, responses: film, {split}}}\n"
    )


def zscore(how: str) -> str:
    return f"zscored: {{stage: preprocessing.zscore, responses: scan, {how}}}\n"


SERIES = (
    "series: {stage: datasets.simulated, stimuli: digits, n_vertices: 40, n_repeats: 1, n_runs: 4, "
    "output: timeseries, isi_s: 6.0, t_r: 1.5}\n"
)
BETAS_DECODED = (
    "by_run: {stage: evaluation.split, responses: betas.responses, by: run, leave_one_out: true}\n"
    + decode("betas.responses", split="by_run")
    + identify()
)


def estimate_betas(how: str) -> str:
    return (
        "betas: {stage: preprocessing.single_trial_betas, responses: series.responses, "
        f"events: series.events, stimuli: digits, units: as_given, {how}}}\n"
    )


def select(how: str, name: str = "selected") -> str:
    return f"{name}: {{stage: preprocessing.select_voxels, responses: scan, n_voxels: 10, {how}}}\n"


def reduce(how: str) -> str:
    return f"pca: {{stage: features.pca, features: pixels, n_components: 5, {how}}}\n"


def whiten(how: str) -> str:
    return f"white: {{stage: preprocessing.noise_normalization, responses: scan, {how}}}\n"


def generate(more: str, stimuli: str = "digits") -> str:
    return (
        f"generator: {{stage: reconstruction.train_diffusion, stimuli: {stimuli}, size_px: 16, "
        f"patch_px: 2, widths: [8, 8], n_steps: 2, batch_size: 4, n_warmup: 1, {more}}}\n"
    )


def draw() -> str:
    return (
        "images: {stage: reconstruction.diffusion, model: generator, features: decoded, "
        "n_steps: 1}\n"
    )


def retrieve(more: str = "") -> str:
    return (
        "shown: {stage: reconstruction.retrieval, predictions: decoded, gallery: pixels, "
        f"stimuli: digits{more}}}\n"
    )


def collect(how: str, by: str, anonymous: bool = False) -> str:
    """Two crops of each image, or two names for it, seen once each."""
    seen = "anonymous" if anonymous else "seen"
    return (
        f"collection: {{stage: '{OWN}:Collection', stimuli: digits, how: {how}}}\n"
        "seen: {stage: datasets.simulated, stimuli: collection, n_vertices: 40, n_repeats: 1, "
        "n_runs: 4}\n"
        f"anonymous: {{stage: '{OWN}:Anonymous', responses: seen}}\n"
        f"apart: {{stage: evaluation.split, responses: {seen}, by: {by}, n_folds: 2}}\n"
        "described: {stage: features.pixels, stimuli: collection}\n"
    )


def calibrate(more: str = "") -> str:
    return (
        f"calibrated: {{stage: '{OWN}:Calibrate', predictions: decoded.predictions, "
        f"features: pixels, split: split{more}}}\n"
    )


def apply(responses: str, split: str) -> str:
    return (
        f"decoded: {{stage: '{OWN}:Apply', responses: {responses}, model: fitted.model, "
        f"split: {split}}}\n"
    )


def stack(*subjects: str, by: str, how: str = "n_folds: 2") -> str:
    scans = "".join(
        f"scan{s}: {{stage: datasets.simulated, stimuli: digits, n_vertices: 40, n_repeats: 1, "
        f"n_runs: 2, subject: '{s}'}}\n"
        for s in subjects
    )
    given = ", ".join(f"'{s}': scan{s}" for s in subjects)
    return (
        f"{scans}all: {{stage: alignment.stack, responses: {{{given}}}}}\n"
        f"split_all: {{stage: evaluation.split, responses: all, by: {by}, {how}}}\n"
    )


RETRAIN = """\
once: {stage: datasets.simulated, stimuli: digits, n_vertices: 40, n_repeats: 1, n_runs: 2}
split_once: {stage: evaluation.split, responses: once, by: stimulus, n_folds: 2}
"""
PRETRAIN = (
    stack("01", "02", by="stimulus")
    + """\
split01: {stage: evaluation.split, responses: scan01, by: stimulus, n_folds: 2}
split02: {stage: evaluation.split, responses: scan02, by: stimulus, n_folds: 2, seed: 1}
"""
)
MOVIE = f"movie: {{stage: '{OWN}:Movie'}}\n"
PICKED = f"""\
best: {{stage: '{OWN}:PickBest', predictions: tried, scores: tests, gather: alpha}}
"""
BORROWED = f"""\
halves: {{stage: evaluation.split, responses: scan, by: stimulus, test_fraction: 0.3,
         validation_fraction: 0.4}}
borrowed: {{stage: '{OWN}:ValidationAsTest', split: halves}}
"""
LOCALIZER = """\
others: {stage: datasets.digits, n_items: 24, first: 100}
other_scan: {stage: datasets.simulated, stimuli: others, n_vertices: 40, n_repeats: 2, n_runs: 4,
             session: "02"}
other_pixels: {stage: features.pixels, stimuli: others}
other_split: {stage: evaluation.split, responses: other_scan, by: stimulus, n_folds: 2}
"""
TRANSDUCTIVE = ', allow_transductive: "as published"'


@dataclass(frozen=True)
class Leak:
    """A leak and its clean twin.

    Parameters
    ----------
    name : str
    steps, twin : str
        Added to BASE. The twin is free of leaks and of the notice.
    step : str
        That the message must name.
    notice : str
        How the notice begins, where the leak is flagged and not stopped.
    each : str
        Variables of both.
    slow : bool
        Beyond the default suite: another form of a leak that is tried there.
    """

    name: str
    steps: str
    step: str
    twin: str
    notice: str = ""
    each: str = ""
    slow: bool = False

    @property
    def is_transductive(self) -> bool:
        """Tell whether the file may name it."""
        return "NAMED" in self.steps


KNOWN_STIMULI = "The split does not keep stimuli apart"
NEIGHBOURS = "Neighbours in one run"

LEAKS = (
    Leak(
        "z-scoring over all trials",
        "scan1: {stage: datasets.simulated, stimuli: digits, n_vertices: 40, n_runs: 1, "
        "n_repeats: 2, repeat_within_run: true}\n"
        "split1: {stage: evaluation.split, responses: scan1, by: stimulus, n_folds: 2}\n"
        "zscored: {stage: preprocessing.zscore, responses: scan1, per: run NAMED}\n"
        + decode("zscored", split="split1") + identify(),
        "zscored",
        zscore("per: training, split: split") + decode("zscored") + identify(),
    ),
    Leak(
        "z-scoring within runs that are then split",
        zscore("per: run NAMED") + decode("zscored") + identify(),
        "zscored",
        zscore("per: run") + decode("zscored", split="runs") + identify(),
        slow=True,
    ),
    Leak(
        "z-scoring within runs that are then cut into blocks",
        record("by: block, n_folds: 2, purge: 4")
        + "zscored: {stage: preprocessing.zscore, responses: film, per: run NAMED}\n"
        + encode("zscored", "shown", "late") + score_encoding("zscored"),
        "zscored",
        record("by: run, n_folds: 2")
        + "zscored: {stage: preprocessing.zscore, responses: film, per: run}\n"
        + encode("zscored", "shown", "late") + score_encoding("zscored"),
    ),
    Leak(
        "voxel selection by reliability over all trials",
        select("by: reliability NAMED") + decode("selected") + LINEAR + show(),
        "selected",
        select("by: reliability, split: split") + decode("selected") + LINEAR + show(),
    ),
    Leak(
        "voxel selection by encoding score over all trials",
        select("by: encoding, features: pixels, alphas: [10]") + decode("selected") + identify(),
        "selected",
        select("by: encoding, features: pixels, alphas: [10], split: split")
        + decode("selected") + identify(),
    ),
    Leak(
        "voxel selection by encoding score on test rows",
        encode() + score_encoding(name="map") + select("by: scores, scores: map")
        + decode("selected") + identify(),
        "map",
        LOCALIZER + encode("other_scan", "other_pixels", "other_split")
        + score_encoding("other_scan", name="map") + select("by: scores, scores: map")
        + decode("selected") + identify(),
    ),
    Leak(
        "voxel selection by noise ceiling over all trials",
        "ceiling: {stage: evaluation.noise_ceiling, responses: scan NAMED}\n"
        + select("by: scores, scores: ceiling") + decode("selected") + identify(),
        "ceiling",
        LOCALIZER
        + "ceiling: {stage: evaluation.noise_ceiling, responses: other_scan}\n"
        + select("by: scores, scores: ceiling") + decode("selected") + identify(),
        slow=True,
    ),
    Leak(
        "betas by a response that is chosen over all runs, test trials among them",
        SERIES + estimate_betas("hrf: library NAMED") + BETAS_DECODED,
        "betas",
        SERIES + estimate_betas("method: all") + BETAS_DECODED,
    ),
    Leak(
        "alpha chosen on test rows",
        decode(name="tried", alphas="['${alpha}']") + identify("tried", name="tests") + PICKED
        + identify("best"),
        "best",
        decode(alphas="[1, 1000]") + identify(),
        each="alpha: [1, 1000]",
    ),
    Leak(
        "PCA over all stimuli",
        reduce("fit_on: all NAMED") + decode(features="pca", split="one")
        + identify(features="pca"),
        "pca",
        reduce("fit_on: training, split: one") + decode(features="pca", split="one")
        + identify(features="pca"),
    ),
    Leak(
        "PCA over all stimuli, each shown in one run, split by run",
        RETRAIN.replace("split_once: {", "runs_once: {").replace(
            "by: stimulus, n_folds: 2", "by: run, leave_one_out: true")
        + reduce("fit_on: all NAMED") + decode("once", "pca", "runs_once")
        + identify(features="pca"),
        "pca",
        "others: {stage: datasets.digits, n_items: 24, first: 100}\n"
        "other_pixels: {stage: features.pixels, stimuli: others}\n"
        + RETRAIN.replace("split_once: {", "runs_once: {").replace(
            "by: stimulus, n_folds: 2", "by: run, leave_one_out: true")
        + reduce("fit_on: reference, reference: other_pixels") + decode("once", "pca", "runs_once")
        + identify(features="pca"),
    ),
    Leak(
        "PCA on a reference that holds test stimuli",
        "more: {stage: datasets.digits, n_items: 30, first: 20}\n"
        "more_pixels: {stage: features.pixels, stimuli: more}\n"
        + reduce("fit_on: reference, reference: more_pixels NAMED") + decode(features="pca")
        + identify(features="pca"),
        "pca",
        "more: {stage: datasets.digits, n_items: 30, first: 24}\n"
        "more_pixels: {stage: features.pixels, stimuli: more}\n"
        + reduce("fit_on: reference, reference: more_pixels") + decode(features="pca")
        + identify(features="pca"),
        slow=True,
    ),
    Leak(
        "noise normalisation over all epochs",
        whiten("per: session NAMED") + decode("white", split="one") + identify(),
        "white",
        whiten("per: training, split: one") + decode("white", split="one") + identify(),
    ),
    Leak(
        "crops of one photograph on both sides",
        collect("crops", "'column:stimulus_id'") + decode("seen", "described", "apart")
        + identify(features="described"),
        "decoded",
        collect("crops", "stimulus") + decode("seen", "described", "apart")
        + identify(features="described"),
    ),
    Leak(
        "crops, in encoding, of samples that know only ids",
        collect("crops", "stimulus", anonymous=True) + encode("anonymous", "described", "apart")
        + score_encoding("anonymous"),
        "encoded",
        collect("crops", "stimulus") + encode("seen", "described", "apart")
        + score_encoding("seen"),
    ),
    Leak(
        "one stimulus on both sides, under another name",
        collect("copies", "'column:stimulus_id'") + decode("seen", "described", "apart")
        + identify(features="described"),
        "decoded",
        collect("copies", "stimulus") + decode("seen", "described", "apart")
        + identify(features="described"),
    ),
    Leak(
        "another name, of samples that know only ids",
        collect("copies", "stimulus", anonymous=True) + decode("anonymous", "described", "apart")
        + identify(features="described"),
        "decoded",
        collect("copies", "stimulus") + decode("seen", "described", "apart")
        + identify(features="described"),
        slow=True,
    ),
    Leak(
        "one stimulus on both sides, reconstructed",
        decode(split="trials") + LINEAR + show(),
        "decoded",
        DECODED,
    ),
    Leak(
        "repeats of an image across splits",
        decode(split="trials") + identify(),
        "decoded",
        IDENTIFIED,
        notice=KNOWN_STIMULI,
    ),
    Leak(
        "first showings train, second ones test",
        "shows: {stage: evaluation.split, responses: scan, by: 'column:repeat', "
        "leave_one_out: true}\n" + decode(split="shows") + identify(),
        "decoded",
        IDENTIFIED,
        notice=KNOWN_STIMULI,
        slow=True,
    ),
    Leak(
        "neighbours of one run on both sides",
        decode(split="trials") + identify(),
        "decoded",
        decode(split="runs") + identify(),
        notice=NEIGHBOURS,
    ),
    Leak(
        "neighbouring scans of a time series",
        MOVIE + "scans: {stage: evaluation.split, responses: movie, by: sample, n_folds: 2}\n"
        + encode("movie", "movie", "scans") + score_encoding("movie"),
        "encoded",
        MOVIE + "scans: {stage: evaluation.split, responses: movie, by: run, leave_one_out: true}\n"
        + encode("movie", "movie", "scans") + score_encoding("movie"),
        notice=NEIGHBOURS,
    ),
    Leak(
        "a generator trained on test images",
        decode() + generate("features: pixels") + draw() + show("images"),
        "generator",
        decode() + generate("features: pixels, split: split") + draw() + show("images"),
    ),
    Leak(
        "a gallery that holds the test images",
        decode() + retrieve() + show("shown"),
        "shown",
        decode() + retrieve(", split: split") + show("shown"),
        slow=True,
    ),
    Leak(
        "a validation set used as test",
        BORROWED + decode(split="halves", alphas="[1, 1000]", name="fitted")
        + apply("scan", "borrowed") + identify(),
        "fitted",
        BORROWED + decode(split="halves", alphas="[1, 1000]", name="fitted")
        + apply("scan", "halves") + identify(),
    ),
    Leak(
        "a second fit on out-of-fold predictions, scored on its own rows",
        decode(more=", nested: true") + calibrate() + identify("calibrated"),
        "calibrated",
        decode(more=", nested: true") + calibrate(", training: decoded.training, nested: true")
        + identify("calibrated"),
    ),
    Leak(
        "a second fit on what other folds' models made of the training items",
        RETRAIN + decode("once", split="split_once", name="first")
        + "linear: {stage: reconstruction.pixels, features: first}\n"
        "again: {stage: features.pixels, stimuli: linear}\n"
        f"flat: {{stage: '{OWN}:OneSample', features: again}}\n"
        + decode("once", "flat", "split_once") + identify(),
        "decoded",
        RETRAIN + decode("once", split="split_once") + identify(),
    ),
    Leak(
        "a model of a subject who saw the test stimuli",
        PRETRAIN + decode("scan01", split="split01", name="fitted") + apply("scan02", "split02")
        + identify(),
        "fitted",
        PRETRAIN + decode("all", split="split_all") + identify(),
    ),
    Leak(
        "pretraining subjects who saw the test stimuli, split by subject",
        stack("01", "02", "03", by="subject", how="leave_one_out: true")
        + decode("all", split="split_all") + identify(),
        "decoded",
        stack("01", "02", "03", by="stimulus") + decode("all", split="split_all") + identify(),
        notice=KNOWN_STIMULI,
    ),
    Leak(
        "true features handed in, split by run",
        decode(split="runs") + f"peeked: {{stage: '{OWN}:Peek', predictions: decoded, "
        "features: pixels}\n" + identify("peeked"),
        "peeked",
        decode(split="runs") + identify(),
    ),
    Leak(
        "true features shown as reconstructions",
        "linear: {stage: reconstruction.pixels, features: pixels}\n" + show(),
        "linear",
        DECODED,
        slow=True,
    ),
    Leak(
        "measured responses handed in as predicted",
        f"encoded: {{stage: '{OWN}:MeasuredAsPredicted', responses: scan, split: split}}\n"
        + score_encoding(),
        "encoded",
        encode() + score_encoding(),
    ),
    Leak(
        "one model made of the training rows of all folds",
        f"mean: {{stage: '{OWN}:OneModel', features: pixels, split: split}}\n" + decode()
        + f"moved: {{stage: '{OWN}:AddModel', predictions: decoded, model: mean}}\n"
        + identify("moved"),
        "mean",
        IDENTIFIED,
        slow=True,
    ),
    Leak(
        "repeats averaged across runs, then split by run",
        f"mean: {{stage: '{OWN}:Average', responses: scan}}\n"
        "mean_runs: {stage: evaluation.split, responses: mean, by: run, n_folds: 2}\n"
        + decode("mean", split="mean_runs") + identify(),
        "mean",
        f"mean: {{stage: '{OWN}:Average', responses: scan}}\n"
        "mean_split: {stage: evaluation.split, responses: mean, by: stimulus, n_folds: 2}\n"
        + decode("mean", split="mean_split") + identify(),
    ),
    Leak(
        "a metric that does not say that it scores",
        select("by: reliability NAMED") + decode("selected")
        + f"scores: {{stage: '{OWN}:OwnAccuracy', predictions: decoded, features: pixels}}\n",
        "selected",
        select("by: reliability, split: split") + decode("selected")
        + f"scores: {{stage: '{OWN}:OwnAccuracy', predictions: decoded, features: pixels}}\n",
    ),
)  # fmt: skip


def run_steps(cache: Path, steps: str, *, each: str = "", more: str = "") -> Summary:
    """Run the base and these steps, in one cache."""
    repeated = f"each: {{{each}}}" if "${" in steps else ""  # an honest twin may need none
    head = f"seed: 0\n{repeated}\nsteps:\n"
    text = "".join(f"  {line}\n" for line in (BASE + steps).splitlines())
    graph = build_graph(head + text + more, cache / "leak.yaml")
    return run_graph(graph, Store(cache))


def find_error(summary: Summary, last: str = "scores") -> str:
    """Return why the scoring step failed, "" if it did not; any other failure is an error."""
    others = {name: o.error for (name, _), o in summary.failed.items() if name != last}
    assert not others, others
    return "".join(outcome.error for outcome in summary.failed.values())


def read_notices(cache: Path, summary: Summary, step: str = "scores") -> Sequence[str]:
    """Return what the scores carry to the report."""
    card = next(card for (name, _), card in summary.cards.items() if name == step)
    scores = Store(cache).read(card)["scores"]
    assert isinstance(scores, Scores)
    return scores.notices


def try_out(cache: Path, leak: Leak) -> tuple[str, str]:
    """Run a leak and its twin; return what each came to, in a few words."""
    done = run_steps(cache, leak.steps.replace(" NAMED", ""), each=leak.each)
    error = find_error(done)
    named = re.search(r"step '([^']+)' has seen the ([^ ]+)", error)
    if named:
        came = f"LeakageError, {named[2]}: '{named[1]}'"
    else:
        flags = [n for n in read_notices(cache, done) if leak.notice and n.startswith(leak.notice)]
        found = re.search(r"'([^']+)'", flags[0]) if flags else None
        came = f"flagged: '{found[1]}'" if found else "nothing"
    done = run_steps(cache, leak.twin, each=leak.each)
    twin = find_error(done)
    if not twin and leak.notice:
        flags = [n for n in read_notices(cache, done) if n.startswith(leak.notice)]
        twin = "flagged" if flags else ""
    return came, twin or "passes"


def main() -> None:
    """Print what becomes of every leak, as a table in Markdown."""
    print("| leak | what happens, and the step named | named in the file | twin |")
    print("|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for leak in LEAKS:
            came, twin = try_out(Path(folder), leak)
            allowed = "allowed, printed" if leak.is_transductive else "stays"
            print(f"| {leak.name} | {came} | {allowed} | {twin} |")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
