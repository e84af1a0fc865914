"""An audit as a panel: the verdict as a headline, its reasons, and the controls side by side.

Nothing is decided here: verdict, reasons and outcomes are printed as evaluation.audit stored them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from neurodecode.core.artifacts import Scores
from neurodecode.plotting.chart import format_number
from neurodecode.plotting.headline import format_p

TONES = {"not above its controls": "bad", "cannot be told": "open"}
MARKS = {"beaten": "✓", "not beaten": "✗", "untold": "?", "ceiling": "", "": ""}
CLASSES = {"beaten": "good", "not beaten": "bad", "untold": "open", "ceiling": "plain", "": "plain"}
HEADINGS = {"true_features": "true features (ceiling)"}
FIRST, LAST = ("shuffled_brain", "exchanged_truth"), ("nearest_training", "true_features")
DRAWS = {"shuffled_brain": "refits", "exchanged_truth": "exchanges"}


def describe_audit(scores: Scores) -> dict[str, Any]:
    """Return what the panel says: verdict, tone, reasons, headings, rows.

    Rows are claims, those judged first, without those of one value of a category; their cells are
    the result and one per control.
    """
    rows = [
        {name: scores.summary[name][i].item() for name in scores.summary}
        for i in range(len(scores.summary))
    ]
    claims = [r for r in rows if not r["control"] and not r.get("only")]
    controls = _order(list(dict.fromkeys(r["control"] for r in rows if r["control"])))
    beside = {(r["claim"], r["control"]): r for r in rows if r["control"]}
    return {
        "verdict": scores.verdict[:1].upper() + scores.verdict[1:],
        "tone": TONES.get(scores.verdict, "plain"),
        "reasons": list(scores.reasons),
        "headings": [HEADINGS.get(c, c.replace("_", " ")) for c in controls],
        "rows": [
            {
                "claim": claim["name"],
                "judged": claim["judged"],
                "cells": [
                    _describe_result(claim),
                    *(_describe_control(beside.get((claim["name"], c))) for c in controls),
                ],
            }
            for claim in sorted(claims, key=lambda r: not r["judged"])
        ],
    }


def _order(controls: list[str]) -> list[str]:
    """Return nulls first, then what needs no brain, and what a generator can do at best last."""
    middle = [c for c in controls if c not in (*FIRST, *LAST)]
    return [c for c in (*FIRST, *middle, *LAST) if c in controls]


def _describe_result(claim: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "value": format_number(claim["value"]),
        "details": _list_present(_format_interval(claim["low"], claim["high"])),
        "mark": "",
        "tone": "plain",
    }


def _describe_control(row: Mapping[str, Any] | None) -> dict[str, Any]:
    if row is None or not math.isfinite(row["value"]):
        outcome = "" if row is None else row["outcome"]
        return {"value": "–", "details": [], "mark": MARKS[outcome], "tone": CLASSES[outcome]}
    value = format_number(row["value"])
    if row["null_n"]:
        value += f" ± {format_number(row['null_sd'], 2)}"
        details = [f"p {format_p(row['p'])}", f"{row['null_n']:,} {DRAWS[row['control']]}"]
    else:
        difference = format_number(row["diff"])
        if row["diff"] > 0 and difference != "0":
            difference = f"+{difference}"
        details = [difference, _format_interval(row["diff_low"], row["diff_high"])]
    return {
        "value": value,
        "details": _list_present(*details),
        "mark": MARKS[row["outcome"]],
        "tone": CLASSES[row["outcome"]],
    }


def _list_present(*texts: str) -> list[str]:
    return [text for text in texts if text]


def _format_interval(low: float, high: float) -> str:
    if not math.isfinite(low) or not math.isfinite(high):
        return ""
    return f"[{format_number(low)}, {format_number(high)}]"
