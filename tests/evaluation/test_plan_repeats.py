import re

import numpy as np
import pytest

from neurodecode.core.errors import DataError
from neurodecode.evaluation.noise_ceiling import NoiseCeiling
from neurodecode.evaluation.plan_repeats import PlanRepeats
from tests.evaluation.evaluation_data import make_responses
from tests.examples import make_voxel_scores
from tests.numerics.ceiling_data import plant_repeats


def plant(rho, n_stimuli=400):
    data, stimulus = plant_repeats(rho, 2, n_stimuli, 30, seed=1)
    return make_responses(data, [f"s{i}" for i in stimulus])


def read_cells(document):
    rows = re.findall(r"<tr>(.*?)</tr>", document.html)
    return [re.findall(r"<t[hd]>(.*?)</t[hd]>", row) for row in rows]


@pytest.mark.parametrize("scale", ["r2", "r"])
def test_repeats_planned_from_a_pilot(scale):
    target = 0.5 if scale == "r2" else np.sqrt(0.5)
    ceiling = NoiseCeiling(scale=scale).run(plant(0.2))
    stage = PlanRepeats(targets=(target,), n_stimuli=100, seconds_per_trial=4.0)
    head, row = read_cells(stage.run(ceiling))
    assert len(head) == len(row) == 7
    rho, low, high = (float(x) for x in re.findall(r"\d\.\d+", row[1]))
    assert rho == pytest.approx(0.2, abs=0.02) and low < 0.2 < high
    repeats, least, most = (int(x) for x in re.findall(r"\d+", row[3]))
    assert repeats in (4, 5) and least <= 4 <= most  # 0.5 = 4 x 0.2 / (1 + 3 x 0.2)
    assert row[4].startswith(f"{100 * repeats} ")
    assert row[5].startswith(f"{100 * repeats * 4 / 3600:.1f} ")


def test_no_signal_asks_for_no_number():
    ceiling = NoiseCeiling().run(plant(0.0, n_stimuli=60))
    row = read_cells(PlanRepeats(targets=(0.5,)).run(ceiling))[1]
    assert "no number)" in row[3]


def test_other_scores_are_refused():
    with pytest.raises(DataError, match=r"Give the scores of evaluation\.noise_ceiling"):
        PlanRepeats().run(make_voxel_scores())
    with pytest.raises(ValueError, match="2 or more"):
        PlanRepeats(n_stimuli=1)
