"""Stages as users bring their own, some of which leak; named in pipelines as module:Class.

What each declares in ``sees()`` is true of it. Stages that declare what is not true are in
test_cheats.py.
"""

from dataclasses import replace
from typing import ClassVar, Literal, TypedDict

import numpy as np

from neurodecode.core.artifacts import (
    TEST,
    UNUSED,
    VALIDATION,
    Features,
    Model,
    Predictions,
    Responses,
    Scores,
    Split,
    Stimuli,
    make_items,
    make_samples,
)
from neurodecode.core.rows import list_predicted_rows
from neurodecode.core.stage import Stage
from neurodecode.core.tables import Table
from neurodecode.numerics.ridge import predict_ridge


class Collection(Stage):
    """Show each image twice: two crops of it, or the same file under another name."""

    stage: ClassVar[str] = "tests.collection"
    how: Literal["crops", "copies"]

    def sees(self):
        return {"stimuli": "row"}

    def run(self, stimuli: Stimuli) -> Stimuli:
        images, ids = np.asarray(stimuli.data), stimuli.items["id"]
        second = images if self.how == "copies" else np.roll(images, 2, axis=2)
        both = np.concatenate([images, second])
        names = [f"{name}-{part}" for part in "ab" for name in ids]
        source = names if self.how == "copies" else np.tile(ids, 2)
        return replace(stimuli, data=both, items=make_items(names, both, source=source))


class MovieOutputs(TypedDict):
    """What a movie gives."""

    responses: Responses
    features: Features


class Movie(Stage):
    """Scans of two runs of a film, each scan with features of its own, all of them slow."""

    stage: ClassVar[str] = "tests.movie"
    n_scans: int = 40

    def run(self) -> MovieOutputs:
        rng = np.random.default_rng(0)
        ids = [f"scan{i}" for i in range(self.n_scans)]
        values = np.cumsum(rng.normal(size=(self.n_scans, 3)), axis=0).astype(np.float32)
        data = values @ rng.normal(size=(3, 6)) + rng.normal(size=(self.n_scans, 6))
        half = self.n_scans // 2
        samples = make_samples(
            dataset="movie", stimulus_id=ids, run=np.repeat(["01", "02"], half),
            onset_s=np.tile(np.arange(half) * 2.0, 2),
        )  # fmt: skip
        return {
            "responses": Responses(data=data.astype(np.float32), samples=samples, t_r=2.0),
            "features": Features(data=values, items=make_items(ids, values)),
        }


class Anonymous(Stage):
    """Forget source and content of what was shown, as tables from elsewhere do."""

    stage: ClassVar[str] = "tests.anonymous"

    def sees(self):
        return {"responses": "row"}

    def run(self, responses: Responses) -> Responses:
        kept = [c for c in responses.samples if c not in ("source", "digest", "category")]
        return replace(responses, samples=Table({c: responses.samples[c] for c in kept}))


class Apply(Stage):
    """Decode test rows with a ridge model that was fitted elsewhere."""

    stage: ClassVar[str] = "tests.apply"

    def sees(self):
        return {"responses": "row"}

    def run(self, responses: Responses, model: Model, split: Split) -> Predictions:
        data, rows = [], [fold.test for fold in split.folds()]
        for fold, tested in enumerate(rows):
            arrays = {name: np.asarray(a) for name, a in model.for_fold(fold).items()}
            found = predict_ridge(responses.read(tested), arrays["weights"], arrays["intercept"])
            data.append(found)
        return Predictions(
            data=np.concatenate(data),
            rows=list_predicted_rows(responses.samples, rows),
            split=split.digest,
            unit=split.unit,
        )


class PickBest(Stage):
    """Keep the predictions whose scores are best: a hyperparameter chosen on the test rows."""

    stage: ClassVar[str] = "tests.pick_best"

    def sees(self):
        return {"predictions": "row"}

    def run(self, predictions: dict[str, Predictions], scores: dict[str, Scores]) -> Predictions:
        return predictions[max(scores, key=lambda label: np.nanmean(scores[label].values))]


class ValidationAsTest(Stage):
    """Test on what another fit was validated on."""

    stage: ClassVar[str] = "tests.validation_as_test"

    def sees(self):
        return {"split": "row"}

    def run(self, split: Split) -> Split:
        roles = np.array(split.roles)
        roles[roles == TEST] = UNUSED
        roles[roles == VALIDATION] = TEST
        return replace(split, roles=roles)


class Calibrate(Stage):
    """Fit a slope to predictions and truth, and apply it: a fit at a second level.

    With nested predictions of the training rows, one slope per fold; else one for all test rows.
    """

    stage: ClassVar[str] = "tests.calibrate"
    nested: bool = False

    def sees(self):
        if self.nested:
            return {"predictions": "row", "training": "training", "features": "training"}
        return {}

    def run(
        self,
        predictions: Predictions,
        features: Features,
        split: Split,
        training: Predictions | None = None,
    ) -> Predictions:
        given = predictions if training is None else training
        truth = features.read_for(given.rows["stimulus_id"])
        data = np.array(predictions.data)
        for fold in range(split.n_folds):
            rows = given.rows["fold"] == fold if self.nested else slice(None)
            x, y = np.asarray(given.data)[rows], truth[rows]
            data[predictions.rows["fold"] == fold] *= (x * y).sum() / (x * x).sum()
        return replace(predictions, data=data)


class Peek(Stage):
    """Move predictions towards the truth, row by row."""

    stage: ClassVar[str] = "tests.peek"

    def sees(self):
        return {"predictions": "row", "features": "row"}

    def run(self, predictions: Predictions, features: Features) -> Predictions:
        truth = features.read_for(predictions.rows["stimulus_id"])
        return replace(predictions, data=(np.asarray(predictions.data) + truth) / 2)


class MeasuredAsPredicted(Stage):
    """Hand in the measured responses as if they were predicted."""

    stage: ClassVar[str] = "tests.measured_as_predicted"

    def sees(self):
        return {"responses": "row"}

    def run(self, responses: Responses, split: Split) -> Predictions:
        rows = [fold.test for fold in split.folds()]
        return Predictions(
            data=np.asarray(responses.data)[np.concatenate(rows)],
            rows=list_predicted_rows(responses.samples, rows),
            of="responses",
            split=split.digest,
            unit=split.unit,
            space=responses.space,
        )


class OneModel(Stage):
    """One mean of the training rows of all folds, in a model that is not per fold."""

    stage: ClassVar[str] = "tests.one_model"

    def sees(self):
        return {"features": "training"}

    def run(self, features: Features, split: Split) -> Model:
        return Model(stage=self.stage, arrays={"mean": np.asarray(features.data).mean(axis=0)})


class AddModel(Stage):
    """Add what a model holds to predictions."""

    stage: ClassVar[str] = "tests.add_model"

    def sees(self):
        return {"predictions": "row"}

    def run(self, predictions: Predictions, model: Model) -> Predictions:
        return replace(
            predictions, data=np.asarray(predictions.data) + np.asarray(model.arrays["mean"])
        )


class Average(Stage):
    """Average the repeats of each stimulus; the row keeps the name of the first of them."""

    stage: ClassVar[str] = "tests.average"
    renamed: bool = False

    def sees(self):
        return {"responses": "stimulus"}

    def run(self, responses: Responses) -> Responses:
        names, first, code = np.unique(
            responses.samples["stimulus_id"], return_index=True, return_inverse=True
        )
        data = np.stack([responses.data[code == k].mean(axis=0) for k in range(len(names))])
        samples = responses.samples.take(first)
        if self.renamed:
            samples = samples.with_columns(sample_id=np.arange(len(names), dtype=np.uint64))
        return replace(responses, data=data, samples=samples)


class OwnAccuracy(Stage):
    """A metric of one's own, which does not say that it scores."""

    stage: ClassVar[str] = "tests.own_accuracy"

    def run(self, predictions: Predictions, features: Features) -> Scores:
        truth = features.read_for(predictions.rows["stimulus_id"])
        values = -np.abs(np.asarray(predictions.data) - truth).mean(axis=1)
        row = {"value": [values.mean()], "low": [0.0], "high": [0.0], "chance": [0.0], "n": [1]}
        return Scores(
            values=values, items=predictions.items, metric="closeness", scale="similarity",
            summary=Table({"name": ["closeness"], **row}),
        )  # fmt: skip


class OneSample(Stage):
    """Take the only sample of each reconstruction's features."""

    stage: ClassVar[str] = "tests.one_sample"

    def sees(self):
        return {"features": "row"}

    def run(self, features: Features) -> Features:
        data = np.asarray(features.data)
        return replace(features, data=data.reshape(len(data), -1))
