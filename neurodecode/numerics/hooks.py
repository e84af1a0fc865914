"""Forward hooks: what a network computes on its way.

Modules are torch's, but nothing here needs torch itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from neurodecode.core.errors import DataError


@contextmanager
def record_output(module: Any) -> Iterator[list[Any]]:
    """Record what a module returns on each call inside the block.

    Parameters
    ----------
    module : torch.nn.Module

    Yields
    ------
    outputs : list of tensors
        One per call, in order; the first where the module returns a tuple.
    """
    outputs: list[Any] = []

    def keep(_module: Any, _inputs: Any, output: Any) -> None:
        outputs.append(output[0] if isinstance(output, tuple) else output)

    handle = module.register_forward_hook(keep)
    try:
        yield outputs
    finally:
        handle.remove()


def choose_layer(layer: int | float, n_layers: int, where: str) -> int:
    """Return the index of a layer given as a number or as a relative depth.

    Parameters
    ----------
    layer : int or float
        An int counts from 0, a negative one from the end. A float in [0, 1] is a relative depth:
        0.0 is the first layer, 1.0 the last.
    n_layers : int
    where : str
        Who asks, for the message.

    Raises
    ------
    DataError
        There is no such layer.

    Examples
    --------
    >>> choose_layer(0.5, 13, "here"), choose_layer(-1, 12, "here"), choose_layer(1, 12, "here")
    (6, 11, 1)
    """
    if isinstance(layer, float):
        if not 0 <= layer <= 1:
            raise DataError(
                f"{where}: layer {layer} is a relative depth outside 0 to 1. Give a depth in that "
                f"range, or a whole number from {-n_layers} to {n_layers - 1}."
            )
        return round(layer * (n_layers - 1))
    if not -n_layers <= layer < n_layers:
        raise DataError(
            f"{where}: no layer {layer}; there are {n_layers}. Give a whole number from "
            f"{-n_layers} to {n_layers - 1}, or a relative depth from 0.0 to 1.0."
        )
    return layer % n_layers
