"""Progress goes to who listens, and to nobody else."""

import math

import pytest

from neurodecode.core import progress
from neurodecode.core.progress import Progress, reporting, track


def test_without_a_listener_nothing_happens(capsys):
    assert list(track(iter("ab"), "letters")) == ["a", "b"]
    assert capsys.readouterr() == ("", "")


def test_the_listener_hears_the_last_item_and_no_more_than_it_can_read(monkeypatch):
    now = iter(range(100))
    monkeypatch.setattr(progress, "MIN_INTERVAL_S", 2.5)
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(now))
    news = []
    with reporting(news.append):
        assert list(track(range(10), "digits")) == list(range(10))
    assert [n.done for n in news] == [3, 6, 9, 10]
    assert news[0].remaining_s == pytest.approx(7)
    list(track(range(3), "afterwards"))
    assert len(news) == 4


def test_loops_without_a_length_are_given_one():
    news = []
    with reporting(news.append):
        list(track((i for i in range(2)), "made", total=2))
    assert (news[-1].done, news[-1].total) == (2, 2)


def test_listeners_nest():
    outer, inner = [], []
    with reporting(outer.append):
        with reporting(inner.append):
            list(track([1], "x"))
        list(track([1], "y"))
    assert ([n.label for n in outer], [n.label for n in inner]) == (["y"], ["x"])


def test_before_the_first_item_the_rest_is_unknown():
    assert math.isnan(Progress("x", 0, 5, 1.0).remaining_s)
