"""The shape of a hand-written bad input, shared by the tables of bad files and bad pipelines."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Case:
    """One bad input, and what the message about it must say.

    Parameters
    ----------
    name : str
    make : callable
        Given an empty folder, writes what is needed there and returns the pipeline file.
    words : tuple of str
        Fragments of the message: what, where, got, allowed, next step.
    arguments : tuple of str
        What follows the file on the command line.
    """

    name: str
    make: Callable[[Path], Path]
    words: tuple[str, ...]
    arguments: tuple[str, ...] = ()
