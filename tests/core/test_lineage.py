"""Tokens, contacts and peers, by themselves; whole designs are tried in test_trace.py."""

import numpy as np
import pytest

from neurodecode.core.errors import LeakageError
from neurodecode.core.leakage import check_scored_rows
from neurodecode.core.lineage import (
    EVERY_FOLD,
    Contact,
    Lineage,
    make_row_tokens,
    merge_contacts,
    mix_rows,
)
from neurodecode.core.packing import pack_lineage, unpack_lineage
from neurodecode.core.tables import Table


def make_table(**columns):
    base = {"sample_id": ["a", "b", "c", "d"], "stimulus_id": ["x", "y", "x", "z"]}
    return Table({**base, **columns})


def tokens_of(table, level="sample", rows=slice(None)):
    return np.unique(make_row_tokens(table)[level][rows])


def check(seen, table=None, kind="label", reason=None, folds=None, levels=("sample",), **options):
    table = make_table() if table is None else table
    lineage = Lineage(seen={k: (Contact("fit", kind, reason, t),) for k, t in seen.items()})
    folds = np.zeros(len(table), int) if folds is None else np.array(folds)
    return check_scored_rows(lineage, table, folds, step="scores", levels=levels, **options)


def test_tokens_tell_rows_apart_by_level():
    table = make_table(subject=["1", "1", "2", "2"], session=["1"] * 4, run=["1"] * 4)
    tokens = make_row_tokens(table)
    assert {level: len(np.unique(t)) for level, t in tokens.items()} == {
        "sample": 4, "stimulus": 3, "subject": 2, "session": 2, "run": 2,
    }  # fmt: skip
    assert tokens["sample"].dtype == np.uint64


def test_a_stimulus_is_its_source_and_its_content():
    table = make_table(source=["s", "t", "s", "u"], digest=["p", "p", "q", "r"])
    tokens = make_row_tokens(table)["stimulus"]
    assert tokens.shape == (4, 2)
    assert tokens[0, 0] == tokens[2, 0]
    assert tokens[0, 1] == tokens[1, 1]
    items = Table({"id": ["i"], "source": ["s"], "digest": ["z"]})
    assert make_row_tokens(items)["stimulus"][0, 0] == tokens[0, 0], "items and samples agree"


def test_equal_text_of_other_kinds_is_no_contact():
    table = Table({"sample_id": ["x"], "stimulus_id": ["x"], "category": ["x"]})
    values = [t.item() for t in make_row_tokens(table).values()]
    assert len(set(values)) == 3


def test_a_touched_row_raises_and_names_the_step():
    table = make_table()
    with pytest.raises(LeakageError, match="scores: step 'fit' has seen 2 of the 4"):
        check({0: {"sample": tokens_of(table, rows=[1, 2])}})


def test_only_the_fold_s_own_fit_counts():
    table = make_table()
    seen = {
        0: {"sample": tokens_of(table, rows=[2, 3])},
        1: {"sample": tokens_of(table, rows=[0, 1])},
    }
    assert check(seen, folds=[0, 0, 1, 1]) == []
    with pytest.raises(LeakageError, match="of fold 0"):
        check(seen, folds=[1, 1, 0, 0])


def test_what_every_fold_has_seen_counts_for_each():
    with pytest.raises(LeakageError):
        check({EVERY_FOLD: {"sample": tokens_of(make_table(), rows=[3])}}, folds=[0, 0, 1, 1])


def test_a_row_without_a_fold_answers_for_all():
    with pytest.raises(LeakageError):
        check({7: {"sample": tokens_of(make_table(), rows=[3])}}, folds=[EVERY_FOLD] * 4)


def test_levels_that_are_not_asked_for_do_not_count():
    other = np.array([1], np.uint64)
    seen = {0: {"stimulus": tokens_of(make_table(), "stimulus"), "sample": other}}
    (notice,) = check(seen, levels=("sample",))
    assert notice.startswith("The split does not keep stimuli apart: 'fit' was trained on")
    with pytest.raises(LeakageError, match="has seen the stimulus"):
        check(seen, levels=("sample", "stimulus"))


def test_reasons_turn_refusals_into_notices():
    seen = {0: {"sample": tokens_of(make_table())}}
    (notice,) = check(seen, kind="transductive", reason="we do so")
    assert notice.startswith("Transductive contact, named by the file")
    assert notice.endswith("we do so")
    (notice,) = check(seen, allow_leakage="a demonstration")
    assert notice.startswith("LEAKAGE")
    (notice,) = check({0: {}}, kind="unknown", reason="NSD betas")
    assert "unknown" in notice


def test_contacts_of_one_step_are_united():
    one, two = (
        Contact("fit", "label", None, {"sample": np.array(v, np.uint64)}) for v in ([1, 3], [2, 3])
    )
    (merged,) = merge_contacts([one, two])
    assert merged.tokens["sample"].tolist() == [1, 2, 3]
    assert len(merge_contacts([one, Contact("fit", "label", "named", {})])) == 2


def test_peers_widen_when_groups_are_mixed_again():
    table = make_table()
    tokens = make_row_tokens(table)
    first = mix_rows(
        Lineage(), tokens, np.array([0, 0, 1, 1]), step="one", kind="transductive", reason=None
    )
    second = mix_rows(
        first, tokens, np.array([5, 6, 6, 7]), step="two", kind="transductive", reason=None
    )
    earlier, _ = second.peers
    seen = {g: earlier.to_contact(np.array([g])).tokens["sample"] for g in (5, 6, 7)}
    np.testing.assert_array_equal(seen[5], tokens_of(table, rows=[0, 1]))
    np.testing.assert_array_equal(seen[6], tokens_of(table))
    np.testing.assert_array_equal(seen[7], tokens_of(table, rows=[2, 3]))


def test_taking_rows_takes_their_groups():
    tokens = make_row_tokens(make_table())
    mixed = mix_rows(Lineage(), tokens, np.array([0, 1, 1, 2]), step="z", kind="label", reason=None)
    assert mixed.take([3, 1]).peers[0].groups.tolist() == [2, 1]


def test_lineage_is_stored_compactly_and_comes_back():
    tokens = make_row_tokens(make_table())
    seen = {level: np.unique(t) for level, t in tokens.items()}
    contact = Contact("fit", "label", None, seen)
    lineage = mix_rows(
        Lineage(seen={0: (contact,), 1: (contact,)}, split="s", unit="run"),
        tokens, np.zeros(4, int), step="z", kind="transductive", reason="ü",
    )  # fmt: skip
    arrays, meta = pack_lineage(lineage)
    assert sum(np.array_equal(a, seen["sample"]) for a in arrays.values()) == 1, (
        "once, not per fold"
    )
    found = unpack_lineage(arrays, meta)
    assert pack_lineage(found)[1] == meta
    assert (found.split, found.unit, found.peers[0].reason) == ("s", "run", "ü")


def test_what_knows_stimuli_alone_counts_where_training_does_not_show_them():
    """A PCA over all features, in a split by run: the test stimuli that are new were seen."""
    table = make_table()
    pca = Contact("pca", "transductive", None, {"stimulus": tokens_of(table, "stimulus")})
    other = np.array([1], np.uint64)
    for known, n_new in (([], 4), ([0, 2], 2), ([0, 1, 3], 0)):
        trained = {"sample": other, "stimulus": tokens_of(table, "stimulus", known)}
        lineage = Lineage(seen={0: (Contact("fit", "label", None, trained), pca)})
        arguments = {"step": "scores", "levels": ("sample",)}
        if n_new:
            with pytest.raises(LeakageError, match=f"'pca' has seen the stimulus of {n_new} of"):
                check_scored_rows(lineage, table, np.zeros(4, int), **arguments)
        else:
            check_scored_rows(lineage, table, np.zeros(4, int), **arguments)


def test_what_a_row_was_averaged_from_is_part_of_it():
    table = make_table()
    tokens = {"sample": np.array([[11], [12], [13], [14]], np.uint64)}
    lineage = mix_rows(
        Lineage(seen={0: (Contact("fit", "label", None, {"sample": np.array([12], np.uint64)}),)}),
        tokens, np.array([0, 0, 1, 1]), step="mean", kind="label", reason=None,
    )  # fmt: skip
    with pytest.raises(LeakageError, match="'fit' has seen 2 of the 4"):
        check_scored_rows(lineage, table, np.zeros(4, int), step="scores", levels=("sample",))


def test_a_unit_that_cannot_be_followed_is_not_passed_over():
    with pytest.raises(LeakageError, match="keeps each column:onset_s together"):
        check({}, make_table(onset_s=[0.0, 1.0, 2.0, 3.0]), levels=("sample", "column:onset_s"))
    table = make_table(repeat=[0, 0, 1, 1])
    seen = {0: {"column:repeat": tokens_of(table, "column:repeat", [0])}}
    with pytest.raises(LeakageError, match="has seen the column:repeat of 2 of"):
        check(seen, table, levels=("sample", "column:repeat"))
    seen = {0: {"stimulus": tokens_of(table, "stimulus", [0])}}
    with pytest.raises(LeakageError, match="has seen the stimulus of 2 of"):
        check(seen, table, levels=("sample", "column:stimulus_id"))


def test_a_row_without_source_goes_by_its_name():
    """One part of a table knows sources, another only ids: none is left without a name."""
    table = Table({"sample_id": ["a", "b"], "stimulus_id": ["x", "y"], "source": ["photo", ""]})
    named = make_row_tokens(Table({"id": ["y"]}))["stimulus"]
    assert named[0, 0] == make_row_tokens(table)["stimulus"][1, 0]


def test_neighbours_are_counted_once_for_all_folds():
    table = make_table()
    sample = make_row_tokens(table)["sample"][:, 0]
    near = {
        k: (Contact("fit", "neighbour", None, {"sample": sample[rows]}),)
        for k, rows in {0: [0], 1: [2, 3], 2: []}.items()
    }
    (notice,) = check_scored_rows(
        Lineage(seen=near), table, np.array([0, 0, 1, 1]), step="scores", levels=("sample",)
    )
    assert notice.startswith("Neighbours in one run: 'fit' was trained on rows just before or")
    assert "after 3 of the 4 test rows" in notice
