"""The refitted null of ridge: responses given to the wrong times in training and test, fit anew.

A null of a fixed fit asks whether these predictions follow those responses. The refitted null asks
what the whole procedure reaches where there is nothing to find: its mean is the chance level, which
is below 0 where folds share runs (the training mean then leans away from the held-out rows).

Of all that ridge needs, permuted responses change only X'Y: the Gram matrix of the features, its
eigendecomposition, and so the map from X'Y to predictions stay as they are. With alphas as they
were chosen for each voxel, every refit of a fold is two matrix products for all voxels.

Alphas are not chosen again: choosing costs the inner folds of each refit. The null scores of a
voxel with a large alpha are those of a prediction shrunk as much as the observed one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from neurodecode.core.errors import DataError
from neurodecode.core.progress import track
from neurodecode.numerics.nulls import cut_blocks, draw_blocks, draw_phases
from neurodecode.numerics.voxel_scores import HeldOut, Metric, score_voxels


def refit_null(
    features: np.ndarray,
    responses: np.ndarray,
    folds: Sequence[tuple[np.ndarray, np.ndarray]],
    alphas: np.ndarray,
    segments: Sequence[np.ndarray],
    *,
    kind: str = "blocks",
    block_rows: int = 1,
    metric: Metric = "r",
    parts: np.ndarray | None = None,
    n_permutations: int = 100,
    seed: int = 0,
) -> np.ndarray:
    """Return the scores that ridge reaches on responses whose blocks or phases were permuted.

    Parameters
    ----------
    features : array, shape (n_samples, n_features)
    responses : array, shape (n_samples, n_voxels)
    folds : sequence of (training rows, test rows)
        No row is tested twice.
    alphas : array, shape (n_folds, n_voxels) or (n_voxels,)
        Ridge penalties, in units of the sum of squares of the features, which are centred on the
        training rows; 0 or more.
    segments : sequence of arrays of int
        Rows of each stretch of time, in their order; together they hold all rows of the folds. A
        stretch that spans training and test rows is permuted as one.
    kind : {"blocks", "phases"}
        The same permutation for all voxels, so that what they share, they go on sharing.
    block_rows : int
        Of "blocks" (null_limits.choose_block_rows).
    metric : {"r", "r2"}
    parts : array of int, shape (n_samples,), or None
        Within which a score is taken; folds where None.

    Returns
    -------
    scores : array, shape (n_permutations, n_voxels)

    Raises
    ------
    DataError
        Segments leave out rows of the folds, or a row is tested twice.
    """
    X, Y = np.asarray(features, np.float64), np.asarray(responses, np.float64)
    alphas = np.broadcast_to(np.asarray(alphas, np.float64), (len(folds), Y.shape[1]))
    _check_rows(folds, segments, len(Y))
    maps = [_prepare(X[train], X[test], alphas[k]) for k, (train, test) in enumerate(folds)]
    tested = np.concatenate([test for _, test in folds])
    by_fold = np.repeat(np.arange(len(folds)), [len(test) for _, test in folds])
    within = by_fold if parts is None else np.unique(parts[tested], return_inverse=True)[1]
    scores = np.empty((n_permutations, Y.shape[1]))
    moved_responses = permute_responses(Y, segments, kind, block_rows, n_permutations, seed)
    for i, moved in enumerate(track(moved_responses, "refitted null", n_permutations)):
        predicted = np.concatenate(
            [_predict(moved[train], maps[k]) for k, (train, _) in enumerate(folds)]
        )
        held = HeldOut(predicted, moved[tested], within, np.arange(len(tested)))
        scores[i] = score_voxels(held, metric)
    return scores


def permute_responses(
    responses: np.ndarray,
    segments: Sequence[np.ndarray],
    kind: str,
    block_rows: int,
    n_permutations: int,
    seed: int,
) -> Iterator[np.ndarray]:
    """Yield responses whose blocks changed places, or whose phases were turned, in each segment.

    The mean of a segment stays, and so do its values ("blocks") or its spectrum ("phases").
    """
    if kind not in ("blocks", "phases"):
        raise DataError(f"refitted null: unknown kind '{kind}'. Allowed: blocks, phases.")
    for i in range(n_permutations):
        moved = responses.copy()
        for number, rows in enumerate(segments):
            rng = np.random.default_rng([seed, number, i])
            if kind == "blocks":
                moved[rows] = responses[rows[_order_rows(len(rows), block_rows, rng)]]
            else:
                turn = np.exp(1j * draw_phases(len(rows), 1, rng)[0])[:, None]
                spectrum = np.fft.rfft(responses[rows], axis=0) * turn
                moved[rows] = np.fft.irfft(spectrum, len(rows), axis=0)
        yield moved


def _order_rows(n_rows: int, block_rows: int, rng: np.random.Generator) -> np.ndarray:
    n_blocks, length = cut_blocks(n_rows, block_rows)
    order = draw_blocks(n_rows, block_rows, 1, rng)[0]
    whole = (order[:, None] * length + np.arange(length)).ravel()
    return np.concatenate([whole, np.arange(n_blocks * length, n_rows)])


def _check_rows(
    folds: Sequence[tuple[np.ndarray, np.ndarray]], segments: Sequence[np.ndarray], n_rows: int
) -> None:
    covered = np.zeros(n_rows, bool)
    covered[np.concatenate(segments)] = True
    used = np.unique(np.concatenate([rows for fold in folds for rows in fold]))
    absent = used[~covered[used]]
    if len(absent):
        raise DataError(
            f"refitted null: {len(absent)} rows of the folds lie in no segment (first: "
            f"{absent[0]}), and would keep their responses. Give segments that hold all rows."
        )
    tested = np.concatenate([test for _, test in folds])
    if len(np.unique(tested)) < len(tested):
        raise DataError(
            "refitted null: some rows are tested in several folds. Give folds that test each row "
            "once."
        )


Prepared = tuple[np.ndarray, np.ndarray, np.ndarray]


def _prepare(train: np.ndarray, test: np.ndarray, alphas: np.ndarray) -> Prepared:
    """Return U', the filter of each voxel, and the test rows in the same basis.

    With centred features Z = U S V', predictions are mean + Zt V (S / (S² + alpha)) U' y.
    """
    mean = train.mean(axis=0)
    u, s, vt = np.linalg.svd(train - mean, full_matrices=False)
    kept = s > s.max(initial=0.0) * max(train.shape) * np.finfo(float).eps
    u, s = u[:, kept], s[kept][:, None]
    return u.T, s / (s**2 + alphas), (test - mean) @ vt[kept].T


def _predict(responses: np.ndarray, prepared: Prepared) -> np.ndarray:
    basis, filters, test = prepared
    # U' of centred features takes the mean out of the responses by itself
    return responses.mean(axis=0) + test @ (filters * (basis @ responses))
