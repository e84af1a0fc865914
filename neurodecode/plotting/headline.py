"""Scores in one sentence. What they prove is not decided here but by evaluation.audit."""

from __future__ import annotations

import numpy as np

from neurodecode.core.artifacts import Scores
from neurodecode.plotting.chart import Claim, format_number


def write_headline(scores: Scores, claims: list[Claim]) -> str:
    """Return the first claim in one sentence, with interval, chance, p and n."""
    claim = next((c for c in claims if not c.is_control), None)
    if claim is None or claim.value is None:
        return f"{scores.metric}: no value."
    metric = scores.metric[:1].upper() + scores.metric[1:]
    names: list[str] = scores.items["id"].astype(str).tolist() if "id" in scores.items else []
    if scores.of == "region" and len(names) > 1 and claim.name in names:
        return f"{metric}: {_write_regions(scores, claims)}."
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
        if scores.over == "voxels" and claim.name.startswith("median"):
            text += " voxels"
    return text + "."


def _write_regions(scores: Scores, claims: list[Claim]) -> str:
    """Return the range over regions, none of which is before the others, and how many pass."""
    known = [c for c in claims if not c.is_control and not c.is_share and c.value is not None]
    low, high = (pick(known, key=lambda c: c.value or 0.0) for pick in (min, max))
    text = (
        f"{len(known)} regions, from {format_number(low.value)} ({low.label}) to "
        f"{format_number(high.value)} ({high.label})"
    )
    if scores.q is None:
        return f"{text}, without p-values"
    passed = int((np.asarray(scores.q, np.float64) < 0.05).sum())
    return f"{text}; {passed} with q < 0.05 (corrected)"


def format_p(p: float) -> str:
    """Return a p-value for reading.

    Examples
    --------
    >>> format_p(0.00004), format_p(0.0321)
    ('< 0.0001', '= 0.032')
    """
    return "< 0.0001" if p < 1e-4 else f"= {p:.2g}" if p >= 0.01 else f"= {p:.1g}"
