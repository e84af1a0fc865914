"""What predicted classes are worth: accuracies, confusions, and a null that keeps blocks together.

Labels of a block design may only be exchanged block by block: volumes of one block share their
label and much of their noise, so that shuffling them singly makes chance look narrower than it is
(Golland and Fischl 2003, IPMI; Winkler et al. 2015, NeuroImage 123, on exchangeability blocks).
"""

from __future__ import annotations

import numpy as np


def find_blocks(labels: np.ndarray, runs: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Return the block of each row: successive rows of one run that share a label.

    Parameters
    ----------
    labels, runs : arrays, shape (n_rows,)
    place : array of float, shape (n_rows,)
        Order of rows within their run, such as their onset.

    Returns
    -------
    blocks : array of int, shape (n_rows,)

    Examples
    --------
    >>> find_blocks(np.array(["a", "a", "b", "a"]), np.zeros(4), np.array([0, 3, 2, 1])).tolist()
    [0, 2, 1, 0]
    """
    order = np.lexsort((place, runs))
    ordered, of_run = labels[order], runs[order]
    starts = np.r_[True, (ordered[1:] != ordered[:-1]) | (of_run[1:] != of_run[:-1])]
    blocks = np.empty(len(labels), np.int64)
    blocks[order] = np.cumsum(starts) - 1
    return blocks


def share_credit(values: np.ndarray) -> np.ndarray:
    """Return what each class would earn if it were the true one.

    Parameters
    ----------
    values : array, shape (n_rows, n_classes)
        Probabilities or decision values.

    Returns
    -------
    credit : array, shape (n_rows, n_classes)
        1 for the largest value of a row, shared equally among those that tie for it.

    Examples
    --------
    >>> share_credit(np.array([[0.2, 0.8], [0.5, 0.5]])).tolist()
    [[0.0, 1.0], [0.5, 0.5]]
    """
    best = values == values.max(axis=1, keepdims=True)
    return best / best.sum(axis=1, keepdims=True)


def weigh_classes(numbers: np.ndarray, n_classes: int) -> np.ndarray:
    """Return weights of mean 1 by which every class that is there counts alike.

    Examples
    --------
    >>> weigh_classes(np.array([0, 0, 0, 1]), 2).tolist()
    [0.6666666666666666, 0.6666666666666666, 0.6666666666666666, 2.0]
    """
    counts = np.bincount(numbers, minlength=n_classes)
    return len(numbers) / ((counts > 0).sum() * counts[numbers])


def permute_accuracy(
    credit: np.ndarray,
    numbers: np.ndarray,
    blocks: np.ndarray,
    runs: np.ndarray,
    n_permutations: int,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return accuracy and balanced accuracy under labels exchanged between blocks of a run.

    Parameters
    ----------
    credit : array, shape (n_rows, n_classes)
        See share_credit.
    numbers : array of int, shape (n_rows,)
        The true classes; equal within a block.
    blocks, runs : arrays of int, shape (n_rows,)

    Returns
    -------
    accuracy, balanced : arrays, shape (n_permutations,)
    """
    rng = np.random.default_rng(seed)
    _, first, of_row = np.unique(blocks, return_index=True, return_inverse=True)
    label_of_block, run_of_block = numbers[first], runs[first]
    members = [np.flatnonzero(run_of_block == run) for run in np.unique(run_of_block)]
    every, n_classes = np.arange(len(numbers)), credit.shape[1]
    accuracy, balanced = np.empty(n_permutations), np.empty(n_permutations)
    for k in range(n_permutations):
        drawn = label_of_block.copy()
        for inside in members:
            drawn[inside] = rng.permutation(drawn[inside])
        labels = drawn[of_row]
        right = credit[every, labels]
        accuracy[k] = right.mean()
        balanced[k] = (right * weigh_classes(labels, n_classes)).mean()
    return accuracy, balanced


def count_confusions(credit: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Return how often each class was taken for each: rows are true, columns predicted.

    Returns
    -------
    counts : array, shape (n_classes, n_classes)
        Ties are shared, so that rows sum to the number of samples of a class.

    Examples
    --------
    >>> count_confusions(np.array([[0.0, 1.0], [0.5, 0.5]]), np.array([0, 1])).tolist()
    [[0.0, 1.0], [0.5, 0.5]]
    """
    counts = np.zeros((credit.shape[1], credit.shape[1]))
    np.add.at(counts, numbers, credit)
    return counts
