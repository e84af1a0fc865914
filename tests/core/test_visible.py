"""Text of unknown origin cannot act, hide or flood."""

import pytest

from neurodecode.core.errors import PipelineError
from neurodecode.core.visible import escape, shorten, show


@pytest.mark.parametrize(
    "text",
    ["\x1b[2J", "a\nneurodecode: all is well", "\u202eevil", "\u200b", "\ud800", "\r", "\x9b"],
)
def test_nothing_hidden_is_left(text):
    for made in (escape(text), show(text), PipelineError([text]).problems[0]):
        assert made.isprintable()
        assert "\\" in made


def test_what_can_be_seen_stays():
    assert escape("Größe → 漢字, 'x'") == "Größe → 漢字, 'x'"


@pytest.mark.parametrize("length", [0, 10, 80, 81, 10_000_000])
def test_long_text_is_cut_in_its_middle_and_says_by_how_much(length):
    text = "a" * length
    made = shorten(text, 80)
    assert len(made) <= 80 + len("[99999999 characters]")
    if length <= 80:
        assert made == text
    else:
        assert f"[{length - 80} characters]" in made
        assert made.startswith("aaaa") and made.endswith("aaaa")


def test_a_message_keeps_its_end_which_says_what_to_do():
    problem = PipelineError(["pipe.yaml:1: " + "x" * 100_000 + ". Remove it."]).problems[0]
    assert problem.startswith("pipe.yaml:1: ")
    assert problem.endswith("Remove it.")
    assert len(problem) < 1_100


def test_a_text_of_escapes_is_short_too():
    assert len(show("\u200b" * 10_000)) <= 241
