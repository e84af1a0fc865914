"""Which device a step computes on, and how many threads it takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from neurodecode.core.errors import UserError


def choose_device(wanted: str) -> Any:
    """Return the torch device of a name; "auto" takes CUDA, then MPS, then the CPU.

    Raises
    ------
    UserError
        The device is named but not there: a step never falls back in silence.
    """
    import torch

    there = {"cpu": True, "cuda": torch.cuda.is_available(),
             "mps": torch.backends.mps.is_available()}  # fmt: skip
    if wanted == "auto":
        return torch.device(next(k for k in ("cuda", "mps", "cpu") if there[k]))
    kind = wanted.split(":")[0]
    if not there.get(kind, False):
        present = ", ".join(name for name, is_there in there.items() if is_there)
        raise UserError(
            f"execution: device '{wanted}' is not there. Present: {present}. Name one of them, or "
            "'auto'."
        )
    return torch.device(wanted)


@contextmanager
def limit_threads(n_threads: int) -> Iterator[None]:
    """Hold BLAS, OpenMP and torch to a number of threads.

    The number belongs to the plan, not to the machine's load, so that results are the same bytes
    whatever else runs.
    """
    import sys

    from threadpoolctl import threadpool_limits

    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch is not None else None
    with threadpool_limits(limits=n_threads):
        if torch is not None:
            torch.set_num_threads(n_threads)
        try:
            yield
        finally:
            if torch is not None and before is not None:
                torch.set_num_threads(before)
