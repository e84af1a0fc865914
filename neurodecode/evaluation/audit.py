"""A result beside its controls: is it above what one gets without the brain?

The null is that of whole refits on shuffled responses: p = (1 + #{null at least as good}) / (1 + n)
(Phipson and Smyth 2010). Other controls are compared item by item.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from pydantic import PositiveInt

from neurodecode.core.artifacts import Scores
from neurodecode.core.stage import Stage
from neurodecode.core.tables import Table
from neurodecode.evaluation.paired import pair_values
from neurodecode.numerics.statistics import bootstrap_mean, compute_p

CEILINGS = ("true_features",)  # what a generator can do at best: nothing to be above of
COUNTS = ("n", "n_units", "null_n")


class Audit(Stage):
    """Add nulls, p-values and controls to scores, and a verdict in words.

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
        """Return the same scores, with a row of the summary for each claim of each control.

        Claims gain ``null_mean``, ``null_sd``, ``null_n`` and ``p`` from the shuffled refits; an
        earlier ``p`` moves to ``p_permutation``. Controls' rows are named "control: KIND / CLAIM"
        and hold ``diff`` (the result minus the control) with its interval.
        """
        shuffled, others = shuffled or {}, others or {}
        lower = scores.scale == "distance"
        claims = _list_rows(scores.summary)
        nulls = {
            row["name"]: np.array([_find_value(s, row["name"]) for s in shuffled.values()])
            for row in claims
        }
        rows = [_add_null(row, nulls[row["name"]], lower) if shuffled else row for row in claims]
        for kind, control in others.items():
            rows += self._compare(kind, scores, control)
        notices = [*scores.notices, *_judge(scores, rows, nulls, list(others), lower)]
        return replace(
            scores,
            summary=_make_table(rows),
            null=nulls[claims[0]["name"]] if shuffled else scores.null,
            notices=tuple(notices),
        )

    def _compare(self, kind: str, scores: Scores, control: Scores) -> list[dict[str, Any]]:
        rows = []
        names = scores.summary["name"].tolist()
        for row in _list_rows(control.summary):
            if row["name"] not in names:
                continue
            diff = _find_value(scores, row["name"]) - row["value"]
            low = high = float("nan")
            if scores.over == "items":
                paired, units = pair_values(scores, control, row["name"], where=self.stage)
                low, high = bootstrap_mean(
                    paired, units, n_bootstrap=self.n_bootstrap, seed=self.seed
                )
            kept = {key: row[key] for key in ("value", "low", "high", "chance", "n")}
            rows.append(
                {"name": f"control: {kind} / {row['name']}", **kept,
                 "diff": diff, "diff_low": low, "diff_high": high}
            )  # fmt: skip
        return rows


def _add_null(row: dict[str, Any], null: np.ndarray, lower: bool) -> dict[str, Any]:
    known = null[np.isfinite(null)]
    return {
        **row,
        "p_permutation": row.get("p", float("nan")),
        "null_mean": float(known.mean()) if len(known) else float("nan"),
        "null_sd": float(known.std(ddof=1)) if len(known) > 1 else float("nan"),
        "null_n": len(known),
        "p": compute_p(null, row["value"], lower_is_better=lower),
    }


def _judge(
    scores: Scores,
    rows: list[dict[str, Any]],
    nulls: Mapping[str, np.ndarray],
    kinds: list[str],
    lower: bool,
) -> list[str]:
    """Return the verdict on the first claim, and what limits it."""
    first, told, beaten_by = rows[0], [], []
    if scores.metric == "sharpness":
        return ["Sharpness is no evidence of decoding: no verdict over controls."]
    n = len(nulls[first["name"]])
    if n:
        floor = 1 / (n + 1)
        if floor > 0.05:
            told.append(
                f"{n} shuffles cannot give p below {floor:.2g}: use 19 or more for p of 0.05."
            )
        if not first["p"] <= 0.05:
            beaten_by.append(f"shuffled brain (p = {first['p']:.2g})")
    by_name = {row["name"]: row for row in rows}
    judged = [kind for kind in kinds if kind not in CEILINGS]
    for kind in judged:
        row = by_name.get(f"control: {kind} / {first['name']}")
        if row is None:
            continue
        bound = -row["diff_high"] if lower else row["diff_low"]
        if np.isnan(bound):  # no interval, as over voxels: the values alone
            bound = -row["diff"] if lower else row["diff"]
        if not bound > 0:
            beaten_by.append(
                f"{kind} ({row['value']:.3g}, difference {row['diff']:+.3g} "
                f"[{row['diff_low']:.3g}, {row['diff_high']:.3g}])"
            )
    claim = f"{first['name']} {first['value']:.3g}"
    if beaten_by:
        told.append(f"NOT above its controls: {claim} is not better than {', '.join(beaten_by)}.")
    elif n or judged:
        listed = [*(["shuffled brain"] if n else []), *judged]
        told.append(f"Above all its controls: {claim} is better than {', '.join(listed)}.")
    return told


def _list_rows(summary: Table) -> list[dict[str, Any]]:
    return [{name: summary[name][i].item() for name in summary} for i in range(len(summary))]


def _find_value(scores: Scores, name: str) -> float:
    at = np.flatnonzero(scores.summary["name"] == name)
    return float(scores.summary["value"][at[0]]) if len(at) else float("nan")


def _make_table(rows: list[dict[str, Any]]) -> Table:
    """Return rows as a table; NaN, and 0 for counts, where a column does not apply."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    return Table(
        {
            key: [row.get(key, 0 if key in COUNTS else float("nan")) for row in rows]
            for key in columns
        }
    )
