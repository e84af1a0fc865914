"""An audit's reasons in sentences, figures included. No stage."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neurodecode.evaluation.verdict import CEILINGS, EXCHANGED, SHUFFLED, Comparison, Judged

NEAREST = "nearest_training"


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
    return (plain, *map(_word_claim, judged), *_word_ceiling(first))


def _word_verdict(
    verdict: str, noun: str, column: str, first: Judged, within: Judged | None
) -> str:
    if verdict.startswith("identifies categories"):
        return (
            f"Above all controls among all candidates, but not shown to be among those of one "
            f"{column}: nothing beyond the {column} is shown."
        )
    if verdict.startswith("identifies"):
        return f"Above all controls, among all candidates and among those of one {column}."
    if verdict == "above its controls" and within is None:
        return (
            f"Above all controls; whether {noun}s of one category are told apart was not tested: "
            "score identification with within: category."
        )
    if verdict == "above its controls":
        return (
            f"Above all controls; whether {noun}s of one {column} are told apart cannot be told: "
            f"{_word_why(within)}."
        )
    if verdict == "cannot be told":
        return f"Cannot be told: {_word_why(first)}."
    lost = {c.control for c in first.list_controls("not beaten")}
    won = {c.control for c in first.list_controls("beaten")}
    if lost == {NEAREST} and SHUFFLED in won:
        return (
            f"The brain is read, but no better than by showing the training {noun} nearest to what "
            "was decoded."
        )
    if SHUFFLED in lost:
        return "No better than shuffled brains: no evidence that the brain is read."
    return f"No better than {_list(sorted(lost))}."


def _word_why(judged: Judged | None) -> str:
    if judged is None or not np.isfinite(judged.value):
        return "there is no value"
    return "; ".join(f"{c.control}: {c.why}" for c in judged.list_controls("untold"))


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
    if c.control in (SHUFFLED, EXCHANGED):
        what = "refits" if c.control == SHUFFLED else "exchanges"
        return f"{c.control} ({c.value:.3g} ± {c.null_sd:.2g}, {c.null_n} {what}, p = {c.p:.2g})"
    return (
        f"{c.control} ({c.value:.3g}, difference {c.diff:+.3g} [{c.diff_low:.3g}, "
        f"{c.diff_high:.3g}])"
    )


def _word_ceiling(first: Judged) -> list[str]:
    """Return how far the result is on the way from the null to the generator's own ceiling."""
    by_kind = {c.control: c for c in first.comparisons}
    null, ceiling = (
        by_kind.get(SHUFFLED),
        next((by_kind[k] for k in CEILINGS if k in by_kind), None),
    )
    if null is None or ceiling is None or not np.isfinite(null.value):
        return []
    way = ceiling.value - null.value
    spread = null.null_sd if np.isfinite(null.null_sd) else 0.0
    if not (-way if first.lower_is_better else way) > 2 * spread:
        return [
            f"Even {ceiling.control} ({ceiling.value:.3g}) is hardly better than shuffled brains: "
            "with this generator and metric nothing could have been shown."
        ]
    return [
        f"That is {(first.value - null.value) / way:.0%} of the way from shuffled brains "
        f"({null.value:.3g}) to {ceiling.control} ({ceiling.value:.3g}), the ceiling."
    ]


def _list(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
