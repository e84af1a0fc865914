"""The pipelines that come with the package: all load, and the small ones run whole."""

from pathlib import Path

import numpy as np
import pytest

import neurodecode
from neurodecode.core.errors import StepFailed
from neurodecode.core.pipeline import load_pipeline
from neurodecode.core.resources import list_pipelines
from neurodecode.core.runner import run_graph
from neurodecode.core.store import Store
from tests.conftest import find_data

ROOT = Path(__file__).resolve().parent.parent
SMALL = ["digits.n_items=30", "scan.n_vertices=60", "controls.n_shuffles=2", "images.n_steps=2"]

FLAKY = '''
from pathlib import Path
from typing import ClassVar

from neurodecode.core.artifacts import Responses
from neurodecode.core.stage import Stage


class Flaky(Stage):
    """Pass responses on, unless a file forbids it for one subject."""

    stage: ClassVar[str] = "flaky:Flaky"
    held_out: str
    folder: str

    def sees(self):
        return {"responses": "row"}

    def run(self, responses: Responses) -> Responses:
        if (Path(self.folder) / f"fail-{self.held_out}").exists():
            raise RuntimeError("the scanner was off")
        return responses
'''


@pytest.mark.parametrize("name", sorted(p.stem for p in (ROOT / "pipelines").glob("*.yaml")))
def test_every_pipeline_loads_and_says_what_it_is(name: str) -> None:
    graph = load_pipeline(ROOT / "pipelines" / f"{name}.yaml")
    assert graph.title != name
    assert graph.source
    assert list_pipelines()[name].is_file()


def test_quickstart_in_small(tmp_path: Path) -> None:
    results = neurodecode.run_pipeline("quickstart", SMALL, cache=tmp_path)
    report = results["report"]
    assert isinstance(report, neurodecode.Document)
    for words in ("From a simulated brain", "nearest_training", "data:image/png", "Method"):
        assert words in report.html
    audit = results["audit"]
    assert isinstance(audit, neurodecode.Scores)
    assert audit.verdict in ("not above its controls", "cannot be told"), "of two shuffles"
    assert audit.reasons[0] in report.html
    again = run_graph(load_pipeline(list_pipelines()["quickstart"], SMALL), Store(tmp_path))
    assert not again.computed
    assert not again.failed


def test_leave_one_subject_out_with_a_failed_branch(tmp_path: Path) -> None:
    """A failed branch leaves the others finished; run again, only it is computed."""
    text = (ROOT / "pipelines/decode_simulated_leave_one_subject_out.yaml").read_text()
    text = text.replace("responses: target, per: run", "responses: checked, per: run").replace(
        "  together:",
        f'  checked: {{stage: "flaky:Flaky", responses: target, held_out: "${{held_out}}", '
        f'folder: "{tmp_path}"}}\n  together:',
    )
    (tmp_path / "flaky.py").write_text(FLAKY)
    path = tmp_path / "loso.yaml"
    path.write_text(
        text.replace("n_items: 100", "n_items: 40").replace("n_vertices: 500", "n_vertices: 80")
    )
    (tmp_path / "fail-02").touch()
    cache = tmp_path / "cache"
    with pytest.raises(StepFailed, match=r"checked\[held_out=02\]: RuntimeError: the scanner"):
        neurodecode.run_pipeline(path, cache=cache)
    graph = load_pipeline(path)
    halfway = run_graph(graph, Store(cache))
    labels = {graph.instances[k].label for k in halfway.cards}
    assert {"scores[held_out=01]", "scores[held_out=03]"} <= labels
    assert "scores[held_out=02]" not in labels
    assert [graph.instances[k].label for k in halfway.failed] == ["checked[held_out=02]"]

    (tmp_path / "fail-02").unlink()
    done = run_graph(graph, Store(cache))
    assert not done.failed
    names = sorted(graph.instances[k].label for k in done.computed)
    assert all("held_out=02" in n or n == "report" for n in names), names
    # the code is shared, so a decoder of the others' brains reads the one left out
    for k in ("01", "02", "03"):
        card = done.cards[("scores", (("held_out", k),))]
        scores = Store(cache).read(card)["scores"]
        assert isinstance(scores, neurodecode.Scores)
        assert scores.summary["value"][0] > 0.6
        assert not scores.notices or "contact" not in " ".join(scores.notices)


@pytest.mark.slow
@pytest.mark.real_data
def test_digit69_reaches_its_bars(tmp_path: Path) -> None:
    find_data("digit69/digit69_28x28.mat")
    path = ROOT / "pipelines/reconstruct_digit69.yaml"
    results = neurodecode.run_pipeline(path, cache=tmp_path, workers=2)
    scores = results["started_scores"]
    assert isinstance(scores, neurodecode.Scores)
    table = dict(zip(scores.summary["name"], scores.summary["value"], strict=True))
    assert table["pairwise"] >= 0.92
    assert min(table["pairwise within category 6"], table["pairwise within category 9"]) >= 0.86
    gain = results["gain"]
    assert isinstance(gain, neurodecode.Scores)
    assert gain.summary["low"][0] > 0
    images = results["started"]
    assert isinstance(images, neurodecode.Reconstructions)
    assert np.asarray(images.data).shape[:2] == (100, 5)


def test_a_time_series_is_encoded_above_chance(tmp_path: Path) -> None:
    small = ["digits.n_items=24", "scan.n_vertices=60", "scan.noise_ceiling=0.4"]
    results = neurodecode.run_pipeline("encode_simulated_timeseries", small, cache=tmp_path)
    for name in ("canonical_scores", "learned_scores"):
        scores = results[name]
        assert isinstance(scores, neurodecode.Scores)
        assert float(scores.summary["low"][0]) > 0.1
    n_gabor, n_delayed = (results[name].data.shape[1] for name in ("convolved", "delayed"))
    assert n_delayed == 5 * n_gabor
