"""Fixtures that every test may use."""

import os
import signal
from pathlib import Path

import pytest

from neurodecode.core.raw import list_data_roots
from neurodecode.core.store import Store

# A shell that starts the tests in the background has them ignore Ctrl-C, and all that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def store(tmp_path):
    """An empty cache."""
    return Store(tmp_path / "cache")


@pytest.fixture
def find_data():
    """Return the path of a raw file, or skip with the reason."""

    def find(name: str) -> Path:
        for root in list_data_roots():
            if (root / name).exists():
                return root / name
        named = os.environ.get("NEURODECODE_DATA") or "not set"
        pytest.skip(
            f"{name} is in none of the data folders (data/raw; NEURODECODE_DATA is {named}). "
            "Name the folder that holds it in NEURODECODE_DATA to run this test."
        )

    return find


@pytest.fixture(autouse=True)
def _skip_without_recordings(request):
    """Skip what is marked real_data, loudly, where no recordings can be."""
    if request.node.get_closest_marker("real_data") is None:
        return
    if not any(root.is_dir() for root in list_data_roots()):
        pytest.skip("real_data: no data/raw here, and NEURODECODE_DATA names no folder that exists")
