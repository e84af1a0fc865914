from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from neurodecode.core.artifacts import Document, Features
from neurodecode.core.errors import DataError
from neurodecode.plotting.audit_panel import describe_audit
from neurodecode.plotting.gallery import Gallery
from neurodecode.plotting.report import Report
from neurodecode.plotting.report_context import read_context
from neurodecode.plotting.scores_chart import ScoresChart
from tests.plotting.plotting_data import LEAK, make_audit, make_pictures, make_scores

TRANSDUCTIVE = "Transductive contact, named by the file: step 'z' has seen all. Reason given: why"
HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>'


class Page(HTMLParser):
    """Collect tags with their attributes, and check that they are closed in order."""

    VOID = ("meta", "img", "br", "path", "rect", "line", "circle", "link", "input", "hr")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def make_context(**changes: object) -> Document:
    record = {
        "title": "Digits from cortex",
        "source": "van Gerven et al. 2010",
        "pipeline": "steps:\n  scan: {stage: datasets.digit69}\n",
        "steps": [
            {"name": "scan", "stage": "datasets.digit69", "doc": "Recordings.", "branches": 1,
             "inputs": [], "settings": {}, "seconds": 1.5, "peak_mb": 90, "key": "aa" * 16},
            {"name": "decoded", "stage": "decoding.ridge", "branches": 50, "seconds": 4000,
             "inputs": [{"name": "responses", "from": "scan.responses"}],
             "settings": {"alphas": [1, 12345.5]}},
        ],
        "environment": {"python": "3.11.9", "platform": "Linux", "packages": {"numpy": "2.1.7"}},
        "seed": 4,
        "warnings": ["alpha on the edge"],
        "looks": [{"step": "scores", "test_set": "f00d" * 8, "count": 37}],
        "names": ["scores"],
    }  # fmt: skip
    return Document(title="context", html=json.dumps({**record, **changes}))


def test_page_shows_the_planted_numbers() -> None:
    page = Page(Report().run([make_scores()], make_context()).html)
    for expected in (
        "Digits from cortex", "0.844", "0.800 to 0.880", "0.501 ± 0.0300", "0.012", "12345.5",
        "numpy\xa02.1.7", "1 h 6 min", "37", "alpha on the edge", "×50", "datasets.digit69",
    ):  # fmt: skip
        assert expected in page.text, expected
    assert not page.open
    assert sum(tag == "rect" and a.get("class") == "box" for tag, a in page.found) == 2


def test_page_loads_nothing_and_runs_nothing() -> None:
    stimuli, reconstructions = make_pictures()
    shown = [
        make_scores(), ScoresChart().run([make_scores()]), reconstructions, stimuli,
        Gallery().run(stimuli, [reconstructions]),
    ]  # fmt: skip
    document = Report().run(shown, make_context())
    assert document.is_report
    page = Page(document.html)
    for tag, attributes in page.found:
        assert tag not in ("script", "link", "iframe", "object", "embed", "base")
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href", "srcset", "data", "xlink:href"):
            assert str(attributes.get(name) or "data:").startswith("data:")
    assert "url(" not in document.html
    assert "@import" not in document.html
    assert set(re.findall(r"https?://[^\"' ]+", document.html)) <= {"http://www.w3.org/2000/svg"}
    policy = next(a for t, a in page.found if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in str(policy["content"])
    images = [a for tag, a in page.found if tag == "img"]
    assert len(images) == 3  # the chart, the gallery of what is shown, the gallery; none twice
    assert all(a.get("alt") for a in images)


@pytest.mark.parametrize("notices", [(), (TRANSDUCTIVE,), (LEAK,), (LEAK, TRANSDUCTIVE)])
def test_red_banner_if_and_only_if_leakage(notices: tuple[str, ...]) -> None:
    chart = ScoresChart().run([make_scores()])
    page = Page(Report().run([make_scores(notices=notices), chart]).html)
    classes = [str(a.get("class")) for _, a in page.found]
    assert ("banner" in classes) == (LEAK in notices)
    assert ("notices" in classes) == (TRANSDUCTIVE in notices)
    # On the scores and on the chart, which itself knows of none.
    assert classes.count("leakage") == (2 if LEAK in notices else 0)
    for notice in notices:
        assert notice in page.text


def test_hostile_text_stays_text() -> None:
    steps = [{"name": HOSTILE, "stage": HOSTILE, "doc": HOSTILE, "settings": {HOSTILE: HOSTILE}}]
    context = make_context(
        title=HOSTILE, source=HOSTILE, description=HOSTILE, pipeline=HOSTILE, steps=steps,
        warnings=[HOSTILE], names=[HOSTILE], looks=[{"step": HOSTILE, "test_set": HOSTILE}],
        environment={"python": HOSTILE, "packages": {HOSTILE: HOSTILE}},
    )  # fmt: skip
    table = make_scores().summary.with_columns(name=[HOSTILE, "control: " + HOSTILE, "c"])
    scores = make_scores(metric=HOSTILE, summary=table, notices=(HOSTILE, LEAK + HOSTILE))
    figure = Document(title=HOSTILE, figures={HOSTILE + ".png": np.zeros(3, np.uint8)})
    page = Page(Report().run([scores, figure, ScoresChart().run([scores])], context).html)
    assert "script" not in {tag for tag, _ in page.found}
    assert not any(name.startswith("on") for _, a in page.found for name in a)
    assert HOSTILE in page.text
    assert not page.open


def test_without_context_and_other_artifacts() -> None:
    stimuli, _ = make_pictures(4)
    features = Features(data=np.zeros((4, 7)), items=stimuli.items)
    page = Page(Report(title="Alone").run([features]).html)
    assert "features of shape 4 × 7" in page.text
    assert "Method" not in page.text
    assert Report().run([]).title == "Report"


def test_same_bytes_again() -> None:
    assert (
        Report().run([make_scores()], make_context()).html
        == Report().run([make_scores()], make_context()).html
    )


def test_a_context_that_does_not_fit_is_refused() -> None:
    with pytest.raises(DataError, match=r"steps\.0\.stage"):
        Report().run([], Document(title="", html='{"steps": [{"name": "a"}]}'))
    with pytest.raises(DataError, match="1 mistakes"):
        Report().run([], Document(title="", html="not json"))
    assert read_context('{"title": "t", "from the future": 1}').title == "t"


def test_the_audit_is_printed_as_it_was_stored() -> None:
    html = Report().run([make_audit(), make_scores()]).html
    page = Page(html)
    assert not page.open
    for expected in (
        "Identifies categories only", "Nothing beyond the category.", "the ceiling",
        "true features (ceiling)", "0.501 ± 0.030", "p = 0.02", "50 refits", "+0.0600",
        "[−0.0200, 0.140]",
    ):  # fmt: skip
        assert expected in page.text, expected
    assert "No controls were run" not in page.text
    table = describe_audit(make_audit())
    assert table["headings"] == ["shuffled brain", "prior only", "true features (ceiling)"]
    names = [row["claim"] for row in table["rows"]]
    assert names == ["pairwise", "pairwise within category", "top-1"], "judged ones first"
    cells = [[cell["mark"] for cell in row["cells"]] for row in table["rows"]]
    assert cells == [["", "✓", "", ""], ["", "", "✗", ""], ["", "", "", ""]]


@pytest.mark.parametrize(
    ("verdict", "tone"),
    [
        ("not above its controls", "bad"),
        ("cannot be told", "open"),
        ("identifies images", "plain"),
        ("a word of a later version", "plain"),
    ],
)
def test_only_what_is_not_above_its_controls_is_red(verdict: str, tone: str) -> None:
    page = Page(Report().run([make_audit(verdict=verdict)]).html)
    assert f"audit {tone}" in [a.get("class") for _, a in page.found]
    assert f"verdict-word {tone}" in [a.get("class") for _, a in page.found]


def test_scores_without_an_audit_are_not_judged() -> None:
    page = Page(Report().run([make_scores()]).html)
    assert "No controls were run; nothing here was audited." in page.text
    for word in ("beats", "Better"):
        assert word not in page.text


def test_a_page_of_its_own_is_named_not_put_inside() -> None:
    page = Document(title="A map <to turn>", html="<html>secret</html>", is_report=True)
    html = Report().run([make_scores(), page]).html
    assert "A map &lt;to turn&gt;" in html
    assert "a page of its own" in html
    assert "secret" not in html
