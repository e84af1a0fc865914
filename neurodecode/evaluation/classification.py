"""How often the predicted class is the true one.

Accuracy is the mean over test rows, each predicted by the model of its fold; balanced accuracy
weighs classes alike (Brodersen et al. 2010, ICPR). The null exchanges true labels between blocks
of a run (numerics/classification.py) and holds predictions fixed; refits on shuffled brains
(controls) are the stricter null.
"""

from __future__ import annotations

from html import escape
from typing import ClassVar, Literal, TypedDict

import numpy as np
from pydantic import NonNegativeInt, PositiveInt

from neurodecode.core.artifacts import Document, Predictions, Scores
from neurodecode.core.checks import check_finite, list_names
from neurodecode.core.errors import DataError
from neurodecode.core.stage import Stage
from neurodecode.core.tables import Table
from neurodecode.evaluation.summary import Claim, check_testable, find_units, make_scores
from neurodecode.numerics.classification import (
    count_confusions,
    find_blocks,
    permute_accuracy,
    share_credit,
    weigh_classes,
)
from neurodecode.numerics.statistics import count_orders, list_exchangeable


class ClassificationOutputs(TypedDict):
    """What evaluation.classification returns."""

    scores: Scores
    confusion: Document


class Classification(Stage):
    """Score predicted classes: accuracy, balanced accuracy, recall of each class, confusions.

    Chance of accuracy is the share of the largest class, what always naming it would reach; of
    balanced accuracy, one over the number of classes. Classes that tie share the credit.

    Parameters
    ----------
    unit : {"run", "session", "subject", "stimulus", "sample"}
        What the bootstrap resamples.
    exchange : {"block", "sample"}
        What the null exchanges within each run: blocks (successive test rows of one class), or
        single rows, which is right only where rows are independent, as in a randomised design.
    n_permutations : int
        The smallest p is 1 / (n_permutations + 1); 0 leaves the null out.
    n_bootstrap : int
    seed : int
    """

    stage: ClassVar[str] = "evaluation.classification"
    scores: ClassVar[bool] = True
    example: ClassVar[dict[str, int]] = {"n_permutations": 9, "n_bootstrap": 20}

    unit: Literal["run", "session", "subject", "stimulus", "sample"] = "run"
    exchange: Literal["block", "sample"] = "block"
    n_permutations: NonNegativeInt = 1000
    n_bootstrap: PositiveInt = 2000
    seed: int = 0

    def run(self, predictions: Predictions) -> ClassificationOutputs:
        """Return scores over test rows, and the matrix of confusions.

        Raises
        ------
        DataError
            These are no predictions of classes, or a row is of a class that is not among them.
        """
        check_testable(predictions, self.stage)
        classes, labels = self._read_classes(predictions)
        values = np.asarray(predictions.data, np.float64)
        check_finite(values, what="predictions", where=self.stage)
        numbers = np.searchsorted(classes, labels)
        credit = share_credit(values)
        right = credit[np.arange(len(labels)), numbers]
        weights = weigh_classes(numbers, len(classes))
        nulls, notices = self._make_null(predictions.rows, credit, numbers)
        counts = np.bincount(numbers, minlength=len(classes))
        claims = [
            Claim("accuracy", right, counts.max() / counts.sum(), nulls[0]),
            Claim("balanced accuracy", right * weights, 1 / (counts > 0).sum(), nulls[1]),
        ]
        for number, name in enumerate(classes.tolist()):
            if counts[number]:
                own = np.where(numbers == number, right, np.nan)
                claims.append(Claim(f"recall: {name}", own, 1 / len(classes)))
        items = predictions.rows.with_columns(predicted=classes[values.argmax(axis=1)])
        scores = make_scores(
            claims,
            items,
            find_units(predictions.rows, self.unit, self.stage),
            metric=f"{len(classes)}-way classification",
            scale="accuracy",
            n_bootstrap=self.n_bootstrap,
            seed=self.seed,
            notices=notices,
        )
        confusions = count_confusions(credit, numbers)
        return {"scores": scores, "confusion": draw_confusions(confusions, classes.tolist())}

    def _read_classes(self, predictions: Predictions) -> tuple[np.ndarray, np.ndarray]:
        """Return the classes, sorted, and the true one of each row."""
        told = predictions.extractor
        names = np.array(told.get("classes", ()), dtype=str)
        if predictions.of != "features" or told.get("name") != "classes" or not len(names):
            raise DataError(
                f"{self.stage}: these are no predictions of classes. Give the output of "
                "decoding.classify; score features with evaluation.identification."
            )
        labels = predictions.rows[str(told["label"])].astype(str)
        unknown = np.setdiff1d(labels, names)
        if len(unknown) or predictions.data.shape[1] != len(names):
            raise DataError(
                f"{self.stage}: rows are of classes that no column predicts "
                f"({list_names(unknown.tolist())}). Known: {list_names(names.tolist())}. Score "
                "the predictions as decoding.classify made them."
            )
        return names, labels

    def _make_null(
        self, rows: Table, credit: np.ndarray, numbers: np.ndarray
    ) -> tuple[tuple[np.ndarray | None, np.ndarray | None], list[str]]:
        if not self.n_permutations:
            return (None, None), ["No p-values: none were asked for."]
        # A row that several folds test is exchanged within each of them.
        runs = find_units(rows, "run", self.stage)
        folds = rows["fold"].astype(int)
        strata = np.unique(np.stack([folds, runs]), axis=1, return_inverse=True)[1].ravel()
        if self.exchange == "block":
            onset_s = rows["onset_s"]
            timed = bool(np.isfinite(onset_s).all())
            place = onset_s if timed else rows["row"].astype(np.float64)
            blocks = find_blocks(numbers, strata, place)
        else:
            blocks = np.arange(len(numbers))
        first = np.unique(blocks, return_index=True)[1]
        n_orders = count_orders(list_exchangeable(np.arange(len(first)), strata[first]))
        if n_orders < 2:
            return (None, None), [
                f"No p-values: no run holds two {self.exchange}s whose labels could be exchanged."
            ]
        floor = max(1 / (1 + self.n_permutations), 1 / n_orders)
        told = f"Labels were exchanged between {len(first)} {self.exchange}s, within runs"
        notices = [f"{told}; the smallest attainable p is {floor:.2g}."]
        if len(np.unique(folds)) > 1:
            notices.append(
                "Predictions are held fixed, but folds train each other's models: chance varies "
                "more than this null, and p near 0.05 are too small. Controls with shuffled_brain "
                "fit anew."
            )
        return (
            permute_accuracy(credit, numbers, blocks, strata, self.n_permutations, self.seed),
            notices,
        )


def draw_confusions(counts: np.ndarray, classes: list[str]) -> Document:
    """Return the matrix of confusions as a table: shares of each true class, shaded.

    Parameters
    ----------
    counts : array, shape (n_classes, n_classes)
        Rows are true classes, columns predicted ones.
    """
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(totals, 1)
    head = "".join(f"<th scope='col'>{escape(name)}</th>" for name in classes)
    body = []
    for name, row, total in zip(classes, shares, totals[:, 0], strict=True):
        cells = "".join(
            f"<td style='text-align:right;background:rgba(31,95,168,{share:.2f});"
            f"color:{'white' if share > 0.55 else 'inherit'}'>{share:.2f}</td>"
            for share in row
        )
        body.append(
            f"<tr><th scope='row'>{escape(name)}</th>{cells}"
            f"<td style='text-align:right'>{total:.0f}</td></tr>"
        )
    html = (
        "<table><caption>Share of each true class (rows) by predicted class (columns); last, the "
        f"number of test rows.</caption><thead><tr><th></th>{head}<th>n</th></tr></thead>"
        f"<tbody>{''.join(body)}</tbody></table>"
    )
    return Document(title="Which class was taken for which", html=html)
