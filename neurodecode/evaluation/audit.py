"""A result beside its controls: is it above what one gets without the brain? And of what?

The null is that of whole refits on shuffled responses; other controls are compared item by item.
The rule stands in verdict.py, its sentences in verdict_words.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from pydantic import PositiveInt

from neurodecode.core.artifacts import Scores
from neurodecode.core.errors import DataError
from neurodecode.core.stage import Stage
from neurodecode.core.tables import Table
from neurodecode.evaluation.paired import pair_values
from neurodecode.evaluation.verdict import (
    Comparison,
    Judged,
    compare_with_control,
    compare_with_exchanges,
    compare_with_refits,
    decide,
)
from neurodecode.evaluation.verdict_words import word_reasons
from neurodecode.numerics.statistics import bootstrap_mean

LEAKAGE = "LEAKAGE"  # how a notice of leakage begins (core.lineage)
NO_CATEGORIES = ("run", "session", "subject", "fold")  # columns that say nothing of the stimuli
NO_EVIDENCE = ("sharpness",)  # metrics that the wrong image meets as well as the right one
COUNTS = ("n", "n_units", "null_n")
TEXTS = ("within", "only", "control", "claim", "outcome")
NAN = float("nan")


class Audit(Stage):
    """Set a result beside its controls, and say in words what it shows.

    Two claims are judged: the first, and its fellow among candidates of one category where the
    scores have one (identification with ``within``). A control is beaten by p of 0.05 or less
    against refits on shuffled brains, and by a 95 % interval of the paired difference on the better
    side of zero for any other. Within the category the truth is exchanged, too. ``true_features``
    is a ceiling and need not be beaten. Each audit is a test of its own: among many, 5 % of those
    without information may come out above their controls. The verdict is

    "not above its controls"
        Among all candidates a control without the brain does as well, as far as can be shown.
    "identifies categories only"
        Above all controls without the brain, but not shown to be within a category.
    "no better than the nearest training item"
        The brain is read, but showing the training item nearest to what was decoded does as well.
    "above its controls"
        Above all; whether within a category, too, was not tested, or cannot be told, or there the
        nearest training item does as well.
    "identifies images" (of anything else, "identifies items")
        Above all controls, among all candidates and within a category.
    "cannot be told"
        The controls that were run could not have shown it, or are no evidence here: leakage was
        allowed, or the metric is one that a wrong image can meet.

    Parameters
    ----------
    n_bootstrap : int
        Of the paired differences, over the scores' units of independence.
    seed : int
    """

    stage: ClassVar[str] = "evaluation.audit"

    n_bootstrap: PositiveInt = 2000
    seed: int = 0

    def run(
        self,
        scores: Scores,
        shuffled: dict[str, Scores] | None = None,
        others: dict[str, Scores] | None = None,
    ) -> Scores:
        """Return the same scores with verdict, reasons, and a row for each claim of each control.

        Claims gain ``null_mean``, ``null_sd``, ``null_n`` and ``p`` from the shuffled refits; an
        earlier ``p`` moves to ``p_permutation``. ``judged`` marks those that the verdict rests on.

        Rows of comparisons are named "control: CONTROL / CLAIM" and hold ``control``, ``claim``,
        the control's value, ``diff`` (the result minus the control) with its interval, for a null
        ``null_sd``, ``null_n`` and ``p``, and, where the claim is judged, ``outcome``: "beaten",
        "not beaten", "untold", or "ceiling".

        Raises
        ------
        DataError
            The scores are audited already, or those of a control are of other items or of
            another metric.
        """
        if scores.verdict:
            raise DataError(
                f"{self.stage}: these scores are audited already ({scores.verdict}). Give the "
                "scores that the audit was made of."
            )
        shuffled, others = shuffled or {}, others or {}
        for kind, control in [*shuffled.items(), *others.items()]:
            _check_alike(scores, control, f"{self.stage}: {kind}")
        claims = [
            Judged(
                row["name"], row["value"], row["low"], row["high"], scores.scale == "distance",
                tuple(self._compare(scores, row, shuffled, others)),
            )
            for row in _list_rows(scores.summary)
        ]  # fmt: skip
        first, (within, column) = claims[0], _find_within(claims, scores.summary)
        judged = [claim for claim in (first, within) if claim is not None]
        why = _find_obstacle(scores)
        verdict = "cannot be told" if why else decide(scores.of, first, within)
        return replace(
            scores,
            summary=_make_table(scores.summary, claims, judged),
            null=_read_null(shuffled, first.claim) if shuffled else scores.null,
            verdict=verdict,
            reasons=word_reasons(verdict, scores.of, column, judged, why),
        )

    def _compare(
        self,
        scores: Scores,
        row: Mapping[str, Any],
        shuffled: Mapping[str, Scores],
        others: Mapping[str, Scores],
    ) -> list[Comparison]:
        """Return a claim beside each of its controls."""
        name, lower = row["name"], scores.scale == "distance"
        null = _read_null(shuffled, name)
        found = [compare_with_refits(null, row["value"], lower_is_better=lower)]
        if row.get("within"):
            null_of_exchanges = [row.get(k, NAN) for k in ("null_mean", "null_sd", "p")]
            n = int(row.get("null_n", 0))
            found.append(compare_with_exchanges(row["value"], *null_of_exchanges, null_n=n))
        for kind, control in others.items():
            own = _find_row(control, name)
            if own is None:
                found.append(Comparison(kind, NAN, why="its scores make no such claim"))
                continue
            interval, n_units = (NAN, NAN), 0
            if scores.over == "items":
                paired, units = pair_values(scores, control, name, where=self.stage)
                n_units = len(np.unique(units[np.isfinite(paired)]))
                interval = bootstrap_mean(
                    paired, units, n_bootstrap=self.n_bootstrap, seed=self.seed
                )
            found.append(
                compare_with_control(
                    Comparison(
                        kind, own["value"], own["low"], own["high"],
                        diff=row["value"] - own["value"], diff_low=interval[0],
                        diff_high=interval[1], n_units=n_units,
                    ),
                    lower_is_better=lower,
                )
            )  # fmt: skip
        return found


def _find_obstacle(scores: Scores) -> str:
    """Return why no controls could make these scores evidence, or nothing."""
    if any(notice.startswith(LEAKAGE) for notice in scores.notices):
        return "Leakage was allowed: what is above its controls may be what leaked."
    if scores.metric in NO_EVIDENCE:
        return f"The {scores.metric} is no evidence of decoding: the wrong image can have it, too."
    return ""


def _find_within(claims: list[Judged], summary: Table) -> tuple[Judged | None, str]:
    """Return the first claim among candidates of one category, and the category's column."""
    for claim, row in zip(claims, _list_rows(summary), strict=True):
        column = row.get("within", "")
        if column and column not in NO_CATEGORIES and not row["only"]:
            return claim, column
    return None, ""


def _check_alike(scores: Scores, control: Scores, where: str) -> None:
    for what in ("metric", "scale", "over", "test_set"):
        ours, theirs = getattr(scores, what), getattr(control, what)
        if ours != theirs:
            raise DataError(
                f"{where}: the control's {what} is '{theirs}', the result's '{ours}'. Score both "
                "with the same settings on the same test rows."
            )


def _read_null(shuffled: Mapping[str, Scores], name: str) -> np.ndarray:
    rows = [_find_row(scores, name) for scores in shuffled.values()]
    return np.array([NAN if row is None else row["value"] for row in rows])


def _find_row(scores: Scores, name: str) -> dict[str, Any] | None:
    return next((row for row in _list_rows(scores.summary) if row["name"] == name), None)


def _list_rows(summary: Table) -> list[dict[str, Any]]:
    return [{name: summary[name][i].item() for name in summary} for i in range(len(summary))]


def _make_table(summary: Table, claims: list[Judged], judged: list[Judged]) -> Table:
    """Return claims, then comparisons; NaN, 0 or empty text where a column does not apply."""
    rows = []
    names = [claim.claim for claim in judged]
    for row, claim in zip(_list_rows(summary), claims, strict=True):
        refits = claim.comparisons[0]
        if refits.null_n:
            row["p_permutation"] = row.get("p", NAN)
            row.update(null_mean=refits.value, null_sd=refits.null_sd, null_n=refits.null_n,
                       p=refits.p)  # fmt: skip
        rows.append({**row, "judged": claim.claim in names})
    for row, claim in zip(_list_rows(summary), claims, strict=True):
        for c in claim.comparisons:
            if claim.claim in names or np.isfinite(c.value):
                rows.append(
                    {"name": f"control: {c.control} / {claim.claim}", "control": c.control,
                     "claim": claim.claim, "value": c.value, "low": c.low, "high": c.high,
                     "diff": c.diff, "diff_low": c.diff_low, "diff_high": c.diff_high,
                     "null_sd": c.null_sd, "null_n": c.null_n, "p": c.p, "n_units": c.n_units,
                     "chance": row["chance"], "n": row["n"],
                     "outcome": c.outcome if claim.claim in names else ""}
                )  # fmt: skip
    blank = {**dict.fromkeys(COUNTS, 0), **dict.fromkeys(TEXTS, ""), "judged": False}
    columns = list(dict.fromkeys(key for row in rows for key in row))
    return Table({key: [row.get(key, blank.get(key, NAN)) for row in rows] for key in columns})
