"""The pieces of a block-wise step: what they share is made first, each is kept as it is finished.

A piece is computed once, whoever of several workers, processes or machines comes to it first: it
has a lease of its own. What all blocks share is a piece, too, named PREPARED.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neurodecode.core.artifacts import Array
from neurodecode.core.errors import StepFailed
from neurodecode.core.lease import holding
from neurodecode.core.progress import report_wait, track
from neurodecode.core.stage import Prepared, Stage, prepares
from neurodecode.core.store import Store

PREPARED = "prepared"


@dataclass(frozen=True, eq=False)
class Pieces:
    """The pieces of one step, and where they are kept.

    Parameters
    ----------
    label : str
        Of the step.
    address, key : str
        Of the result.
    stage : Stage
    store : Store
    inputs : mapping of input name to artifacts
    """

    label: str
    address: str
    key: str
    stage: Stage
    store: Store
    inputs: dict[str, Any]

    def list_unfinished(self) -> tuple[str, ...]:
        """Return what can be done now: what the blocks share, or else the blocks not done yet."""
        blocks = self.list_blocks()
        if blocks and prepares(type(self.stage)) and self._read(PREPARED) is None:
            return (PREPARED,)
        return tuple(b for b in blocks if self._read(b) is None)

    def list_blocks(self) -> tuple[str, ...]:
        """Return the names of the blocks."""
        blocks = tuple(self.stage.blocks(**self.inputs))
        if PREPARED in blocks or len({*blocks}) < len(blocks):
            raise TypeError(
                f"{self.address}: blocks() gives a name twice, or '{PREPARED}', which names what "
                "all blocks share. Give each block a name of its own."
            )
        return blocks

    def do(self, piece: str) -> None:
        """Compute one piece and keep it, unless it is there."""
        if self._read(piece) is not None:
            return
        with holding(self._name_lease(piece), report_wait):
            if self._read(piece) is not None:
                return
            if self._is_superseded():  # the pieces are cleared away
                return
            arrays: Prepared
            if piece == PREPARED:
                arrays = self.stage.prepare(**self.inputs)
            else:
                more = self._find_prepared()
                if self._is_superseded():
                    return
                arrays = self.stage.run_block(piece, **self.inputs, **more)
            self.store.write_block(self.address, self.key, piece, arrays)

    def do_all(self) -> Any:
        """Compute what is not there, and return what the stage makes of all pieces."""
        blocks = self.list_blocks()
        if prepares(type(self.stage)):
            self.do(PREPARED)
        for block in track(blocks, self.label):
            self.do(block)
        parts = {block: self._need(block) for block in blocks}
        return self.stage.assemble(parts, **self.inputs, **self._find_prepared())

    def _find_prepared(self) -> dict[str, Any]:
        if not prepares(type(self.stage)):
            return {}
        self.do(PREPARED)
        if self._is_superseded():
            return {}
        return {"prepared": self._need(PREPARED)}

    def _need(self, piece: str) -> dict[str, Array]:
        arrays = self._read(piece)
        if arrays is None:
            raise StepFailed(
                f"{self.label}: the piece {piece} cannot be read back. Check the free space on the "
                "cache's disk, and run again."
            )
        return arrays

    def _read(self, piece: str) -> dict[str, Array] | None:
        return self.store.read_block(self.address, self.key, piece)

    def _is_superseded(self) -> bool:
        """Tell whether the whole result is there already."""
        return self.store.read_card(self.address, self.key) is not None

    def _name_lease(self, piece: str) -> Path:
        """Return where the lease of a piece lies: beside its folder, which may be cleared away."""
        name = self.store.block_path(self.address, self.key, piece).name
        return self.store.locate(self.address, self.key).with_suffix(f".{name}")
