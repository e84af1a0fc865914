"""How many repeats and scans a target ceiling takes, from the ceilings of a pilot."""

from __future__ import annotations

import html
from typing import Annotated, ClassVar, Self

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from neurodecode.core.artifacts import Document, Scores
from neurodecode.core.errors import DataError
from neurodecode.core.lineage import ContactKind
from neurodecode.core.stage import Stage
from neurodecode.numerics.repeat_planning import plan_repeats, predict_interval

NEEDED = ("reliability", "reliability_low", "reliability_high")
Target = Annotated[float, Field(gt=0, lt=1)]
MOST_REPEATS = 10_000


class PlanRepeats(Stage):
    """Plan how often each stimulus must be shown.

    A row for each region of the pilot, and each target: the repeats for a voxel as reliable as the
    mean voxel of that region, with the interval that the pilot's own uncertainty leaves. Ceilings
    of further sessions are taken to be as noisy as the pilot's.

    Parameters
    ----------
    targets : tuple of float
        Ceilings to reach, in the unit (r or r²) of the pilot's, each above 0 and below 1.
    n_stimuli : int
        To be shown; 2 or more.
    seconds_per_trial : float or None
        From one onset to the next; None leaves the hours out.
    """

    stage: ClassVar[str] = "evaluation.plan_repeats"
    contact: ClassVar[ContactKind] = "transductive"

    targets: Annotated[tuple[Target, ...], Field(min_length=1)] = (0.2, 0.4, 0.6, 0.8)
    n_stimuli: PositiveInt = 100
    seconds_per_trial: PositiveFloat | None = None

    @model_validator(mode="after")
    def _check_number(self) -> Self:
        if self.n_stimuli < 2:
            raise ValueError("n_stimuli is 1, and a ceiling needs several. Allowed: 2 or more.")
        return self

    def run(self, ceiling: Scores) -> Document:
        """Return a table of repeats, presentations, hours, and the ceiling's future interval.

        Parameters
        ----------
        ceiling : Scores
            Of evaluation.noise_ceiling, by any of its methods.

        Raises
        ------
        DataError
            The scores are none of a noise ceiling.
        """
        summary = ceiling.summary
        if not all(name in summary for name in NEEDED):
            raise DataError(
                f"{self.stage}: the scores given ({ceiling.metric}) hold no reliability of one "
                "presentation. Give the scores of evaluation.noise_ceiling."
            )
        rows = []
        for i in np.flatnonzero(np.isfinite(summary["reliability"])):
            region = str(summary["name"][i]).partition(" in ")[2] or "all voxels"
            rho, low, high = (float(summary[name][i]) for name in NEEDED)
            for target in self.targets:
                wanted = target**2 if ceiling.scale == "r" else target
                rows.append(self._plan(region, target, wanted, (rho, low, high), ceiling.scale))
        unit = "r²" if ceiling.scale == "r2" else "r"
        head = ["region", "reliability of one presentation", f"target ceiling of {unit}", "repeats",
                f"presentations of {self.n_stimuli} stimuli",
                *(["hours"] if self.seconds_per_trial else []),
                f"interval of one voxel's ceiling of {unit} to expect"]  # fmt: skip
        cells = [_write_row(head, "th"), *(_write_row(row, "td") for row in rows)]
        text = (
            "<p>In brackets: what the pilot's interval allows. Where it reaches no signal, no "
            "number of repeats is sure to do.</p>"
        )
        return Document(title="Repeats to plan", html=f"<table>{''.join(cells)}</table>{text}")

    def _plan(
        self, region: str, target: float, wanted: float, rho: tuple[float, float, float], scale: str
    ) -> list[str]:
        best, most, least = (_round_up(float(plan_repeats(np.array(r), wanted))) for r in rho)
        row = [
            region, f"{rho[0]:.3f} ({rho[1]:.3f} to {rho[2]:.3f})", f"{target:g}",
            f"{_write(best)} ({_write(least)} to {_write(most)})",
            f"{_write(best * self.n_stimuli)} ({_write(least * self.n_stimuli)} to "
            f"{_write(most * self.n_stimuli)})",
        ]  # fmt: skip
        if self.seconds_per_trial:
            hours = [
                n * self.n_stimuli * self.seconds_per_trial / 3600 for n in (best, least, most)
            ]
            row.append("{} ({} to {})".format(*(_write(h, 1) for h in hours)))
        if not 0 < rho[0] < 1 or best > MOST_REPEATS:
            return [*row, "–"]
        low, high = predict_interval(rho[0], self.n_stimuli, max(2, int(best)))
        if scale == "r":
            low, high = float(np.sign(low) * np.sqrt(abs(low))), float(np.sqrt(high))
        return [*row, f"{low:.2f} to {high:.2f}"]


def _round_up(n_repeats: float) -> float:
    """Return whole repeats, one at least; infinite where so many are no plan."""
    if not n_repeats <= MOST_REPEATS:
        return float("inf")
    return float(max(1, np.ceil(n_repeats - 1e-9)))


def _write(number: float, decimals: int = 0) -> str:
    return f"{number:,.{decimals}f}" if np.isfinite(number) else "no number"


def _write_row(cells: list[str], tag: str) -> str:
    return f"<tr>{''.join(f'<{tag}>{html.escape(cell)}</{tag}>' for cell in cells)}</tr>"
