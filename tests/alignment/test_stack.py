"""Subjects are set one below the other only where their columns correspond."""

from dataclasses import replace

import numpy as np
import pytest

from neurodecode.alignment.stack import Stack
from neurodecode.core.artifacts import Responses, Space, make_samples
from neurodecode.core.errors import DataError
from neurodecode.core.lineage import make_row_tokens, mix_rows
from neurodecode.core.rows import group_samples
from neurodecode.core.trace import derive_lineage


def make_subject(subject: str, n: int, start: float) -> Responses:
    ids = [f"s{i}" for i in range(n)]
    return Responses(
        data=np.arange(n * 3, dtype=np.float32).reshape(n, 3) + start,
        samples=make_samples(dataset="test", subject=subject, stimulus_id=ids),
        space=Space(kind="surface", mesh="fsaverage5", vertices=np.array([4, 5, 9])),
    )


def test_rows_and_tables_follow_each_other() -> None:
    one, two = make_subject("01", 2, 0), make_subject("02", 3, 100)
    stacked = Stack().run({"01": one, "02": two})
    np.testing.assert_array_equal(stacked.data, np.concatenate([one.data, two.data]))
    assert stacked.samples["subject"].tolist() == ["01", "01", "02", "02", "02"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"units": "z"}, "units"),
        ({"t_r": 2.0}, "t_r"),
        (
            {"space": Space(kind="surface", mesh="fsaverage5", vertices=np.array([4, 5, 8]))},
            "space",
        ),
        ({"data": np.zeros((3, 4), np.float32)}, "columns"),
    ],
)
def test_parts_that_differ_are_refused(change: dict, message: str) -> None:
    other = replace(make_subject("02", 3, 0), **change)
    with pytest.raises(DataError, match=message):
        Stack().run({"01": make_subject("01", 2, 0), "02": other})


def test_a_part_given_twice_is_refused() -> None:
    one = make_subject("01", 2, 0)
    with pytest.raises(DataError, match="several"):
        Stack().run({"a": one, "b": one})


def test_peers_of_each_part_stay_its_own() -> None:
    parts = {"01": make_subject("01", 2, 0), "02": make_subject("02", 3, 100)}
    mixed = {
        name: part.with_lineage(
            mix_rows(
                part.lineage, make_row_tokens(part.samples), np.zeros(len(part.samples), int),
                step="zscore", kind="transductive", reason=None,
            )
        )
        for name, part in parts.items()
    }  # fmt: skip
    made = derive_lineage(
        Stack(), {"responses": mixed}, {"responses": Stack().run(parts)}, step="all"
    )["responses"]
    own = make_row_tokens(made.samples)["sample"][:, 0]
    for peers in made.lineage.peers:
        inside = peers.groups >= 0
        seen = peers.to_contact(np.unique(peers.groups[inside])).tokens["sample"]
        assert set(seen) == set(own[inside])
    assert len(made.lineage.peers) == 2
    assert not made.lineage.contacts()


def test_what_a_photograph_is_is_not_lost_where_one_part_does_not_know() -> None:
    """Two crops of one photograph stay one stimulus, in the part that only knows ids as well."""
    one, two = make_subject("01", 2, 0), make_subject("02", 3, 100)
    known = one.samples.with_columns(source=["photo", "photo"], category=["face", "face"])
    stacked = Stack().run({"02": two, "01": replace(one, samples=known)})
    assert stacked.samples["source"].tolist() == ["photo", "photo", "", "photo", "photo"]
    assert stacked.samples["category"].tolist() == ["face", "face", "", "face", "face"]
    tokens = make_row_tokens(stacked.samples)["stimulus"]
    assert len(np.unique(tokens[[0, 1, 3, 4]])) == 1
    assert tokens[2, 0] not in tokens[[0, 1, 3, 4]]
    assert group_samples(stacked.samples, "stimulus", "here").tolist() == [0, 0, 2, 0, 0]
