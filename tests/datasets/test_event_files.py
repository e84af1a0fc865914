"""datasets.event_files: tables as labs write them, read or refused."""

import numpy as np
import pytest

from neurodecode.core.errors import DataError
from neurodecode.datasets.event_files import find_shown, read_columns, read_events, stack_events

PLACES = {"subject": "01", "session": "02", "run": "3"}


@pytest.fixture
def write(tmp_path):
    def save(text, name="events.tsv"):
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return save


def test_columns_are_numbers_where_they_hold_nothing_else(write):
    path = write("\ufeffonset\tduration\ttrial_type\tscore\tnote\r\n"
                 "3.5\t1\tface\tn/a\tx y\r\n-1\t0\tn/a\t2\tn/a\r\n")  # fmt: skip
    table = read_events(path, PLACES, None)
    assert table["onset"].tolist() == [-1.0, 3.5]
    assert table["trial_type"].tolist() == ["", "face"]
    assert table["stimulus_id"].tolist() == ["", ""]
    np.testing.assert_array_equal(table["score"], [2.0, np.nan])
    assert table["note"].tolist() == ["n/a", "x y"]
    assert (table["session"][0], table["run"][1]) == ("02", "3")
    assert list(table)[:7] == [
        "subject", "session", "run", "onset", "duration", "trial_type", "stimulus_id",
    ]  # fmt: skip


def test_commas_in_csv_and_a_column_that_names_the_stimulus(write):
    path = write('onset,duration,word\n0,1,"a, b"\n', "events.csv")
    assert read_events(path, PLACES, "word")["stimulus_id"].tolist() == ["a, b"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is empty"),
        ("onset\tduration\n", "it holds no events"),
        ("onset\tduration\n1\n", "line 2 has 1 cells, the first line 2"),
        ("onset\tonset\n1\t2\n", "a name for each, none twice"),
        ("onset\tdur\n1\t2\n", "there is no column 'duration'. Columns: dur, onset"),
        ("onset\tduration\nn/a\t2\n", "'onset' holds values that are no numbers"),
        ("onset\tduration\n1\t-2\n", "'duration' holds values that are no lengths of time"),
        ("onset\tduration\n1\tlong\n", "'duration' holds values that are no lengths of time"),
        (b"onset\xff\n", "it cannot be read as a table"),
    ],
)
def test_what_is_no_table_of_events_is_refused(write, text, message):
    path = write(text)
    with pytest.raises(DataError) as caught:
        read_events(path, PLACES, None)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_runs_with_other_columns_are_stacked(write):
    first = read_events(write("onset\tduration\tscore\n1\t2\t5\n"), PLACES, None)
    second = read_events(write("onset\tduration\tword\n1\t2\tno\n"), PLACES, None)
    table = stack_events([first, second])
    np.testing.assert_array_equal(table["score"], [5.0, np.nan])
    assert table["word"].tolist() == ["n/a", "no"]


def test_the_first_stimulus_that_starts_within_a_scan_names_it():
    times = np.array([4.0, 6.0, 10.0])  # one scan is left out
    onsets = np.array([3.9, 4.0, 5.0, 8.5, 11.9, 12.0])
    shown = np.array(["before", "a", "b", "gap", "c", "after"])
    assert find_shown(onsets, shown, times, 2.0).tolist() == ["a", "", "c"]
    assert find_shown(onsets, np.full(6, ""), times, 2.0).tolist() == ["", "", ""]


def test_columns_of_a_table_are_text(write):
    columns = read_columns(write("a\tb\n1\t2\n3\t\n"))
    assert {name: column.tolist() for name, column in columns.items()} == {
        "a": ["1", "3"], "b": ["2", ""],
    }  # fmt: skip
