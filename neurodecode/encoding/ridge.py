"""Voxelwise encoding: features to responses by ridge regression with an alpha per voxel.

Hoerl and Kennard 1970; Huth et al. 2012 (alpha per voxel by inner cross-validation). The solver,
and where it departs from predicting once per alpha, is described in numerics/ridge_basis.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, TypedDict

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt

from neurodecode.core.artifacts import Array, Features, Model, Predictions, Responses, Split
from neurodecode.core.joined import join_columns
from neurodecode.core.progress import remark, track
from neurodecode.core.rows import list_predicted_rows
from neurodecode.core.stage import Sight, Stage
from neurodecode.encoding.voxel_blocks import VoxelBlocks
from neurodecode.numerics.block_plan import BlockPlan, plan_ridge_blocks
from neurodecode.numerics.ridge import DEFAULT_ALPHAS, RidgeOptions
from neurodecode.numerics.ridge_block_fit import choose_alpha_for_all, fit_block, word_warnings
from neurodecode.numerics.ridge_blocks import (
    BlockMoments,
    LazyTargets,
    RidgeRows,
    compute_atoms,
    lay_out_rows,
    prepare_fold,
)

WORTH_SAYING_BYTES = 2**30


class RidgeOutputs(TypedDict):
    """What encoding.ridge returns."""

    predictions: Predictions
    model: Model


class Ridge(Stage):
    """Predict responses from features, fold by fold.

    Features are centred (and scaled, if standardised) on the training rows of each fold. Alphas
    are chosen on a fold's validation rows where the split has some, else by inner folds of the
    training rows, which keep the split's unit together: all samples of one stimulus, run, session
    or subject. The weights are then fitted on all training rows.

    Voxels that do not fit into memory together are fitted in blocks, read from the cache and
    written to it one by one; a killed run goes on at its block, and workers share them. How much
    memory is taken is in the model's settings under "memory", and said when the fit starts.

    Parameters
    ----------
    alphas : tuple of float
        The grid, in units of the sum of squares of the features over the training rows. By
        default 15 values from 1 to 1e7, two per decade. A single one is used as it is.
    n_inner_folds : int
        Two or more; fewer are made where there are fewer independent groups.
    alpha_per_target : bool
        False takes the one alpha that is best on average over voxels. Where these come in
        blocks, that takes a pass over all of them first.
    scoring : {"r2", "correlation"}
        What the best alpha maximises on held-out rows.
    standardize : bool
        Divide each feature by its deviation over the training rows.
    solver : {"auto", "primal", "kernel"}
        "auto" takes the kernel form when features outnumber training rows.
    extend_alphas : int
        Decades by which the grid may grow where best alphas lie on its edge. What remains on the
        edge is in the model's settings under "warnings".
    constant_targets : {"refuse", "predict"}
        Voxels that are constant over training rows are refused, or predicted as that constant.
    backend : {"numpy", "torch"}
        "torch" scores and solves on the device of the step's ``execution``: the same alphas but
        for ties, and weights that agree to 1e-4.
    keep_weights : {"all", "none"}
        "none" leaves the weights out of the model, which is the larger part of it.
    limit_gb : float
        Memory that the fit may take, about, in each process. It decides the blocks of voxels, and
        with them the last digits of the result.
    block_voxels : int or None
        Voxels of a block; None has ``limit_gb`` decide.
    seed : int
        Of the deal of groups to inner folds.
    """

    stage: ClassVar[str] = "encoding.ridge"
    example: ClassVar = {"alphas": (1.0, 100.0), "n_inner_folds": 2, "extend_alphas": 0}

    alphas: Annotated[tuple[PositiveFloat, ...], Field(min_length=1)] = DEFAULT_ALPHAS
    n_inner_folds: Annotated[int, Field(ge=2)] = 5
    alpha_per_target: bool = True
    scoring: Literal["r2", "correlation"] = "r2"
    standardize: bool = False
    solver: Literal["auto", "primal", "kernel"] = "auto"
    extend_alphas: Annotated[int, Field(ge=0, le=12)] = 3
    constant_targets: Literal["refuse", "predict"] = "refuse"
    backend: Literal["numpy", "torch"] = "numpy"
    keep_weights: Literal["all", "none"] = "all"
    limit_gb: PositiveFloat = 2.0
    block_voxels: PositiveInt | None = None
    seed: int = 0

    def sees(self) -> dict[str, Sight]:
        """Fits see the training rows of their fold."""
        return {"responses": "training", "features": "training"}

    def blocks(self, **inputs: Any) -> Sequence[str]:
        """Return the blocks of voxels; none where one holds them all."""
        names = self._open(**inputs).names
        return names if len(names) > 1 else ()

    def prepare(self, **inputs: Any) -> Iterator[tuple[str, np.ndarray]]:
        """Yield what depends on the features alone, and the one alpha of all voxels if asked."""
        fit = self._open(**inputs)
        remark(fit.plan.words)
        yield from fit.prepare()

    def run_block(self, block: str, **inputs: Any) -> Mapping[str, np.ndarray]:
        """Return what each fold gives for one block of voxels."""
        prepared = inputs.pop("prepared")
        return self._open(**inputs).fit(block, prepared)

    def assemble(self, parts: Mapping[str, Mapping[str, Array]], **inputs: Any) -> RidgeOutputs:
        """Return predictions and model of all blocks, side by side and unread."""
        prepared = inputs.pop("prepared", {})
        fit = self._open(**inputs)
        responses, split = inputs["responses"], inputs["split"]
        arrays: dict[str, Array] = {}
        for k in range(split.n_folds):
            if self.keep_weights == "all":
                pieces = [part[f"fold{k}/weights"] for part in parts.values()]
                arrays[f"fold{k}/weights"] = join_columns(pieces)
            for name in ("intercept", "best_alphas"):
                pieces = [part[f"fold{k}/{name}"] for part in parts.values()]
                arrays[f"fold{k}/{name}"] = np.concatenate(pieces)
        return {
            "predictions": Predictions(
                data=join_columns([part["predictions"] for part in parts.values()]),
                rows=list_predicted_rows(responses.samples, [f.test for f in split.folds()]),
                of="responses",
                split=split.digest,
                unit=split.unit,
                space=fit.data.space,
            ),
            "model": Model(
                stage=self.stage,
                settings={
                    **self.settings(),
                    "warnings": fit.word_warnings(parts, prepared),
                    "memory": fit.plan.words,
                },
                arrays=arrays,
                n_folds=split.n_folds,
                split=split.digest,
            ),
        }

    def run(self, features: Features, responses: Responses, split: Split) -> RidgeOutputs:
        """Fit every fold and predict its test rows.

        Parameters
        ----------
        features : Features
            Of every stimulus that a sample of the split shows; tokens are laid side by side.
        responses : Responses
        split : Split

        Returns
        -------
        predictions : Predictions of responses
            One row per fold and test row.
        model : Model
            Per fold: weights (n_features, n_voxels), intercept and best_alphas (n_voxels,). Used
            by ``numerics.ridge.predict_ridge``.
        """
        inputs: dict[str, Any] = {"features": features, "responses": responses, "split": split}
        if self.blocks(**inputs):
            return self.run_in_blocks(**inputs)
        fit = self._open(**inputs)
        if fit.plan.peak_bytes > WORTH_SAYING_BYTES:
            remark(fit.plan.words)
        return self.assemble({name: fit.fit(name, None) for name in fit.names}, **inputs)

    def _open(self, features: Features, responses: Responses, split: Split) -> _Fit:
        options = RidgeOptions(
            scoring=self.scoring,
            alpha_per_target=self.alpha_per_target,
            standardize=self.standardize,
            solver=self.solver,
            extend_alphas=self.extend_alphas,
            constant_targets=self.constant_targets,
            weights="float32",
            backend=self.backend,
            device=self.execution.device,
        )
        return _Fit(self, VoxelBlocks(self.stage, features, responses, split), options)


@dataclass(frozen=True)
class _Fit:
    """A stage, its data, and the blocks that follow from both."""

    stage: Ridge
    data: VoxelBlocks
    options: RidgeOptions

    @cached_property
    def alphas(self) -> tuple[float, ...]:
        return tuple(dict.fromkeys(self.stage.alphas))

    @cached_property
    def rows(self) -> RidgeRows:
        return lay_out_rows(
            self.data.roles,
            self.data.groups,
            len(self.alphas),
            self.stage.n_inner_folds,
            self.stage.seed,
            shared=self.data.responses.foldwise is None,
        )

    @cached_property
    def plan(self) -> BlockPlan:
        per_voxel = self.data.per_voxel
        return plan_ridge_blocks(
            self.rows,
            len(self.data.used),
            self.data.n_features,
            len(self.data.columns),
            len(self.alphas),
            self.options,
            int(self.stage.limit_gb * 2**30),
            item_bytes=self.data.responses.data.dtype.itemsize,
            per_voxel=per_voxel,
            width=self.stage.block_voxels,
        )

    @cached_property
    def names(self) -> list[str]:
        return [f"voxels{b.start}-{b.stop}" for b in self.plan.blocks]

    @property
    def one_alpha(self) -> bool:
        """Whether one alpha is to be chosen for all blocks."""
        several = len(self.plan.blocks) > 1 and len(self.alphas) > 1
        return several and not self.stage.alpha_per_target

    def prepare(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the arrays that all blocks need."""
        kept: dict[str, np.ndarray] = {}
        atoms = compute_atoms(self.data.design, self.rows, self.options)
        for k in range(len(self.rows.folds)):
            made = prepare_fold(self.data.design, self.rows, k, self.options, atoms)
            named = {f"fold{k}/{name}": array for name, array in made.items()}
            if self.one_alpha:
                kept |= named
            yield from named.items()
        if not self.one_alpha:
            return
        dtype = self.data.responses.data.dtype
        targets = LazyTargets(self.data.read, self.plan.blocks, self.data.per_voxel, dtype)
        moments = BlockMoments(self.data.design, targets.as_seen, self.rows)
        width = (self.plan.blocks[0].stop - self.plan.blocks[0].start) * self.data.per_voxel
        options = replace(self.options, block_targets=width)
        for k in track(range(len(self.rows.folds)), "one alpha for all voxels"):
            best, warnings = choose_alpha_for_all(moments, k, _pick(kept, k), self.alphas, options)
            yield f"fold{k}/best_alpha", np.array(best)
            yield f"fold{k}/warnings", np.array(warnings, np.str_)

    def fit(self, name: str, prepared: Mapping[str, Array] | None) -> dict[str, np.ndarray]:
        """Return what each fold gives for a block; without ``prepared``, made as it is needed."""
        block = self.plan.blocks[self.names.index(name)]
        moments = BlockMoments(self.data.design, self.data.read(block), self.rows)
        first = block.start * self.data.per_voxel
        arrays: dict[str, np.ndarray] = {}
        predictions = []
        atoms = None
        if prepared is None:
            atoms = compute_atoms(self.data.design, self.rows, self.options)
        for k in range(len(self.rows.folds)):
            about: Mapping[str, Array] = _pick(prepared or {}, k)
            if atoms is not None:
                about = prepare_fold(self.data.design, self.rows, k, self.options, atoms)
            fit = fit_block(moments, k, about, self.alphas, self.options, first)
            predictions.append(fit.predictions)
            arrays[f"fold{k}/intercept"] = fit.intercept
            arrays[f"fold{k}/best_alphas"] = fit.best_alphas
            arrays[f"fold{k}/edges"] = fit.edges
            arrays[f"fold{k}/warnings"] = np.array(fit.warnings, np.str_)
            if self.stage.keep_weights == "all":
                arrays[f"fold{k}/weights"] = fit.weights
        joined = np.concatenate(predictions)
        rest = self.data.responses.data.shape[2:]
        arrays["predictions"] = joined.reshape(len(joined), -1, *rest)
        return arrays

    def word_warnings(
        self, parts: Mapping[str, Mapping[str, Array]], prepared: Mapping[str, Array]
    ) -> list[str]:
        """Return what the model says of edges of the grid and constant voxels."""
        n_targets = len(self.data.columns) * self.data.per_voxel
        found = []
        for k in range(len(self.rows.folds)):
            edges = [np.asarray(part[f"fold{k}/edges"]) for part in parts.values()]
            told = word_warnings(edges, n_targets)
            for arrays in (prepared, *parts.values()):
                if f"fold{k}/warnings" in arrays:
                    told += np.asarray(arrays[f"fold{k}/warnings"]).tolist()
            found += [f"fold {k}: {text}" for text in told]
        return found


def _pick(arrays: Mapping[str, Array], k: int) -> dict[str, Array]:
    """Return the arrays of one fold."""
    prefix = f"fold{k}/"
    return {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}
