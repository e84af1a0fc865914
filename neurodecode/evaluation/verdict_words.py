"""An audit's reasons in sentences, figures included. No stage."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neurodecode.evaluation.verdict import (
    CEILINGS,
    EXCHANGED,
    NEAREST,
    SHUFFLED,
    Comparison,
    Judged,
)

EXPECTED = ("prior_only", "mean_embedding", NEAREST, "true_features")


def word_reasons(
    verdict: str, of: str, column: str, judged: Sequence[Judged], obstacle: str = ""
) -> tuple[str, ...]:
    """Return why the verdict is what it is: one plain sentence, then one for each claim judged.

    Parameters
    ----------
    verdict : str
    of : str
        What was scored.
    column : str
        The category that the second claim stays in.
    judged : sequence of Judged
        The first claim, and its fellow within a category where there is one.
    obstacle : str
        Why nothing can be told, whatever the comparisons say.
    """
    first, within = judged[0], judged[1] if len(judged) > 1 else None
    plain = obstacle or _word_verdict(verdict, "image" if of == "image" else "item", column,
                                      first, within)  # fmt: skip
    absent = [k for k in EXPECTED if k not in [c.control for c in first.comparisons]]
    told = [f"Not run: {_list([kind.replace('_', ' ') for kind in absent])}."] if absent else []
    return (plain, *map(_word_claim, judged), *_word_ceiling(first), *told)


def _word_verdict(
    verdict: str, noun: str, column: str, first: Judged, within: Judged | None
) -> str:
    copy = f"showing the training {noun} nearest to what was decoded"
    if verdict == "not above its controls":
        lost = [c for c in first.list_controls("not beaten") if c.control != NEAREST]
        if SHUFFLED in [c.control for c in lost]:
            return "No better than shuffled brains: no evidence that the brain is read."
        return f"No better than what needs no brain: {_list([c.name for c in lost])}."
    if verdict == "cannot be told":
        return f"The controls could not have shown it: {_word_why(first)}."
    if verdict == "identifies categories only":
        text = (
            "Better than every control without the brain, but not shown to be so among candidates "
            f"of one {column}: nothing beyond the {column} is shown."
        )
        if first.copied == "not above":
            text += f" Nor is it shown to be better than {copy}."
        return text
    if verdict.startswith("no better"):
        inside = f", within one {column}, too" if within and within.read == "above" else ""
        return f"The brain is read{inside}, but not shown to be read better than by {copy}."
    if verdict.startswith("identifies"):
        return f"Above all controls, among all candidates and among those of one {column}."
    if within is None:
        return (
            f"Above all controls; whether {noun}s of one category are told apart was not tested: "
            "score identification with within: category."
        )
    if within.copied == "not above" and within.read == "above":
        return f"Above all controls; but within one {column} not shown to be above {copy}."
    return (
        f"Above all controls; whether {noun}s of one {column} are told apart cannot be told: "
        f"{_word_why(within)}."
    )


def _word_why(judged: Judged | None) -> str:
    if judged is None or not np.isfinite(judged.value):
        return "there is no value"
    return "; ".join(f"{c.name}: {c.why}" for c in judged.list_controls("untold"))


def _word_claim(judged: Judged) -> str:
    text = f"{judged.claim} {judged.value:.3g}"
    if np.isfinite(judged.low):
        text += f" [{judged.low:.3g}, {judged.high:.3g}]"
    parts = [
        f"{words} {_list([_word_comparison(c) for c in found])}"
        for words, found in (
            ("is not above", judged.list_controls("not beaten")),
            ("is above", judged.list_controls("beaten")),
            ("cannot be told from", judged.list_controls("untold")),
        )
        if found
    ]
    return f"{text} {'; it '.join(parts)}." if parts else f"{text} was compared with nothing."


def _word_comparison(c: Comparison) -> str:
    if c.outcome == "untold":
        return f"{c.name} ({c.why})"
    if c.control in (SHUFFLED, EXCHANGED):
        what = "refits" if c.control == SHUFFLED else "exchanges"
        return f"{c.name} ({c.value:.3g} ± {c.null_sd:.2g}, {c.null_n} {what}, p = {c.p:.2g})"
    return (
        f"{c.name} ({c.value:.3g}, difference {c.diff:+.3g} [{c.diff_low:.3g}, {c.diff_high:.3g}])"
    )


def _word_ceiling(first: Judged) -> list[str]:
    """Return how far the result is on the way from the null to the ceiling, if it is at all."""
    by_kind = {c.control: c for c in first.comparisons}
    null = by_kind.get(SHUFFLED)
    ceiling = next((by_kind[kind] for kind in CEILINGS if kind in by_kind), None)
    if null is None or ceiling is None or not np.isfinite(null.value):
        return []
    way = ceiling.value - null.value
    spread = null.null_sd if np.isfinite(null.null_sd) else 0.0
    if not (-way if first.lower_is_better else way) > 2 * spread:
        return [
            f"Even {ceiling.name} ({ceiling.value:.3g}) is hardly better than shuffled brains: "
            "with this generator and metric nothing could have been shown."
        ]
    if first.read != "above":
        return []
    return [
        f"That is {(first.value - null.value) / way:.0%} of the way from shuffled brains "
        f"({null.value:.3g}) to {ceiling.name} ({ceiling.value:.3g}), the ceiling."
    ]


def _list(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
