"""Which class a sample is of, from its response: linear classifiers, fold by fold.

Shrinkage LDA is what holds up with more voxels than samples of a class (Blankertz et al. 2011,
NeuroImage 56, 814-825); the others are for comparison. Their forms are in classifiers.py.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, TypedDict

import numpy as np
from pydantic import Field, PositiveFloat

from neurodecode.core.artifacts import Model, Predictions, Responses, Split
from neurodecode.core.checks import check_finite, list_names
from neurodecode.core.errors import DataError
from neurodecode.core.progress import track
from neurodecode.core.rows import check_foldwise, group_samples, list_predicted_rows
from neurodecode.core.stage import Sight, Stage


class ClassifyOutputs(TypedDict):
    """What decoding.classify returns."""

    predictions: Predictions
    model: Model


class Classify(Stage):
    """Predict the class of test samples by a linear classifier fitted on training samples.

    Classes are the values of a column of the sample table. Samples whose value is empty, or among
    ``leave_out``, are of no class: they neither train nor are predicted. Predictions have one
    column per class (a band of its name): probabilities of lda and logistic, decision values of
    svm; score them with evaluation.classification.

    Parameters
    ----------
    label : str
        Column of the sample table.
    leave_out : tuple of str
        Values that are no class, such as ["rest"].
    method : {"lda", "logistic", "svm"}
        Discriminant analysis with shrinkage, logistic regression, support vector machine.
    shrinkage : float in [0, 1], or "auto"
        Of lda: 0 is the sample covariance, 1 its diagonal, "auto" the choice of Ledoit and Wolf.
    cs : tuple of float
        Of logistic and svm: inverse penalties. Of several, that of the highest accuracy on the
        fold's validation rows is taken, or, without any, on inner folds of its training rows, which
        keep the split's unit together.
    standardize : bool
        Scale each voxel to unit variance over the training rows.
    n_inner_folds : int
        Two or more.
    seed : int
        Of the inner folds and of the svm's solver.
    """

    stage: ClassVar[str] = "decoding.classify"
    decodes: ClassVar[bool] = True

    label: str = "category"
    leave_out: tuple[str, ...] = ()
    method: Literal["lda", "logistic", "svm"] = "lda"
    shrinkage: Annotated[float, Field(ge=0, le=1)] | Literal["auto"] = "auto"
    cs: Annotated[tuple[PositiveFloat, ...], Field(min_length=1)] = (0.001, 0.01, 0.1, 1.0)
    standardize: bool = True
    n_inner_folds: Annotated[int, Field(ge=2)] = 5
    seed: int = 0

    def sees(self) -> dict[str, Sight]:
        """Fits see the training rows of their fold."""
        return {"responses": "training"}

    def run(self, responses: Responses, split: Split) -> ClassifyOutputs:
        """Return class predictions of the test rows, and the model's weights per fold.

        Raises
        ------
        DataError
            The column is absent, there are fewer than two classes, or a fold's training rows do
            not show every class.
        """
        from neurodecode.decoding.classifiers import (
            ClassifierOptions,
            compute_probabilities,
            fit_classifier,
        )

        check_foldwise(responses, split, self.stage)
        labels = self._read_labels(responses)
        has_class = (labels != "") & ~np.isin(labels, self.leave_out)
        folds = [(f, f.train[has_class[f.train]], f.test[has_class[f.test]]) for f in split.folds()]
        classes = np.unique(labels[np.unique(np.concatenate([train for _, train, _ in folds]))])
        if len(classes) < 2:
            raise DataError(
                f"{self.stage}: training rows hold {len(classes)} classes in column "
                f"'{self.label}' ({list_names(classes.tolist())}). Allowed: two or more. Name "
                "another column in label."
            )
        options = ClassifierOptions(
            self.method, self.shrinkage, self.cs, self.standardize, self.n_inner_folds, self.seed
        )
        groups = group_samples(responses.samples, split.unit, self.stage)
        arrays: dict[str, np.ndarray] = {}
        values, rows = [], []
        for fold, train, test in track(folds, self.stage, len(folds)):
            where = f"{self.stage}: fold {fold.number}"
            self._check_fold(labels[train], labels[test], classes, where)
            numbers = np.searchsorted(classes, labels[train])
            X = _read(responses, train, fold.number, where)
            held = fold.validation[np.isin(labels[fold.validation], classes)]
            validation = None
            if len(held):
                numbers_held = np.searchsorted(classes, labels[held])
                validation = (_read(responses, held, fold.number, where), numbers_held)
            fitted = fit_classifier(X, numbers, groups[train], options, where, validation)
            tested = _read(responses, test, fold.number, where)
            # row by row, so that the bytes of one do not hang on the company of others
            decisions = np.concatenate([fitted.decide(row[None]) for row in tested])
            values.append(decisions if self.method == "svm" else compute_probabilities(decisions))
            rows.append(test)
            arrays[f"fold{fold.number}/weights"] = fitted.weights
            arrays[f"fold{fold.number}/intercept"] = fitted.intercept
            arrays[f"fold{fold.number}/c"] = np.array(fitted.c)
        names = classes.tolist()
        return {
            "predictions": Predictions(
                data=np.concatenate(values),
                rows=list_predicted_rows(responses.samples, rows),
                of="features",
                split=split.digest,
                unit=split.unit,
                bands={name: (k, k + 1) for k, name in enumerate(names)},
                extractor={
                    "name": "classes",
                    "label": self.label,
                    "classes": names,
                    "values": "decision" if self.method == "svm" else "probability",
                },
            ),
            "model": Model(
                stage=self.stage,
                settings={**self.settings(), "classes": names},
                arrays=arrays,
                n_folds=split.n_folds,
                split=split.digest,
            ),
        }

    def _read_labels(self, responses: Responses) -> np.ndarray:
        samples = responses.samples
        if self.label not in samples:
            raise DataError(
                f"{self.stage}: the samples have no column '{self.label}'. Columns: "
                f"{list_names(list(samples))}. Name one of them in label."
            )
        column = samples[self.label]
        if column.dtype.kind == "f":
            raise DataError(
                f"{self.stage}: column '{self.label}' holds numbers with a point, which are no "
                "classes. Decode them with decoding.ridge, or name a column of text in label."
            )
        labels = column.astype(str)
        absent = sorted(set(self.leave_out) - set(labels.tolist()))
        if absent:
            raise DataError(
                f"{self.stage}: leave_out names {list_names(absent)}, which column "
                f"'{self.label}' does not hold. Values: {list_names(np.unique(labels).tolist())}."
            )
        return labels

    def _check_fold(
        self, train: np.ndarray, test: np.ndarray, classes: np.ndarray, where: str
    ) -> None:
        if not len(test):
            raise DataError(
                f"{where} has no test rows of any class. Use fewer folds, or split by another unit."
            )
        for name, found in (("training", np.setdiff1d(classes, train)),
                            ("test", np.setdiff1d(test, classes))):  # fmt: skip
            if len(found):
                lack = "no" if name == "training" else "untrained"
                raise DataError(
                    f"{where}: {name} rows hold {lack} '{found[0]}'. Allowed: every class among "
                    "the training rows of each fold. Split by another unit, set stratify: "
                    f"{self.label} there, or add the class to leave_out here."
                )


def _read(responses: Responses, rows: np.ndarray, fold: int, where: str) -> np.ndarray:
    block = responses.read(rows, fold=fold).reshape(len(rows), -1)
    check_finite(block, what="responses", where=where)
    return block
