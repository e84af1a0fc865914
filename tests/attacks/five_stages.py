"""The stages and the file of the five-second pipeline, as text to be written to a folder."""

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
