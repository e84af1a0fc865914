"""Controls are branches of the graph: which steps they add, and what they leave as it is."""

import pytest

from neurodecode.core.errors import PipelineError
from neurodecode.core.graph import Ref
from neurodecode.core.pipeline import build_graph

STEPS = """\
steps:
  scan:      {{stage: datasets.digit69}}
  split:     {{stage: evaluation.split, responses: scan}}
  pixels:    {{stage: features.pixels, stimuli: scan}}
  decoded:   {{stage: decoding.ridge, responses: scan, features: pixels, split: split,
              nested: true}}
  generator: {{stage: reconstruction.train_diffusion, stimuli: scan, estimates: decoded.training,
              split: split}}
  images:    {{stage: reconstruction.diffusion, model: generator, estimates: decoded.predictions}}
  scores:    {{stage: evaluation.pixcorr, reconstructions: images, stimuli: scan}}
  gallery:   {{stage: plotting.gallery, stimuli: scan, reconstructions: images}}
controls: {controls}
"""


def build(controls, tmp_path, text=STEPS):
    return build_graph(text.format(controls=controls), tmp_path / "pipe.yaml")


def list_added(
    graph, plain=("scan", "split", "pixels", "decoded", "generator", "images", "scores", "gallery")
):
    steps = [name for name, _ in graph.instances]
    assert [s for s in steps if s in plain] == sorted(plain, key=steps.index), "none is changed"
    return {name: steps.count(name) for name in dict.fromkeys(steps) if name not in plain}


def find(graph, name, **branch):
    return graph.instances[name, tuple(branch.items())]


def test_the_shuffled_brain_is_decoded_again_and_the_generator_kept(tmp_path):
    graph = build("{of: scores, kinds: [shuffled_brain], n_shuffles: 2}", tmp_path)
    assert list_added(graph) == {
        "scan@shuffled": 2, "decoded@shuffled_brain": 2, "images@shuffled_brain": 2,
        "scores@shuffled_brain": 2, "audit": 1,
    }  # fmt: skip
    branch = (("shuffle", "1"),)
    shuffle = find(graph, "scan@shuffled", shuffle="1")
    assert shuffle.stage.number == 1
    assert shuffle.inputs == {"responses": Ref("scan", (), "responses")}
    decoded = find(graph, "decoded@shuffled_brain", shuffle="1")
    assert decoded.inputs["responses"] == Ref("scan@shuffled", branch, "responses")
    assert decoded.inputs["features"] == Ref("pixels", (), "features"), "features are true ones"
    images = find(graph, "images@shuffled_brain", shuffle="1")
    assert images.inputs["model"] == Ref("generator", (), "model"), "trained models are held fixed"
    assert images.inputs["estimates"] == Ref("decoded@shuffled_brain", branch, "predictions")
    assert find(graph, "scores@shuffled_brain", shuffle="0").inputs["stimuli"] == Ref(
        "scan", (), "stimuli"
    )
    compared = find(graph, "audit")
    assert compared.inputs["scores"] == Ref("scores", (), "scores")
    assert list(compared.inputs["shuffled"]) == ["0", "1"]


@pytest.mark.parametrize("kind", ["prior_only", "mean_embedding", "true_features"])
def test_decoded_features_are_replaced(tmp_path, kind):
    graph = build(f"{{of: scores, kinds: [{kind}]}}", tmp_path)
    assert list_added(graph) == {
        f"decoded@{kind}": 1, f"images@{kind}": 1, f"scores@{kind}": 1, "audit": 1,
    }  # fmt: skip
    replaced = find(graph, f"decoded@{kind}")
    assert (replaced.address, replaced.stage.kind) == ("evaluation.replace", kind)
    assert replaced.inputs["predictions"] == Ref("decoded", (), "predictions")
    images = find(graph, f"images@{kind}")
    assert images.inputs["estimates"] == Ref(f"decoded@{kind}", (), "predictions")
    assert images.inputs["model"] == Ref("generator", (), "model")
    assert images.stage == find(graph, "images").stage
    assert find(graph, "audit").inputs["others"] == {kind: Ref(f"scores@{kind}", (), "scores")}


def test_the_nearest_training_stimulus_is_shown_as_it_is(tmp_path):
    graph = build("{of: scores, kinds: [nearest_training]}", tmp_path)
    assert list_added(graph) == {
        "images@nearest_training": 1, "scores@nearest_training": 1, "audit": 1,
    }  # fmt: skip
    shown = find(graph, "images@nearest_training")
    assert shown.address == "reconstruction.retrieval"
    assert shown.inputs["predictions"] == Ref("decoded", (), "predictions")
    assert shown.inputs["split"] == Ref("split", (), "split"), "training stimuli of the fold only"


def test_all_kinds_are_the_default(tmp_path):
    added = list_added(build("{of: scores, n_shuffles: 3}", tmp_path))
    assert added["scores@shuffled_brain"] == 3
    assert {s.split("@")[1] for s in added if s.startswith("scores@")} == {
        "shuffled_brain", "prior_only", "mean_embedding", "true_features", "nearest_training",
    }  # fmt: skip


def test_several_scores_have_controls_each(tmp_path):
    text = STEPS.replace(
        "controls:",
        "  more: {{stage: evaluation.ssim, reconstructions: images, stimuli: scan}}\ncontrols:",
    )
    graph = build("{of: [scores, more], kinds: [true_features]}", tmp_path, text)
    names = {name for name, _ in graph.instances}
    assert {"audit_scores", "audit_more", "more@true_features"} <= names


def test_branches_keep_their_controls(tmp_path):
    text = "each: {{by: [stimulus, run]}}\n" + STEPS.replace(
        "evaluation.split,", 'evaluation.split, by: "${{by}}",'
    )
    graph = build("{of: scores, kinds: [shuffled_brain], n_shuffles: 2}", tmp_path, text)
    compared = find(graph, "audit", by="run")
    assert list(compared.inputs["shuffled"]) == ["0", "1"]
    assert all(("by", "run") in r.branch for r in compared.inputs["shuffled"].values())
    assert [n for n, _ in graph.instances].count("scan@shuffled") == 2, "data are shuffled once"


def test_the_name_of_the_audit_is_taken(tmp_path):
    text = STEPS.replace("  gallery:", "  audit:")
    with pytest.raises(PipelineError) as caught:
        build("{of: scores}", tmp_path, text)
    assert "audit: the name is taken by what 'controls:' adds" in caught.value.problems[0]


@pytest.mark.parametrize(
    ("controls", "words"),
    [
        ("[scores]", "Write controls: {of: scores}"),
        ("{of: scors}", "Unknown step 'scors'. Did you mean 'scores'?"),
        (
            "{of: scores, kinds: [shuffled]}",
            "Unknown kind 'shuffled'. Did you mean 'shuffled_brain'?",
        ),
        ("{of: scores, n_shuffle: 3}", "Unknown key 'n_shuffle'. Did you mean 'n_shuffles'?"),
        ("{of: scores, n_shuffles: 0}", "n_shuffles: got '0'"),
        ("{kinds: [prior_only]}", "of: name the step whose scores are to be controlled"),
        ("{of: pixels}", "nothing upstream of 'pixels' decodes responses"),
    ],
)
def test_mistakes_are_named(tmp_path, controls, words):
    with pytest.raises(PipelineError) as caught:
        build(controls, tmp_path)
    assert any(words in p for p in caught.value.problems), caught.value.problems
