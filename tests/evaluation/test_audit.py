"""Planted truths and their verdicts, and how often the rule is wrong.

The rates are measured over 400 replications by default, and over 4,000 with ``pytest -m slow``.
"""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy import stats

from neurodecode.core.artifacts import Scores
from neurodecode.core.errors import DataError
from neurodecode.decoding.ridge import Ridge
from neurodecode.evaluation.audit import Audit
from neurodecode.evaluation.identification import Identification
from neurodecode.evaluation.replace import Replace
from neurodecode.evaluation.shuffle import Shuffle
from neurodecode.evaluation.split import Split as SplitStage
from neurodecode.evaluation.summary import Claim, make_scores
from tests.evaluation.evaluation_data import make_features, make_predictions, make_responses

N, N_CATEGORIES, N_FEATURES, N_VOXELS = 60, 3, 12, 20
REPLICATIONS = [400, pytest.param(4000, marks=pytest.mark.slow)]


class Planted:
    """Features with categories, and responses that know nothing, the category, or the item."""

    def __init__(self, knows: str, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.category = np.array([str(i % N_CATEGORIES) for i in range(N)])
        centres = 2 * rng.normal(size=(N_CATEGORIES, N_FEATURES))
        self.centre = centres[self.category.astype(int)]
        self.true = self.centre + rng.normal(size=(N, N_FEATURES))
        signal = {"nothing": 0 * self.true, "category": self.centre, "item": self.true}[knows]
        weights = rng.normal(size=(N_FEATURES, N_VOXELS))
        self.responses = make_responses(signal @ weights + rng.normal(size=(N, N_VOXELS)))
        self.features = make_features(self.true, category=self.category)
        self.split = SplitStage(by="stimulus", n_folds=3).run(self.responses)

    def decode(self, responses):
        return Ridge(alphas=(1.0, 10.0), n_inner_folds=2, extend_alphas=0).run(
            responses, self.features, self.split
        )["predictions"]

    def score(self, predictions, n_permutations=0, within="category"):
        stage = Identification(
            within=within,
            n_way=(),
            n_bootstrap=10,
            n_permutations=n_permutations,
            direction="forward",
        )
        return stage.run(predictions, self.features)

    def audit(self, n_shuffles=19, result="decoded", within="category"):
        decoded = self.decode(self.responses)
        controls = {
            kind: Replace(kind=kind).run(decoded, self.features, self.split)
            for kind in ("prior_only", "mean_embedding", "nearest_training", "true_features")
        }
        chosen = decoded if result == "decoded" else controls[result]
        shuffled = {}
        for k in range(n_shuffles):
            other = self.decode(Shuffle(number=k).run(self.responses))
            if result != "decoded":
                other = Replace(kind=result).run(other, self.features, self.split)
            shuffled[str(k)] = self.score(other, within=within)
        others = {kind: self.score(one, within=within) for kind, one in controls.items()}
        return self.score(chosen, 199, within), shuffled, others


@cache
def plant(knows: str, **options):
    return Planted(knows).audit(**options)


def find(scores, name, column="value"):
    return scores.summary[column][scores.summary["name"].tolist().index(name)]


def as_images(scores):
    return replace(scores, of="image")


@pytest.mark.parametrize(
    ("knows", "verdict", "words"),
    [
        ("nothing", "not above its controls", "No better than shuffled brains"),
        ("category", "identifies categories only", "nothing beyond the category is shown"),
        ("item", "identifies items", "among those of one category"),
    ],
)
def test_planted_truths(knows, verdict, words):
    audit = Audit().run(*plant(knows))
    assert audit.verdict == verdict
    assert words in audit.reasons[0]
    assert "pairwise" in audit.reasons[1]


def test_images_are_called_so():
    assert Audit().run(as_images(plant("item")[0]), *plant("item")[1:]).verdict == (
        "identifies images"
    )


def test_showing_the_nearest_training_item_is_said_to_be_just_that():
    audit = Audit().run(*plant("item", result="nearest_training"))
    assert audit.verdict == "no better than the nearest training item"
    assert "The brain is read, within one category, too, but not shown" in audit.reasons[0]
    assert find(audit, "control: nearest_training / pairwise", "outcome") == "not beaten"
    assert find(audit, "control: shuffled_brain / pairwise", "outcome") == "beaten"
    assert find(audit, "pairwise", "p") == pytest.approx(0.05)


def test_without_categories_the_verdict_claims_less():
    audit = Audit().run(*plant("item", within=None))
    assert audit.verdict == "above its controls"
    assert "within: category" in audit.reasons[0]
    scores, shuffled, others = plant("item", result="nearest_training", within=None)
    assert Audit().run(scores, shuffled, others).verdict.startswith("no better than the nearest")
    # Not held against it, it is not said to be above it.
    others = {kind: one for kind, one in others.items() if kind != "nearest_training"}
    audit = Audit().run(scores, shuffled, others)
    assert audit.verdict == "above its controls"
    assert audit.reasons[-1] == "Not run: nearest training."


def test_better_than_the_nearest_training_item_only_across_categories():
    scores, shuffled, others = plant("item")
    table = scores.summary
    name = "pairwise within category"
    same = scores.items.with_columns(**{name: others["nearest_training"].items[name]})
    audit = Audit().run(replace(scores, items=same, summary=table), shuffled, others)
    assert audit.verdict == "above its controls"
    assert "within one category not shown to be above showing" in audit.reasons[0]


@pytest.mark.parametrize("column", ["run", "subject"])
def test_candidates_of_one_run_are_not_of_one_category(column):
    scores, shuffled, others = (
        turn_within(part, column) if isinstance(part, Scores) else
        {k: turn_within(s, column) for k, s in part.items()}
        for part in plant("item")
    )  # fmt: skip
    assert Audit().run(scores, shuffled, others).verdict == "above its controls"


def turn_within(scores, column):
    within = np.where(scores.summary["within"] == "category", column, "")
    return replace(scores, summary=scores.summary.with_columns(within=within))


@pytest.mark.parametrize("n_shuffles", [0, 4, 18])
def test_too_few_shuffles_cannot_tell(n_shuffles):
    scores, shuffled, others = plant("item")
    few = dict(list(shuffled.items())[:n_shuffles])
    audit = Audit().run(scores, few, others)
    assert audit.verdict == "cannot be told"
    assert ("19 or more" if n_shuffles else "none were run") in audit.reasons[0]
    # What a control that was run shows, stays shown.
    beaten_by_prior = Audit().run(others["mean_embedding"], few, others)
    assert beaten_by_prior.verdict == "not above its controls"


def with_few_units(scores):
    return replace(scores, items=scores.items.with_columns(unit=np.arange(N) % 9))


def without_intervals(scores):
    return replace(scores, over="voxels")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (with_few_units, "prior only: 9 independent units are fewer than 10"),
        (without_intervals, "prior only: there is no interval of the difference"),
    ],
)
def test_differences_without_a_reliable_interval_cannot_tell(change, words):
    scores, shuffled, others = plant("item")
    groups = ({k: change(s) for k, s in group.items()} for group in (shuffled, others))
    audit = Audit().run(change(scores), *groups)
    assert audit.verdict == "cannot be told"
    assert words in audit.reasons[0]


def test_within_a_category_too_small_nothing_is_told_of_it():
    scores, shuffled, others = plant("item")
    table = scores.summary
    no_p = table.with_columns(
        p=np.where(table["within"] == "category", np.nan, table["p"]),
        null_n=np.where(table["within"] == "category", 0, table["null_n"]),
    )
    audit = Audit().run(replace(scores, summary=no_p), shuffled, others)
    assert audit.verdict == "above its controls"
    assert audit.reasons[0].endswith("exchanged truth: none were run.")


def test_of_a_distance_less_is_better():
    scores, shuffled, others = plant("item")
    audit = Audit().run(
        turn(scores), *({k: turn(s) for k, s in d.items()} for d in (shuffled, others))
    )
    straight = Audit().run(scores, shuffled, others)
    assert audit.verdict == "identifies items"
    for column in ("p", "outcome"):
        np.testing.assert_array_equal(audit.summary[column], straight.summary[column])
    # Without turning the data, all is worse than the controls.
    lower = {k: replace(s, scale="distance") for k, s in others.items()}
    worse = {k: replace(s, scale="distance") for k, s in shuffled.items()}
    audit = Audit().run(replace(scores, scale="distance"), worse, lower)
    assert audit.verdict == "not above its controls"


def turn(scores):
    """Return the same scores as a distance; p stays what it was."""
    table = scores.summary
    names = table["name"].tolist()
    return replace(
        scores,
        scale="distance",
        summary=table.with_columns(
            value=1 - table["value"], low=1 - table["high"], high=1 - table["low"],
            null_mean=1 - table["null_mean"],
        ),
        items=scores.items.with_columns(**{name: 1 - scores.items[name] for name in names}),
    )  # fmt: skip


def test_the_comparisons_stand_in_the_summary():
    scores, shuffled, others = plant("item")
    audit = Audit().run(scores, shuffled, others)
    table = audit.summary
    null = np.array([s.summary["value"][0] for s in shuffled.values()])
    for name in ("pairwise", "control: shuffled_brain / pairwise"):
        assert find(audit, name, "p") == pytest.approx(0.05)
        assert find(audit, name, "null_sd") == pytest.approx(null.std(ddof=1))
    assert find(audit, "pairwise", "p_permutation") == scores.summary["p"][0]
    np.testing.assert_allclose(audit.null, null)
    difference = scores.values - others["prior_only"].values
    row = "control: prior_only / pairwise"
    assert find(audit, row, "diff") == pytest.approx(difference.mean())
    assert find(audit, row, "diff_low") < difference.mean() < find(audit, row, "diff_high")
    assert table["name"][table["judged"]].tolist() == ["pairwise", "pairwise within category"]
    assert set(table["outcome"][~np.isin(table["claim"], table["name"][table["judged"]])]) == {""}
    assert find(audit, "control: true_features / pairwise", "outcome") == "ceiling"
    assert "% of the way" in audit.reasons[-1]


def test_refits_without_a_value_count_against_the_result():
    scores, shuffled, others = plant("item")
    table = scores.summary
    broken = replace(scores, summary=table.with_columns(value=np.full(len(table), np.nan)))
    audit = Audit().run(scores, {**shuffled, "19": broken}, others)
    assert find(audit, "pairwise", "p") == pytest.approx(2 / 21)
    assert audit.verdict == "not above its controls"


def test_what_no_control_can_mend():
    scores, shuffled, others = plant("item")
    leak = "LEAKAGE, allowed by the file: step 'clip' has seen 3 test rows."
    audit = Audit().run(replace(scores, notices=(leak,)), shuffled, others)
    assert audit.verdict == "cannot be told"
    assert "Leakage" in audit.reasons[0]
    sharp = [
        {k: replace(s, metric="sharpness") for k, s in d.items()}
        for d in ({"of": scores}, shuffled, others)
    ]
    assert Audit().run(sharp[0]["of"], *sharp[1:]).verdict == "cannot be told"


def test_refusals():
    scores, shuffled, others = plant("item")
    with pytest.raises(DataError, match="audited already"):
        Audit().run(Audit().run(scores, shuffled, others))
    other = replace(others["prior_only"], metric="another")
    with pytest.raises(DataError, match="prior_only: the control's metric is 'another'"):
        Audit().run(scores, shuffled, {"prior_only": other})


@pytest.mark.parametrize("n_replications", [5, pytest.param(300, marks=pytest.mark.slow)])
def test_noise_through_all_stages_is_rarely_above(n_replications):
    """Decoded, refitted, replaced and scored by the real stages, each time another brain."""
    verdicts = [Audit().run(*Planted("nothing", seed).audit()).verdict
                for seed in range(n_replications)]  # fmt: skip
    false = sum(verdict != "not above its controls" for verdict in verdicts)
    assert false <= stats.binom.ppf(0.999, n_replications, 0.05), false / n_replications


@cache
def make_template(n=30):
    """Return scores to be filled with other values."""
    items = make_predictions(np.zeros((n, 1))).rows
    return make_scores(
        [Claim("pairwise", np.zeros(n), 0.5)],
        items.with_columns(id=items["stimulus_id"]),
        np.arange(n),
        metric="planted", scale="accuracy", n_bootstrap=2, seed=0,
    )  # fmt: skip


def draw_scores(rng, mean, typical, spread):
    """Return scores of 30 items about a mean, heterogeneous since some items look typical."""
    values = np.clip(mean + typical + spread * rng.normal(size=len(typical)), 0, 1)
    scores = make_template()
    return replace(
        scores,
        values=values,
        items=scores.items.with_columns(pairwise=values),
        summary=scores.summary.with_columns(value=[values.mean()]),
    )


@pytest.mark.parametrize("truth", ["noise", "as good as the mean embedding"])
@pytest.mark.parametrize("n_replications", REPLICATIONS)
def test_false_verdicts_are_rare(truth, n_replications):
    """Of results without the brain, and, harder, of those that one control alone equals."""
    false = 0
    for seed in range(n_replications):
        rng = np.random.default_rng(seed)
        typical = rng.uniform(-0.3, 0.3, 30)
        typical -= typical.mean()
        good = 0.5 if truth == "noise" else 0.65
        audit = Audit(n_bootstrap=300).run(
            draw_scores(rng, good, typical, 0.1),
            {str(k): draw_scores(rng, 0.5, typical, 0.1) for k in range(19)},
            {
                "prior_only": draw_scores(rng, 0.5, rng.uniform(-0.3, 0.3, 30), 0.0),
                "mean_embedding": draw_scores(rng, good, typical, 0.15),
            },
        )
        false += audit.verdict == "above its controls"
    assert false <= stats.binom.ppf(0.999, n_replications, 0.05), false / n_replications


@pytest.mark.parametrize("n_replications", [60, pytest.param(2000, marks=pytest.mark.slow)])
def test_categories_alone_are_rarely_taken_for_items(n_replications):
    """Shuffled brains do not know the category: being above them within it proves nothing.

    Refits that are nearly constant, as those of a strongly regularised decoder, make it plain.
    """
    planted = Planted("category")

    def score(rng, centre, spread, **options):
        decoded = centre + spread * rng.normal(size=(N, N_FEATURES))
        return planted.score(make_predictions(decoded), **options)

    rng = np.random.default_rng(0)
    mean = np.broadcast_to(planted.true.mean(axis=0), planted.true.shape)
    shuffled = {str(k): score(rng, mean, 0.01) for k in range(19)}
    false = above_refits = 0
    for seed in range(n_replications):
        scores = score(np.random.default_rng([1, seed]), planted.centre, 0.5, n_permutations=99)
        audit = Audit().run(scores, shuffled)
        assert audit.verdict in ("identifies items", "identifies categories only")
        false += audit.verdict == "identifies items"
        above_refits += find(audit, "pairwise within category", "p") <= 0.05
    assert false <= stats.binom.ppf(0.999, n_replications, 0.05), false / n_replications
    assert above_refits > 0.1 * n_replications, "the refits alone would have been fooled"
