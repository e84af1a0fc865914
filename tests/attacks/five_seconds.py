"""A pipeline of about five seconds with every kind of writer, run as a user would: in a process.

    recording   raw file to responses and features           two outputs
    large       32 MB that do not compress                   a kill lands while it is written
    pieces      eight pieces of 1 MB                         block-wise, resumed at its piece
    scaled      three branches, gathered by joined           each and gather
    shuffled    real stage, three shuffles                   rows moved
    decoded     ridge by fold
    scores      each key leaves a look                       looks
    picture     a figure                                     Document
    report      real stage; written beside the results       results/

Every own step leaves a line in a diary when it has computed: step, settings, host and process. The
diary tells who computed what, and that nothing was computed twice.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import numpy as np

import neurodecode

N_SAMPLES, N_VOXELS, N_FEATURES = 32, 24, 6

HEAD = '''\
"""A stage of the five-second pipeline."""

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, TypedDict

import numpy as np

from neurodecode.core.artifacts import Document, Features, Predictions, Responses, Scores, Split
from neurodecode.core.digests import digest_array
from neurodecode.core.rows import list_predicted_rows
from neurodecode.core.stage import Stage
from neurodecode.core.tables import Table

SECONDS = float(os.environ["FIVE_SECONDS_SLEEP"])


def note(stage, what=""):
    """Work a little, then leave a line in the diary."""
    time.sleep(SECONDS)
    name = type(stage).__name__.lower()
    line = f"{name} {what} {os.getpid()}\\n"
    with Path(os.environ["FIVE_SECONDS_DIARY"]).open("a") as stream:
        stream.write(line)


'''
STAGES = {
    "recording": '''
        class Outputs(TypedDict):
            responses: Responses
            features: Features


        class Recording(Stage):
            """Read responses and features."""

            stage: ClassVar[str] = "five.recording:Recording"
            path: str

            def sources(self):
                return (Path(self.path),)

            def run(self) -> Outputs:
                with np.load(self.path) as raw:
                    responses, features = raw["responses"], raw["features"]
                n = len(features)
                ids = np.array([f"stimulus{i}" for i in range(n)])
                same = {"source": ids, "digest": ids}
                samples = Table({
                    "sample_id": np.array([f"sample{i}" for i in range(n)]),
                    "subject": np.full(n, "01"), "session": np.full(n, "1"),
                    "run": np.array([str(i * 4 // n) for i in range(n)]),
                    "onset_s": np.arange(n) * 2.0, "stimulus_id": ids,
                    "repeat": np.zeros(n, int), **same,
                })
                note(self)
                return {
                    "responses": Responses(data=responses, samples=samples),
                    "features": Features(data=features, items=Table({"id": ids, **same})),
                }
        ''',
    "large": '''
        class Large(Stage):
            """Many features of each stimulus."""

            stage: ClassVar[str] = "five.large:Large"
            megabytes: int

            def sees(self):
                return {"features": "row"}

            def run(self, features: Features) -> Features:
                n = len(features.items)
                rng = np.random.default_rng(0)
                width = self.megabytes * 2**20 // (4 * n)
                first = np.asarray(features.data[:, :1], np.float32)
                data = rng.random((n, width), np.float32) + first
                note(self)
                return replace(features, data=data)
        ''',
    "pieces": '''
        class Pieces(Stage):
            """Work in eight pieces."""

            stage: ClassVar[str] = "five.pieces:Pieces"

            def blocks(self, **inputs):
                return [f"piece{i}" for i in range(8)]

            def run_block(self, block, *, features):
                i = int(block[-1])
                width = features.data.shape[1] // 8
                part = np.asarray(features.data[:, i * width : (i + 1) * width])
                note(self, block)
                return {"part": part[:, :8192] ** 2}

            def assemble(self, parts, *, features):
                data = np.concatenate([np.asarray(p["part"]) for p in parts.values()], axis=1)
                note(self, "whole")
                return replace(features, data=data)

            def run(self, features: Features) -> Features:
                return self.run_in_blocks(features=features)
        ''',
    "scaled": '''
        class Scaled(Stage):
            """Multiply."""

            stage: ClassVar[str] = "five.scaled:Scaled"
            factor: float

            def sees(self):
                return {"features": "row"}

            def run(self, features: Features) -> Features:
                data = np.asarray(features.data) * self.factor
                note(self, self.factor)
                return replace(features, data=data)
        ''',
    "joined": '''
        class Joined(Stage):
            """Lay all branches side by side."""

            stage: ClassVar[str] = "five.joined:Joined"

            def sees(self):
                return {"parts": "row"}

            def run(self, parts: dict[str, Features]) -> Features:
                first = next(iter(parts.values()))
                data = np.concatenate([np.asarray(p.data) for p in parts.values()], axis=1)
                note(self)
                return replace(first, data=data)
        ''',
    "decoded": '''
        class Decoded(Stage):
            """Ridge regression, fold by fold."""

            stage: ClassVar[str] = "five.decoded:Decoded"
            decodes: ClassVar[bool] = True
            alpha: float = 10.0

            def sees(self):
                return {"responses": "training", "features": "training"}

            def run(self, responses: Responses, features: Features, split: Split) -> Predictions:
                made, rows = [], []
                Y = features.read_for(split.samples["stimulus_id"])
                for fold in split.folds():
                    X = responses.read(fold.train, fold=fold.number)
                    gram = X.T @ X + self.alpha * np.eye(X.shape[1])
                    weights = np.linalg.solve(gram, X.T @ Y[fold.train])
                    made.append(responses.read(fold.test, fold=fold.number) @ weights)
                    rows.append(fold.test)
                # what it was given tells one shuffle from another
                note(self, f"{float(np.asarray(responses.data)[0, 0]):.6f}")
                return Predictions(
                    data=np.concatenate(made), rows=list_predicted_rows(split.samples, rows),
                    split=split.digest, unit=split.unit,
                )
        ''',
    "scores": '''
        class Correlation(Stage):
            """Correlate with the truth."""

            stage: ClassVar[str] = "five.scores:Correlation"
            scores: ClassVar[bool] = True

            def run(self, predictions: Predictions, features: Features) -> Scores:
                true = features.read_for(predictions.items["id"])
                made = np.asarray(predictions.data)
                values = np.array([np.corrcoef(a, b)[0, 1] for a, b in zip(true.T, made.T)])
                mean = np.array([values.mean()])
                summary = Table({
                    "name": np.array(["mean r"]), "value": mean, "low": mean - 0.1,
                    "high": mean + 0.1, "chance": np.zeros(1), "n": np.array([len(values)]),
                })
                note(self, f"{mean[0]:.6f}")
                return Scores(
                    values=values, items=Table({"id": np.arange(len(values)).astype(str)}),
                    metric="correlation", scale="r", summary=summary,
                    test_set=digest_array(predictions.items["id"]),
                )
        ''',
    "picture": '''
        class Picture(Stage):
            """Draw."""

            stage: ClassVar[str] = "five.picture:Picture"

            def run(self, features: Features) -> Document:
                png = np.frombuffer(np.asarray(features.data[:, :64]).tobytes(), np.uint8)
                note(self)
                return Document(title="A picture", html="<p>drawn</p>", figures={"a.png": png})
        ''',
}  # fmt: skip
PIPELINE = """\
title: Five seconds
seed: 0
each: {{factor: ["1", "2", "3"], number: ["0", "1", "2"]}}
steps:
  recording: {{stage: "five.recording:Recording", path: "{raw}"}}
  split:     {{stage: evaluation.split, responses: recording.responses, by: run, n_folds: 4}}
  large:     {{stage: "five.large:Large", features: recording.features, megabytes: {megabytes}}}
  pieces:    {{stage: "five.pieces:Pieces", features: large}}
  scaled:    {{stage: "five.scaled:Scaled", features: recording.features, factor: "${{factor}}"}}
  joined:    {{stage: "five.joined:Joined", parts: scaled, gather: factor}}
  shuffled:  {{stage: evaluation.shuffle, responses: recording.responses, number: "${{number}}"}}
  decoded:   {{stage: "five.decoded:Decoded", responses: shuffled, features: joined, split: split}}
  scores:    {{stage: "five.scores:Correlation", predictions: decoded, features: joined}}
  picture:   {{stage: "five.picture:Picture", features: pieces}}
  report:    {{stage: plotting.report, show: scores, gather: number}}
"""
TIMED = ("report",)  # prints how long steps took, so its text differs from run to run


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit code and what it printed."""

    code: int
    out: str
    err: str


@dataclass
class FiveSeconds:
    """A folder with the package, its raw file, and the pipeline file.

    Parameters
    ----------
    folder : Path
    megabytes : int
        Size of the large result.
    sleep_s : float
        Spent in each step, and in each piece.
    """

    folder: Path
    megabytes: int = 32
    sleep_s: float = 0.1

    def __post_init__(self):
        package = self.folder / "five"
        package.mkdir(parents=True, exist_ok=True)
        (package / "__init__.py").write_text('"""Ours."""\n')
        for name, text in STAGES.items():
            (package / f"{name}.py").write_text(HEAD + dedent(text).lstrip())
        rng = np.random.default_rng(1)
        features = rng.standard_normal((N_SAMPLES, N_FEATURES)).astype(np.float32)
        mixing = rng.standard_normal((N_FEATURES, N_VOXELS)).astype(np.float32)
        noise = rng.standard_normal((N_SAMPLES, N_VOXELS)).astype(np.float32)
        np.savez(self.raw, features=features, responses=features @ mixing + noise)
        self.file.write_text(PIPELINE.format(raw=self.raw, megabytes=self.megabytes))

    @property
    def raw(self) -> Path:
        return self.folder / "raw.npz"

    @property
    def file(self) -> Path:
        return self.folder / "five_seconds.yaml"

    @property
    def diary(self) -> Path:
        return self.folder / "diary"

    def environment(self, **more: str) -> dict[str, str]:
        root = Path(neurodecode.__file__).parent.parent
        return {
            **os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg",
            "FIVE_SECONDS_DIARY": str(self.diary), "FIVE_SECONDS_SLEEP": str(self.sleep_s), **more,
        }  # fmt: skip

    def start(self, cache: Path, *arguments: str, workers: int = 0, **more) -> subprocess.Popen:
        """Start ``neurodecode run`` on the pipeline, in a process group of its own.

        Parameters
        ----------
        cache : Path
        arguments : sequence of str
            Further ones of the command line.
        more : mapping
            ``env`` adds variables; others go to Popen.
        """
        out = more.pop("out", self.folder / "results")
        command = [
            sys.executable, "-m", "neurodecode", "run", str(self.file), *arguments,
            "--cache", str(cache), "--workers", str(workers), "--out", str(out),
        ]  # fmt: skip
        env = self.environment(**more.pop("env", {}))
        given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(
            command, env=env, **{**given, "cwd": self.folder, "start_new_session": True, **more}
        )

    def run(self, cache: Path, *arguments: str, timeout: float = 120, **more) -> Ended:
        """Run to the end."""
        return wait_for(self.start(cache, *arguments, **more), timeout)

    def read_diary(self) -> Counter:
        """Return how often each thing was computed."""
        lines = self.diary.read_text().splitlines() if self.diary.exists() else []
        return Counter(line.rpartition(" ")[0].strip() for line in lines)


def wait_for(process: subprocess.Popen, timeout: float = 120) -> Ended:
    """Wait until a process ends; kill its group and raise if it does not."""
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        raise AssertionError(f"did not end within {timeout} s\n{out}\n{err}") from None
    return Ended(process.returncode, out or "", err or "")


def read_digests(cache: Path) -> dict[str, dict[str, str]]:
    """Return, for each result by stage and key, the digest of each output.

    Keys hold the digests of inputs and the number of looks, so that equal keys say much already.
    """
    found = {}
    for path in sorted(cache.glob("*/*.json")):
        card = json.loads(path.read_text())["card"]
        outputs = card["outputs"] if card["step"] not in TIMED else {}
        found[f"{card['label']} {card['key']}"] = {n: o["digest"] for n, o in outputs.items()}
    return found


def list_strays(cache: Path) -> list[str]:
    """Return what no finished run leaves: half-written files, leases, pieces, logs."""
    return sorted(
        str(p.relative_to(cache))
        for p in cache.rglob("*")
        if ".writing-" in p.name or ".lease" in p.name or p.name.endswith(".blocks")
        or p.parent.name == "logs"
    )  # fmt: skip


def measure(cache: Path) -> tuple[int, int]:
    """Return the number of files of a cache, and the bytes of its results.

    Cards hold times, so that their sizes differ a little from run to run.
    """
    files = [p for p in cache.rglob("*") if p.is_file() and p.name != "memory.json"]
    return len(files), sum(p.stat().st_size for p in files if p.suffix == ".h5")


def list_group(group: int) -> list[int]:
    """Return the processes of a group that have not ended; those that nobody waits for have."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] not in "ZX":
            found.append(int(path.parent.name))
    return found


def wait_for_group(group: int, timeout: float) -> float:
    """Return after how many seconds no process of a group was left; raise if one stays."""
    start = time.monotonic()
    while left := list_group(group):
        if time.monotonic() - start > timeout:
            os.killpg(group, signal.SIGKILL)
            raise AssertionError(f"processes {left} go on after {timeout} s")
        time.sleep(0.02)
    return time.monotonic() - start


def verify(five: FiveSeconds, cache: Path) -> None:
    """Raise unless ``neurodecode verify`` finds nothing."""
    command = [sys.executable, "-m", "neurodecode", "verify", "--cache", str(cache)]
    done = subprocess.run(command, env=five.environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 damaged" in done.stdout
