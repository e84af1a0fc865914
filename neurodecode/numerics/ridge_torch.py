"""The products of ridge on torch tensors: CPU, CUDA or MPS.

The algorithm is that of ridge_problem.py, ridge_kernel.py and ridge_basis.py. Eigenbases are taken
by NumPy in float64, and so is whatever float32 cannot settle, so that the answer does not depend on
the device: it differs from NumPy's by what rounding does to sums in another order. For features in
float32, scores differ by less than 1e-5, alphas only where their scores are within 1e-6 of each
other, and weights by less than 1e-4 of their norm; in float64 all agree to some 1e-10.

MPS has no float64. Features in float64 are refused there; sums of products stay in float32, their
bounds are wider, and more targets are settled by NumPy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from neurodecode.core.errors import UserError
from neurodecode.numerics.moments import (
    SINGLE_ROWS,
    TargetMoments,
    compute_target_moments,
    find_shift,
    iterate_blocks,
    merge_features,
    merge_means,
    undo_shift,
)
from neurodecode.numerics.ridge_basis import (
    STRIP,
    ScoreSums,
    Scoring,
    find_spread,
    finish_scores,
    plan_scores,
)
from neurodecode.numerics.ridge_kernel import KernelProblem
from neurodecode.numerics.ridge_problem import (
    Columns,
    PrimalProblem,
    bound_weights,
)

TARGETS = {"cpu": 256}  # scored at once: their coordinates stay in the processor's cache
TARGETS_ON_GPU = 4096
MPS_ROUNDING = 1e-7  # of products summed in float32 throughout, in units of the columns' norms


class TorchProblem:
    """A problem whose targets are multiplied by torch (ridge_problem.Problem).

    Parameters
    ----------
    inner : PrimalProblem or KernelProblem
    device : torch.device
    dtype : numpy dtype
        Of the products that score: float64 for features in float64.
    """

    def __init__(
        self, inner: PrimalProblem | KernelProblem, device: torch.device, dtype: np.dtype
    ) -> None:
        self.inner, self.device = inner, device
        self.double = device.type != "mps"
        self.sum_dtype = torch.float64 if self.double else torch.float32
        if not self.double and dtype == np.float64:
            raise UserError(
                "ridge: device 'mps' has no float64, and the features are float64. Allowed: "
                "float32 features. Convert them, or set device: cpu."
            )
        self._loaded: tuple[tuple[int, int], Any] | None = None

    @property
    def n_splits(self) -> int:
        """Training sets to choose alphas by."""
        return self.inner.n_splits

    @property
    def x_mean(self) -> np.ndarray:
        """Mean of the features over the refit's rows; zero without intercept."""
        return self.inner.x_mean

    def load(self, columns: slice) -> Any:
        """Return what is needed of some targets, on the device."""
        key = (columns.start, columns.stop)
        if self._loaded is None or self._loaded[0] != key:
            self._loaded = None  # one block at a time: that is what bounds the memory
            with _full_precision():
                loaded: Any = self._load_parts(columns)
            self._loaded = (key, loaded)
        return self._loaded[1]

    def load_exact(self, columns: slice, chosen: np.ndarray) -> Any:
        """Return what is needed of some of these targets, in float64, for NumPy."""
        return self.inner.load_exact(columns, chosen)

    def take(self, loaded: Any, columns: Columns) -> Any:
        """Return what is needed of some of the targets loaded."""
        if isinstance(self.inner, KernelProblem):
            return loaded[:, columns]
        return [part.take(columns) for part in loaded]

    def score(
        self, split: int, loaded: Any, alphas: np.ndarray, scoring: Scoring, exact: bool
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return scores, their bounds and the held-out squares of some targets."""
        if exact:
            return self.inner.score(split, loaded, alphas, scoring, exact=True)
        held_out = self.inner.held_out[split]
        plan = plan_scores(held_out, alphas, self._rounding(), self.double)
        dtype = held_out.triangle.dtype
        factors, offset = self._put(plan.grid.factors.astype(dtype)), self._put(held_out.offset)
        lower = self._put(np.ascontiguousarray(held_out.triangle.T))
        rotation = None if plan.rotation is None else self._put(plan.rotation)
        found = []
        kernel = isinstance(self.inner, KernelProblem)
        n_targets = loaded.shape[1] if kernel else len(loaded[0].mean)
        for columns in iterate_blocks(n_targets, TARGETS.get(self.device.type, TARGETS_ON_GPU)):
            with _full_precision():
                train, test = self._read(split, self.take(loaded, columns))
                spread = find_spread(train.squares)
                q, c = self._rotate(train, test, spread, rotation, held_out.unit, factors.dtype)
                sums = ScoreSums(
                    _fetch(factors @ (q * c).T),
                    _multiply_all(lower, q, factors[plan.grid.skeleton], plan.grid),
                    _fetch((factors * offset) @ q.T),
                    _fetch(torch.linalg.vector_norm(q, dim=1)),
                )
            means = test.mean - train.mean
            scores, bounds = finish_scores(
                plan, held_out, sums, spread, means, test.squares, test.mean, scoring
            )
            found.append((scores, bounds, test.squares))
        scores, bounds, squares = (
            np.concatenate(part, axis=-1) for part in zip(*found, strict=True)
        )
        return scores, bounds, squares

    def solve(
        self, loaded: Any, alphas: np.ndarray, exact: bool
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the refit's weights (n_features, n), targets' means, and weights' errors."""
        if exact or isinstance(self.inner, KernelProblem):
            # The kernel form's weights need the features themselves, which stay where they are.
            if not exact:
                loaded = loaded.cpu().numpy()
            return self.inner.solve(loaded, alphas, exact=True)
        values, vectors = self.inner.find_basis()
        with _full_precision():
            targets = self._merge(self.inner.refit, loaded)
            products: Any = targets.products
            basis = self._put(vectors, self.sum_dtype)
            shrink = 1 / (values + alphas[:, None])
            q = products @ basis
            coordinates = q * self._put(shrink, self.sum_dtype)
            weights = _fetch(basis @ coordinates.T)
        sizes = np.sqrt(np.einsum("ij,ij->i", shrink, shrink)), _measure(coordinates)
        error = bound_weights(values, targets.squares, *sizes, self._rounding())
        if not self.double:
            error = error + _measure(q) * sizes[0] * np.finfo(np.float32).eps / sizes[1]
        return weights, targets.mean, error

    def _rounding(self) -> float:
        if not self.double:
            return MPS_ROUNDING
        return self.inner.parts.rounding if isinstance(self.inner, PrimalProblem) else 0.0

    def _put(self, values: np.ndarray, dtype: torch.dtype | None = None) -> torch.Tensor:
        tensor = torch.from_numpy(np.ascontiguousarray(values))
        return tensor.to(dtype).to(self.device)  # in this order: MPS holds no float64

    def _load_parts(self, columns: slice) -> Any:
        if isinstance(self.inner, KernelProblem):
            return torch.from_numpy(np.ascontiguousarray(self.inner.Y[:, columns])).to(self.device)
        parts = self.inner.parts
        if parts.read is None:  # summed before, over rows that several fits share
            return [
                _join(part.mean, part.squares, self._put(part.products, self.sum_dtype))
                for part in parts.compute_targets(columns)
            ]
        X, Y, rows = parts.read()
        return [
            self._sum_rows(X, Y[:, columns], part, features.mean)
            for part, features in zip(rows, parts.features, strict=True)
        ]

    def _sum_rows(
        self, X: np.ndarray, targets: np.ndarray, rows: np.ndarray, x_mean: np.ndarray
    ) -> TargetMoments:
        """Return the moments of some targets, as moments.compute_target_moments does."""
        single = self._rounding() > 0
        dtype = np.float32 if single else np.float64
        shift = find_shift(targets, rows)
        products = torch.zeros(
            (targets.shape[1], X.shape[1]), dtype=self.sum_dtype, device=self.device
        )
        sums, squares = np.zeros((2, targets.shape[1]))
        for block in iterate_blocks(len(rows), SINGLE_ROWS):
            centred = self._put((targets[rows[block]] - shift).astype(dtype, copy=False))
            features = self._put((X[rows[block]] - x_mean).astype(dtype))
            products += centred.T @ features
            sums += _fetch(centred.sum(dim=0))
            squares += _fetch((centred**2).sum(dim=0))
        mean, squares, far = undo_shift(shift, sums, squares, len(rows))
        if far.any():
            redone = compute_target_moments(X, targets[:, far], rows, slice(None), x_mean)
            mean[far], squares[far] = redone.mean, redone.squares
            places = torch.from_numpy(np.flatnonzero(far)).to(self.device)
            products[places] = self._put(redone.products, self.sum_dtype)
        return _join(mean, squares, products)

    def _read(self, split: int, loaded: Any) -> tuple[TargetMoments, TargetMoments]:
        if isinstance(self.inner, PrimalProblem):
            train, test = self.inner.splits[split]
            return self._merge(train, loaded), loaded[test]
        a, train_at, b, test_at = self.inner.get_coordinates(split)
        centred = self.inner.fit_intercept
        return self._project(loaded, a, train_at, centred), self._project(loaded, b, test_at, True)

    def _project(
        self, Y: torch.Tensor, rows: np.ndarray, coordinates: np.ndarray, centred: bool
    ) -> TargetMoments:
        targets = Y[torch.from_numpy(rows).to(self.device)]
        shift = targets[0].clone() if centred else torch.zeros_like(targets[0])
        targets = (targets - shift).to(self.sum_dtype)
        mean = targets.mean(dim=0) if centred else torch.zeros_like(targets[0])
        targets -= mean
        squares = (targets**2).sum(dim=0)
        products = targets.T @ self._put(coordinates, self.sum_dtype)
        return _join(_fetch(shift) + _fetch(mean), _fetch(squares), products)

    def _merge(self, parts: Sequence[int], loaded: Sequence[TargetMoments]) -> TargetMoments:
        """Return the moments of targets over parts, as moments.merge_targets does."""
        features = [self.inner.parts.features[p] for p in parts]  # type: ignore[union-attr]
        chosen = [loaded[p] for p in parts]
        mean, x_offset, y_offset = merge_means(features, chosen)
        squares = (y_offset**2).sum(axis=0) + sum(part.squares for part in chosen)
        products: Any = self._put(y_offset.T, self.sum_dtype) @ self._put(x_offset, self.sum_dtype)
        for part in chosen:
            products += part.products
        if not self.inner.fit_intercept:
            whole = merge_features(features)
            squares = squares + whole.n * mean**2
            products += self._put(whole.n * np.outer(mean, whole.mean), self.sum_dtype)
            mean = np.zeros_like(mean)
        return _join(mean, squares, products)

    def _rotate(
        self,
        train: Any,
        test: Any,
        spread: np.ndarray,
        rotation: torch.Tensor | None,
        unit: float,
        dtype: torch.dtype,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if rotation is None:
            spread = spread * np.sqrt(unit)
        scale = self._put(1 / spread[:, None], self.sum_dtype)
        q, c = train.products * scale, test.products * scale
        if rotation is not None:
            q, c = q.to(rotation.dtype) @ rotation, c.to(rotation.dtype) @ rotation
        return q.to(dtype), c.to(dtype)


def _multiply_all(
    lower: torch.Tensor, q: torch.Tensor, factors: torch.Tensor, grid: Any
) -> np.ndarray:
    """Return bᵀGb of every alpha, as ridge_basis._multiply_all does."""
    weights = q[:, None] * factors
    flat = weights.reshape(-1, q.shape[1])
    image = torch.empty_like(flat)
    for strip in iterate_blocks(q.shape[1], STRIP):
        rest = slice(strip.start, q.shape[1])
        image[:, strip] = flat[:, rest] @ lower[rest, strip]
    image = image.reshape(weights.shape)
    if grid.combine is None:
        return _fetch((weights * image).sum(dim=2)).T
    return np.asarray(grid.combine_forms(_fetch(weights @ image.transpose(1, 2))))


def _join(mean: np.ndarray, squares: np.ndarray, products: Any) -> TargetMoments:
    return TargetMoments(mean, np.asarray(squares), products)


def _fetch(values: torch.Tensor) -> np.ndarray:
    return values.cpu().numpy().astype(np.float64)


def _measure(rows: torch.Tensor) -> np.ndarray:
    return _fetch(torch.linalg.vector_norm(rows, dim=1))


@contextmanager
def _full_precision() -> Iterator[None]:
    """Multiply float32 as float32, whatever shorter type a program has allowed in its place."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
