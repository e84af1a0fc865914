"""The data of a fit that goes voxel by voxel, read in blocks of voxels; shared by encoders.

Features are read as a whole; responses a block of columns at a time, so that what is held in
memory does not grow with their number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from neurodecode.core.artifacts import Features, Responses, Space, Split
from neurodecode.core.rows import check_foldwise, find_used_rows, group_samples, read_features
from neurodecode.encoding.fold_inputs import find_columns, place_roles
from neurodecode.numerics.inner_folds import Roles


@dataclass(frozen=True)
class VoxelBlocks:
    """Features and responses of the rows that a split uses.

    Channels and times of epochs are targets, too: a "voxel" is then a channel with all its times.

    Parameters
    ----------
    where : str
        Stage that asks, for messages.
    features : Features
    responses : Responses
    split : Split
    """

    where: str
    features: Features
    responses: Responses
    split: Split

    def __post_init__(self) -> None:
        check_foldwise(self.responses, self.split, self.where)

    @cached_property
    def used(self) -> np.ndarray:
        """Rows of the responses that train, validate or test in any fold."""
        return find_used_rows(self.split)

    @cached_property
    def roles(self) -> Roles:
        """Rows of each fold that train, validate and test, as places among those used."""
        return place_roles(self.split, self.used)

    @cached_property
    def groups(self) -> np.ndarray:
        """Which of the used rows must stay on one side when training rows are split again."""
        samples = self.split.samples.take(self.used)
        return group_samples(samples, self.split.unit, self.where)

    @cached_property
    def design(self) -> np.ndarray:
        """Features of the used rows, shape (n_used, n_features)."""
        found = read_features(self.features, self.responses.samples.take(self.used), self.where)
        return found.reshape(len(self.used), -1)

    @property
    def n_features(self) -> int:
        """Number of features; tokens are laid side by side."""
        return int(np.prod(self.features.data.shape[1:]))

    @property
    def per_voxel(self) -> int:
        """Targets of one voxel: 1, or the times of a channel."""
        return int(np.prod(self.responses.data.shape[2:]))

    @cached_property
    def columns(self) -> np.ndarray:
        """Columns of the responses that are fitted.

        Raises
        ------
        DataError
            Folds keep other ones.
        """
        return find_columns(self.responses, self.where)

    @property
    def space(self) -> Space:
        """Where the fitted columns lie."""
        if len(self.columns) < self.responses.data.shape[1]:
            return self.responses.space.take_columns(self.columns)
        return self.responses.space

    def read(self, block: slice) -> Callable[[int], np.ndarray]:
        """Return a function that gives a block's targets as a fold sees them.

        Parameters
        ----------
        block : slice
            Of ``columns``.

        Returns
        -------
        read : callable
            Takes a fold; gives an array of shape (n_used, n_targets). Read from the file once.
        """
        wanted = self.columns[block]
        span = slice(int(wanted[0]), int(wanted[-1]) + 1) if len(wanted) else slice(0, 0)
        raw = self.responses.read_raw(self.used, span)

        def as_seen(fold: int) -> np.ndarray:
            seen = self.responses.as_seen(raw, fold, span)
            return seen.reshape(len(self.used), -1)

        return as_seen
