from dataclasses import replace

import numpy as np
import pytest

from neurodecode.core.errors import DataError
from neurodecode.evaluation.shuffle import Shuffle
from tests.evaluation.evaluation_data import make_responses


def test_shuffle_moves_data_and_keeps_names():
    run = np.repeat(["01", "02"], 10)
    responses = make_responses(np.arange(20)[:, None], run=run)
    first, second, again = (Shuffle(number=k).run(responses) for k in (0, 1, 0))
    assert sorted(first.data[:, 0]) == list(range(20))
    assert (first.samples["sample_id"] == responses.samples["sample_id"]).all()
    assert (first.data == again.data).all()
    assert (first.data != second.data).any()
    inside = Shuffle(within="run").run(responses).data[:, 0]
    assert sorted(inside[:10]) == list(range(10))


def test_shuffled_blocks_stay_whole_and_within_a_run():
    run = np.repeat(["01", "02"], 10)
    responses = make_responses(np.arange(20)[:, None], run=run)
    order = Shuffle(block_rows=4).run(responses).data[:, 0]
    for start in (0, 4, 10, 14):
        at = np.flatnonzero(order == start)[0]
        assert order[at : at + 4].tolist() == list(range(start, start + 4))


def test_time_series_are_not_shuffled_row_by_row():
    responses = replace(make_responses(np.arange(20)[:, None]), t_r=2.0)
    with pytest.raises(DataError, match="block_rows"):
        Shuffle().run(responses)
    assert len(Shuffle(block_rows=5).run(responses).data) == 20
