"""How often a test set was scored: what counts, what does not, and what is remembered of it."""

import json

import numpy as np
import pytest

from neurodecode.core.artifacts import Predictions, make_samples
from neurodecode.core.lint import find_in_graph
from neurodecode.core.lint.often import expect_maximum
from neurodecode.core.looks import ITEMS, N_KEPT, Look, Rows, describe_look, write_look
from neurodecode.core.pipeline import build_graph
from neurodecode.core.rows import list_predicted_rows
from neurodecode.core.runner import run_graph
from neurodecode.core.store import Store

STEPS = """
seed: 0
steps:
  digits: {stage: datasets.digits, n_items: 24}
  scan: {stage: datasets.simulated, stimuli: digits, n_vertices: 40, n_repeats: 1, n_runs: 2}
  split: {stage: evaluation.split, responses: scan, by: stimulus, HOW}
  pixels: {stage: features.pixels, stimuli: digits, size_px: 4}
  decoded: {stage: decoding.ridge, responses: scan, features: pixels, split: split,
            constant_targets: predict, alphas: [ALPHA]}
  scores: {stage: evaluation.identification, predictions: decoded, features: pixels,
           n_permutations: 20, n_bootstrap: 50}
"""
FOLDS = "n_folds: 2"
HALF = "test_fraction: 0.5"


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A cache in which two recipes were scored on all trials, and one of them on a half."""
    cache = tmp_path_factory.mktemp("cache")
    for how, alpha in ((FOLDS, 1), (FOLDS, 100), (HALF, 1)):
        score(cache, how, alpha)
    return cache


def score(cache, how=FOLDS, alpha=1, more="", behind=(), changed=lambda text: text):
    """Run the steps; return the graph, the run and the test set that was scored."""
    text = STEPS.replace("HOW", how).replace("ALPHA", str(alpha)) + more
    graph = build_graph(changed(text), cache / "look.yaml")
    done = run_graph(graph, Store(cache, behind))
    assert not done.failed, [o.trace for o in done.failed.values()]
    return graph, done, done.cards[("scores", ())]["outputs"]["scores"]["test_set"]


def test_a_recipe_counts_once(cache):
    for _ in range(2):
        _, done, test_set = score(cache)
        assert not done.computed
    assert Store(cache).count_looks(test_set) == 3
    Store(cache).remove(done.cards[("scores", ())])  # made again, it is the same look
    _, done, _ = score(cache)
    assert [name for name, _ in done.computed] == ["scores"]
    assert Store(cache).count_looks(test_set) == 3


def test_parts_of_a_test_set_and_larger_ones_count_together(cache):
    whole, half = (score(cache, how)[2] for how in (FOLDS, HALF))
    assert whole != half
    assert Store(cache).count_looks(half) == Store(cache).count_looks(whole) == 3
    assert Store(cache).load_looks().find_sharing(half) == sorted([whole, half])


def test_another_test_set_has_a_count_of_its_own(cache):
    def other(text):
        return text.replace("n_repeats: 1", "n_repeats: 1, subject: other")

    _, _, test_set = score(cache, changed=other)
    assert Store(cache).count_looks(test_set) == 1


def test_a_look_says_what_it_was(cache):
    _, done, test_set = score(cache, alpha=100)
    scores = Store(cache).read(done.cards[("scores", ())])["scores"]
    look = Store(cache).load_looks().find(test_set)[1]
    assert (look.pipeline, look.step, look.stage) == ("look", "scores", "evaluation.identification")
    assert look.claim == f"{scores.metric}: {scores.summary['name'][0]}"
    assert look.value == pytest.approx(scores.summary["value"][0])
    spread = scores.summary["high"][0] - scores.summary["low"][0]
    assert look.se == pytest.approx(spread / 3.92)
    assert look.when == done.cards[("scores", ())]["started"]


def test_a_look_is_told_by_content_not_by_code(cache):
    """Other code, versions or lineage with the same bytes are the same look."""
    _, done, _ = score(cache)
    card = done.cards[("scores", ())]
    scores = Store(cache).read(card)["scores"]
    given = Store(cache).read(done.cards[("decoded", ())])

    def name(**changes):
        look, _ = describe_look({**card, **changes}, given, scores)
        return look.name, look.scored

    def redigest(field):
        inputs = {n: {**one, field: "0" * 32} for n, one in card["inputs"].items()}
        return name(inputs=inputs)

    assert name(key="0" * 32, version=9, code={}) == redigest("lineage") == name()
    assert redigest("digest")[0] != name()[0]
    assert redigest("digest")[1] != name()[1]
    other = name(settings={**card["settings"], "ties": "strict"})
    assert (other[0] != name()[0], other[1] == name()[1]) == (True, True)


def test_show_lists_what_was_scored(cache):
    from typer.testing import CliRunner

    from neurodecode.cli.commands import app

    (cache / "look.yaml").write_text(STEPS.replace("HOW", FOLDS).replace("ALPHA", "1"))
    where = [str(cache / "look.yaml"), "scores", "--cache", str(cache)]
    shown = CliRunner().invoke(app, ["show", *where]).output
    head, *lines = shown.partition("this test set was scored by ")[2].strip().splitlines()
    looks = Store(cache).load_looks().find(score(cache)[2])
    assert head == "3 recipes"
    for line, look in zip(lines, looks, strict=True):
        assert f"look: scores  {look.scored[:8]}  {look.claim} {look.value:.4g}" in line


def test_controls_are_no_looks(cache):
    more = "controls: {of: scores, kinds: [shuffled_brain, mean_embedding], n_shuffles: 2}\n"
    _, done, test_set = score(cache, more=more)
    assert sum("@" in name for name, _ in done.computed) > 3
    assert Store(cache).count_looks(test_set) == 3


def test_cleaning_keeps_looks_and_signing_adds_none(cache, tmp_path):
    from shutil import copytree

    from typer.testing import CliRunner

    from neurodecode.cli.commands import app

    copy = copytree(cache, tmp_path / "cache")
    text = STEPS.replace("HOW", FOLDS).replace("ALPHA", "1")
    (tmp_path / "look.yaml").write_text(text)
    where = [str(tmp_path / "look.yaml"), "--cache", str(copy)]
    _, done, test_set = score(copy)
    card = done.cards[("scores", ())]
    old = {**card, "key": "0" * 32, "version": 0}  # as an earlier version of the stage left it
    for name in ("path", "bytes", "outputs", "file"):
        old.pop(name)
    store = Store(copy)
    store.write("evaluation.identification", "0" * 32, store.read(card), old)
    store.remove(card)
    signed = CliRunner().invoke(
        app, ["accept", where[0], "scores", "--reason", "no harm", *where[1:]]
    )
    assert "scores: accepted (stage version: 0 → 1)" in signed.output
    assert Store(copy).count_looks(test_set) == 3
    (tmp_path / "none.yaml").write_text("steps:\n  digits: {stage: datasets.digits, n_items: 24}\n")
    gone = CliRunner().invoke(app, ["gc", str(tmp_path / "none.yaml"), *where[1:], "--yes"])
    assert "removed" in gone.output
    assert not list(copy.glob("evaluation.identification/*.h5"))
    assert Store(copy).count_looks(test_set) == 3


def test_caches_behind_count(cache, tmp_path):
    _, _, test_set = score(cache)
    assert Store(tmp_path / "front", [cache]).count_looks(test_set) == 3
    _, done, _ = score(tmp_path / "front", alpha=1000, behind=[cache])
    assert {name for name, _ in done.computed} == {"decoded", "scores"}
    assert Store(tmp_path / "front", [cache]).count_looks(test_set) == 4
    assert Store(cache).count_looks(test_set) == 3, "what lies behind is only read"


def test_a_look_that_cannot_be_written_costs_no_result(tmp_path):
    (tmp_path / "looks").write_text("a file where a folder belongs")
    _, done, test_set = score(tmp_path)
    assert ("scores", ()) in done.computed
    assert Store(tmp_path).count_looks(test_set) == 0


def test_damaged_looks_still_count(tmp_path):
    for i, damage in enumerate(
        [b"", b"{", b"[1, 2]", b"\xff\xfe", b'{"name": "x", "of later": 1}']
    ):
        place = tmp_path / "looks" / "f00d" / f"{i}.json"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(damage)
    (tmp_path / "looks" / "f00d" / ITEMS).write_bytes(b'{"n": 3, "tokens": "AA"}')
    (tmp_path / "looks" / "f00d" / ".writing-host-1-abc.json").touch()
    assert Store(tmp_path).count_looks("f00d") == 5
    assert Store(tmp_path).count_looks("unheard of") == 0


@pytest.mark.parametrize("n", [40, 5_000])
def test_overlap_is_known_of_small_sets_and_estimated_of_large_ones(tmp_path, n):
    """Sets that share 0.3 and 0.7 of the smaller one, whatever their sizes."""
    tokens = np.random.default_rng(n).integers(0, 2**63, 4 * n, dtype=np.uint64)
    sets = {
        "mine": tokens[:n], "shuffled": tokens[:n][::-1], "part": tokens[: n // 3],
        "larger": tokens[: 3 * n], "most": tokens[int(0.3 * n) : int(1.3 * n)],
        "few": tokens[int(0.7 * n) : int(1.7 * n)], "apart": tokens[3 * n :],
    }  # fmt: skip
    for name, rows in sets.items():
        assert write_look(tmp_path, name, Look(name=name), Rows.of(rows))
        assert (tmp_path / "looks" / name / ITEMS).stat().st_size < 12 * N_KEPT
    looks = Store(tmp_path).load_looks()
    assert set(looks.find_sharing("mine")) == {"mine", "shuffled", "part", "larger", "most"}
    assert looks.count("mine") == 5
    assert looks.count("apart") == 1


def test_rows_are_told_by_identity_not_by_order():
    samples = make_samples(dataset="planted", stimulus_id=[f"s{i}" for i in range(30)])

    def name(rows):
        from neurodecode.core.looks import _name_rows

        table = list_predicted_rows(samples, [rows])
        data = np.zeros((len(rows), 2))
        return Rows.of(_name_rows(Predictions(data=data, rows=table, of="features"))).tokens

    order = np.random.default_rng(0).permutation(30)
    np.testing.assert_array_equal(name(np.arange(30)), name(order))
    assert set(name(order[:10])) < set(name(order))


# ------------------------------------------------------------------------------ told in the lint


def keep_history(cache, test_set, n):
    """Leave n looks like the first one's, each at another thing, values rising to 0.9."""
    place = cache / "looks" / test_set
    first = json.loads(next(p for p in place.iterdir() if p.name != ITEMS).read_text())
    for i in range(n):
        look = {**first, "name": f"{i:032d}", "scored": f"{i:032d}", "se": 0.02, "when": 10.0 + i}
        look["value"] = 0.6 + 0.3 * (i + 1) / n
        (place / f"{look['name']}.json").write_text(json.dumps(look))
    return first


@pytest.mark.parametrize("n", [9, 10])
def test_the_eleventh_try_is_warned_of(tmp_path, n):
    graph, done, test_set = score(tmp_path)
    first = keep_history(tmp_path, test_set, n)
    found = {f.code: f for f in find_in_graph(graph, done.cards, Store(tmp_path).load_looks())}
    if n < 10:
        assert "many_looks" not in found
        return
    text = found["many_looks"].text
    assert found["many_looks"].severity == "warning"
    assert f"scored on 11 different things by {first['claim']}: first 0.63, best 0.9." in text
    assert f"lies up to {1.59 * 0.02:.2g} off by luck" in text


def test_one_thing_scored_by_many_metrics_is_one_try(tmp_path):
    graph, done, test_set = score(tmp_path)
    keep_history(tmp_path, test_set, 30)
    for path in (tmp_path / "looks" / test_set).glob("0*.json"):
        path.write_text(json.dumps({**json.loads(path.read_text()), "scored": "one"}))
    found = {f.code for f in find_in_graph(graph, done.cards, Store(tmp_path).load_looks())}
    assert "many_looks" not in found


@pytest.mark.parametrize("n", [5, 11, 50, 200])
def test_the_best_of_many_by_luck(n):
    """Against the mean of maxima drawn."""
    drawn = np.random.default_rng(n).normal(size=(20_000, n)).max(axis=1).mean()
    assert expect_maximum(n) == pytest.approx(drawn, rel=0.02)
