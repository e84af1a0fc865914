"""The methods section: it says what was run, all of it, and nothing else."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import numpy as np
import pytest

from neurodecode.core.artifacts import Document, Scores, Space
from neurodecode.core.errors import DataError
from neurodecode.core.stage import find_stage, list_stages
from neurodecode.plotting.methods import Methods
from neurodecode.plotting.methods_sentences import WRITERS, write_sentence
from neurodecode.plotting.methods_sources import find_citations, find_reference
from neurodecode.plotting.report_context import StepRecord
from tests.plotting.plotting_data import make_map


def make_step(name: str, stage: str, doc: str = "", **settings: Any) -> dict[str, Any]:
    defaults = find_stage(stage).model_construct().settings() if ":" not in stage else {}
    return {"name": name, "stage": stage, "doc": doc, "settings": {**defaults, **settings}}


STEPS = [
    make_step("scan", "datasets.digit69", "Six and nine."),
    make_step("z", "preprocessing.zscore"),
    make_step("clip", "features.open_clip", "Describe images by CLIP.", model="ViT-B-32"),
    make_step("split", "evaluation.split", by="run", n_folds=7),
    make_step("fit", "encoding.ridge", alphas=[1.0, 10.0, 100.0], n_inner_folds=4),
    make_step("scores", "evaluation.encoding", n_permutations=500, correction="max"),
    make_step("own", "lab.tricks:Trick", "Do a trick.", strength=3),
    make_step("map", "plotting.brain_map", q_threshold=0.01, divide_by_ceiling=True),
    make_step("methods", "plotting.methods"),
]


def make_scores(p: bool = True) -> Scores:
    space = Space(kind="surface", mesh="fsaverage5", vertices=np.arange(4))
    tested = {"p": np.full(4, 0.01), "q": np.array([0.01, 0.02, 0.2, 0.3])} if p else {}
    return make_map(np.linspace(0, 0.3, 4), space, **tested)


def write(steps: list[dict[str, Any]], scores: Scores | None = None) -> str:
    context = {
        "steps": steps, "seed": 5, "names": ["scores"],
        "environment": {"python": "3.11.7", "packages": {"numpy": "1.26.4", "nilearn": "0.12"}},
    }  # fmt: skip
    document = Document(title="context", html=json.dumps(context))
    return Methods().run([scores or make_scores()], document).html


def read_text(page: str) -> str:
    """Return the paragraphs, without tables."""
    return " ".join(html.unescape(re.sub("<[^>]+>", "", p)) for p in re.findall("<p>.*?</p>", page))


def test_every_step_is_told_with_its_numbers() -> None:
    text = read_text(write(STEPS))
    for words in (
        "z-scored per voxel within each run",
        "model ViT-B-32",
        "7-fold cross-validation held out whole runs",
        "from 1, 10, 100 by the R² in 4 inner folds",
        "Huth et al. 2012",
        "averaged by Fisher's z",
        "500 times, controlling the family-wise error by the maximum statistic",
        "lab.tricks:Trick (Do a trick: strength 3)",
        "q < 0.01",
        "divided by their noise ceiling where it exceeded 0.1",
        "Taylor et al. 2023",
        "numpy 1.26.4",
        "Python 3.11.7",
        "seed 5",
    ):
        assert words in text, words
    order = [text.index(h) for h in ("Data.", "Preprocessing.", "Features.", "Encoding models.")]
    assert order == sorted(order)


def test_what_was_not_run_is_not_told() -> None:
    text = read_text(write([STEPS[3]]))
    for words in ("ridge", "z-scored", "Maps.", "Features.", "noise ceiling", "permut", "Data."):
        assert words not in text
    scored = [STEPS[5]]
    assert "No p-values were computed" in read_text(write(scored, make_scores(p=False)))
    assert "maximum statistic" not in read_text(write(scored, make_scores(p=False)))
    none = make_step("scores", "evaluation.encoding", null="none")
    assert "No p-values were computed" in read_text(write([none]))
    hidden = make_step("map", "plotting.brain_map", below_threshold="hide")
    assert "Taylor" not in read_text(write([hidden]))


def test_tables_of_scores_settings_and_sources() -> None:
    page = write(STEPS)
    assert "2 of 4 with q &lt; 0.05" in page
    assert "<td>median</td><td>0.200</td><td>0.100 to 0.300</td>" in page
    assert "alphas = [1.0, 10.0, 100.0]" in page
    assert "van Gerven, F. P. de Lange, T. Heskes (2010)" in page
    assert "plotting.methods" not in page


def test_sources_are_read_from_the_heads_of_files() -> None:
    assert find_citations("features.gabor") == ("Jones and Palmer 1987", "Kay et al. 2008")
    assert find_citations("preprocessing.noise_normalization") == (
        "Guggenmos, Sterzer and Cichy 2018", "Ledoit and Wolf 2004",
    )  # fmt: skip
    assert "Tan and Le 2019" in find_citations("features.efficientnet_lite")
    assert len(find_citations("features.efficientnet_lite")) == 1, "no arXiv number"
    assert find_reference("datasets.digits").startswith("E. Alpaydin")
    assert find_citations("lab.tricks:Trick") == ()


@pytest.mark.parametrize("address", list_stages())
def test_a_sentence_for_every_stage_there_is(address: str) -> None:
    stage = find_stage(address)
    doc = (stage.__doc__ or "").strip().split("\n")[0]
    settings = json.loads(json.dumps(stage.model_construct().settings(), default=str))
    step = StepRecord(name="step", stage=address, doc=doc, settings=settings)
    for tests in (True, False, None):
        text = write_sentence(step, tests)
        assert text.endswith(".")
        assert "None" not in text.split("(")[0]
        assert ".." not in text


def test_every_sentence_has_its_stage() -> None:
    assert set(WRITERS) <= set(list_stages())


def test_branches_that_differ_are_told_with_all_values() -> None:
    step = make_step("split", "evaluation.split") | {"settings": {"by": "run", "n_folds": "3 | 5"}}
    assert "3 | 5-fold" in read_text(write([step]))


def test_it_cannot_be_written_without_a_run() -> None:
    with pytest.raises(DataError, match="not told what was run"):
        Methods().run([make_scores()])
