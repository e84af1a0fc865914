import numpy as np
from sklearn.metrics import balanced_accuracy_score, confusion_matrix

from neurodecode.numerics.classification import (
    count_confusions,
    find_blocks,
    permute_accuracy,
    share_credit,
    weigh_classes,
)


def draw(n=200, n_classes=4, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, n_classes, n), rng.normal(size=(n, n_classes))


def test_figures_are_those_of_scikit_learn():
    numbers, values = draw()
    credit = share_credit(values)
    predicted = values.argmax(axis=1)
    np.testing.assert_array_equal(
        count_confusions(credit, numbers), confusion_matrix(numbers, predicted)
    )
    right = credit[np.arange(len(numbers)), numbers]
    balanced = (right * weigh_classes(numbers, 4)).mean()
    assert np.isclose(balanced, balanced_accuracy_score(numbers, predicted))


def test_blocks_end_where_label_or_run_changes():
    labels = np.array(["a", "a", "b", "b", "b", "a"])
    runs = np.array([0, 0, 0, 1, 1, 1])
    assert find_blocks(labels, runs, np.arange(6)).tolist() == [0, 0, 1, 2, 2, 3]


def test_a_block_design_needs_blocks_to_be_exchanged():
    """Noise shared within blocks: exchange of volumes finds effects in half of the nothings."""
    rng = np.random.default_rng(1)
    labels = np.tile(np.repeat(np.arange(4), 8), 6)
    runs = np.repeat(np.arange(6), 32)
    by_block, by_volume = [], []
    for seed in range(120):
        blocks = find_blocks(labels, runs, np.arange(len(labels)))
        values = rng.normal(size=(blocks.max() + 1, 4))[blocks] + 0.3 * rng.normal(size=(192, 4))
        credit = share_credit(values)
        found = credit[np.arange(192), labels].mean()
        for units, p in ((blocks, by_block), (np.arange(192), by_volume)):
            null = permute_accuracy(credit, labels, units, runs, 99, seed)[0]
            p.append((1 + (null >= found).sum()) / 100)
    assert np.mean(np.array(by_block) <= 0.05) < 0.12
    assert np.mean(np.array(by_volume) <= 0.05) > 0.2


def test_labels_stay_in_their_run():
    numbers, runs = np.repeat([0, 1], 10), np.repeat([0, 1], 10)
    credit = share_credit(np.eye(2)[numbers])
    accuracy, _ = permute_accuracy(credit, numbers, np.arange(20), runs, 5, 0)
    np.testing.assert_array_equal(accuracy, 1.0)
