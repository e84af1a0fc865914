import numpy as np
import pytest

from neurodecode.core.errors import DataError
from neurodecode.datasets.textgrid import parse_textgrid, read_textgrid

LONG = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 3.5
tiers? <exists>
size = 2
item []:
    item [1]:
        class = "IntervalTier"
        name = "word"
        xmin = 0
        xmax = 3.5
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 1.25
            text = "she "
        intervals [2]:
            xmin = 1.25
            xmax = 2e0
            text = "said ""no"" 7
times"
        intervals [3]:
            xmin = 2.0
            xmax = 3.5
            text = ""
    item [2]:
        class = "TextTier"
        name = "clicks"
        xmin = 0
        xmax = 3.5
        points: size = 1
        points [1]:
            number = 0.5
            mark = "größer"
"""
SHORT = """File type = "ooTextFile short"
"TextGrid"
! made by hand: "IntervalTier" 9
0
3.5
<exists>
2
"IntervalTier"
"word"
0
3.5
3
0
1.25
"she"
1.25
2
"said ""no"" 7
times"
2
3.5
""
"TextTier" "clicks" 0 3.5 1 0.5 "größer"
"""


@pytest.mark.parametrize("text", [LONG, SHORT], ids=["long", "short"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_both_formats_in_every_encoding_give_the_same_tiers(tmp_path, text, encoding):
    path = tmp_path / "words.TextGrid"
    path.write_bytes(text.replace("\n", "\r\n" if encoding == "utf-16" else "\n").encode(encoding))
    words, clicks = read_textgrid(path)
    assert (words.name, words.kind) == ("word", "interval")
    assert words.texts == ("she", 'said "no" 7\ntimes', "")
    np.testing.assert_array_equal(words.start_s, [0, 1.25, 2])
    np.testing.assert_array_equal(words.end_s, [1.25, 2, 3.5])
    assert (clicks.name, clicks.kind, clicks.texts) == ("clicks", "point", ("größer",))
    np.testing.assert_array_equal(clicks.start_s, clicks.end_s)


def test_a_grid_without_tiers_is_empty():
    assert parse_textgrid('"ooTextFile" "TextGrid" 0 1 <absent>') == ()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"ooTextFile"', '"ooSoundFile"', "line 1: this is no text file of Praat"),
        ('"TextGrid"', '"Pitch"', "line 2: this is another object"),
        ("xmax = 1.25", "xmax = soon", r"line 18: the text 'she ' *'?.*the end of an interval"),
        ("xmin = 1.25", "xmin = 1.0", "line 21: tier 'word': 1 s lies before the end"),
        ("xmax = 2e0", "xmax = 1.2", "line 21: an interval of tier 'word' ends at 1.2 s"),
        ("intervals: size = 3", "intervals: size = 4", "line 29: the text 'TextTier'"),
        ("points: size = 1", "points: size = 0.5", "line 33: 0.5 as the number of"),
        ("points: size = 1", "points: size = 0", "line 35: the number '0.5' after the last entry"),
        ('"größer"', '"größer', "line 36: the text without a closing quote 'größer"),
        ('            mark = "größer"\n', "", "line 36: the file ends here"),
        ("TextTier", "PitchTier", "line 29: a tier of class 'PitchTier'"),
    ],
)
def test_mistakes_are_told_by_their_line(old, new, message):
    with pytest.raises(DataError, match=message):
        parse_textgrid(LONG.replace(old, new))


def test_binary_grids_are_refused(tmp_path):
    path = tmp_path / "words.TextGrid"
    path.write_bytes(b"ooBinaryFile\x08TextGrid\0\0")
    with pytest.raises(DataError, match="binary TextGrid"):
        read_textgrid(path)
