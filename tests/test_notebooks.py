"""Notebooks run from top to bottom, are committed without outputs, and state their limits."""

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

EXPECTED = {  # what each must print
    "01_leave_one_subject_out": "subject 01",
    "02_first_encoding_model": "canonical response: median r 0.",
    "03_noise_ceilings": "intervals that hold the truth: 9",
    "04_variance_partitioning": "a weight for each: 0.04",
}
NOTEBOOKS = sorted((Path(__file__).resolve().parent.parent / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_notebook_runs(path: Path, tmp_path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "commit it without outputs"
    first, last = notebook.cells[0].source, notebook.cells[-1].source
    assert all(word in first for word in ("Data", "Minutes", "Figure to expect"))
    assert "does not show" in last
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    client = NotebookClient(notebook, timeout=180, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    text = "".join(o.get("text", "") for c in notebook.cells for o in c.get("outputs", []))
    assert EXPECTED[path.stem] in text
    pictures = [
        o for c in notebook.cells for o in c.get("outputs", []) if "image/png" in o.get("data", {})
    ]
    assert pictures
