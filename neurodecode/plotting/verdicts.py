"""Scores in words: the headline, and whether a result beats its controls.

A control is beaten where the interval of the difference (value - control) lies on the better side
of zero; without a paired difference, where the intervals of the two do not overlap. The features
of the true stimulus sent through the generator are no control to beat but the generator's ceiling.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from neurodecode.core.artifacts import Scores
from neurodecode.plotting.chart import Claim, format_number, is_shown

CEILINGS = ("true features", "true_features")
ALPHA = 0.05


class Verdict(NamedTuple):
    """One sentence, and how it is to be read."""

    kind: Literal["good", "bad", "open", "plain"]
    text: str


def write_headline(scores: Scores, claims: list[Claim]) -> str:
    """Return the first claim in one sentence, with interval, chance, p and n."""
    claim = next((c for c in claims if not c.is_control), None)
    if claim is None or claim.value is None:
        return f"{scores.metric}: no value."
    metric = scores.metric[:1].upper() + scores.metric[1:]
    parts = [f"{metric}: {claim.label} {format_number(claim.value)}"]
    if claim.low is not None and claim.high is not None:
        parts.append(f"(95 % interval {format_number(claim.low)} to {format_number(claim.high)})")
    if claim.chance is not None:
        parts.append(f"against chance {format_number(claim.chance)}")
    text = " ".join(parts)
    if claim.p is not None:
        text += f", p {format_p(claim.p)}"
    if claim.n is not None:
        text += f", n = {claim.n:,.0f}"
    return text + "."


def format_p(p: float) -> str:
    """Return a p-value for reading.

    Examples
    --------
    >>> format_p(0.00004), format_p(0.0321)
    ('< 0.0001', '= 0.032')
    """
    return "< 0.0001" if p < 1e-4 else f"= {p:.2g}" if p >= 0.01 else f"= {p:.1g}"


def judge(scores: Scores, claims: list[Claim], *, controls_wanted: bool = True) -> list[Verdict]:
    """Return whether the first claim beats chance and each of its controls.

    Parameters
    ----------
    controls_wanted : bool
        Say so where scores of items have no controls.
    """
    main = next((c for c in claims if not c.is_control), None)
    if main is None or main.value is None:
        return [Verdict("open", "There is no value to compare with controls.")]
    if scores.metric == "sharpness":
        return [Verdict("plain", "How crisp images are is no evidence of decoding.")]
    sign = -1.0 if scores.scale == "distance" else 1.0
    controls = [c for c in claims if c.is_control and c.value is not None and is_shown(c, scores)]
    verdicts = [_judge_chance(main, sign)]
    verdicts += [_judge_control(main, control, sign) for control in controls]
    if not controls and scores.over == "items" and controls_wanted:
        verdicts.append(Verdict("open", "No controls were run."))
    return verdicts


def _judge_chance(main: Claim, sign: float) -> Verdict:
    if main.p is not None:
        better = main.p <= ALPHA
        n = f" of {main.null_n:,.0f} refits" if main.null_n else ""
        words = "Better than the null" if better else "Not better than the null"
        return Verdict("good" if better else "bad", f"{words}{n} (p {format_p(main.p)}).")
    if main.chance is None or main.low is None or main.high is None:
        return Verdict("open", "Chance or interval are missing: not compared with chance.")
    worse_end = main.low if sign > 0 else main.high
    better = sign * (worse_end - main.chance) > 0
    words = "Better than chance" if better else "Not better than chance"
    return Verdict(
        "good" if better else "bad",
        f"{words}: the interval {'excludes' if better else 'includes or lies beyond'} "
        f"{format_number(main.chance)}.",
    )


def _judge_control(main: Claim, control: Claim, sign: float) -> Verdict:
    name, value = control.label, format_number(control.value)
    if any(mark in name for mark in CEILINGS):
        return Verdict("plain", f"{name}: {value}, the generator's own ceiling.")
    if control.diff_low is not None and control.diff_high is not None:
        better = (control.diff_low if sign > 0 else control.diff_high) * sign > 0
        interval = f"[{format_number(control.diff_low)}, {format_number(control.diff_high)}]"
        detail = f"difference {format_number(control.diff)} {interval}"
    elif None not in (main.low, main.high, control.value):
        worse_end = main.low if sign > 0 else main.high
        rival = control.high if sign > 0 else control.low
        rival = control.value if rival is None else rival
        better = sign * ((worse_end or 0.0) - (rival or 0.0)) > 0
        detail = "by their intervals; no paired difference was computed"
    else:
        return Verdict("open", f"{name}: {value}; no interval, so not compared.")
    words = "beats" if better else "does NOT beat"
    return Verdict("good" if better else "bad", f"The result {words} {name} ({value}): {detail}.")
