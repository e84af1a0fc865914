"""What counts as a change of code, and what does not."""

import ast
import os
import subprocess
import sys
from textwrap import dedent

import pytest

from neurodecode.core import fingerprint
from neurodecode.core.fingerprint import (
    Memory,
    digest_code,
    digest_source,
    digest_tokens,
    list_imports,
    make_key,
)
from neurodecode.core.stage import PACKAGE, find_stage
from tests.core.toy_package import FILES

CODE = dedent('''
    """Head."""

    import numpy as np


    class Thing:
        """A thing."""

        size: int = 3

        def grow(self, by):
            """Grow."""
            text = "not a docstring"
            return self.size + by, text
    ''')  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""Head."""', '"""Another\nhead."""'),
        ('"""Head."""', ""),
        ('    """Grow."""', '    # grows\n        """Grow\n        a lot.\n        """  # yes'),
        ("size: int = 3", "size: int = 3  # metres"),
        ("    size: int = 3\n", "\n\n    size:  int=3\n\n"),
        ("return self.size + by", "return self.size \\\n            + by"),
    ],
)
def test_comments_docstrings_and_layout_do_not_count(old, new):
    changed = CODE.replace(old, new)
    assert changed != CODE
    ast.parse(changed)
    assert digest_tokens(changed) == digest_tokens(CODE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("= 3", "= 4"),
        ("by, text", "by * 1, text"),
        ("not a docstring", "not a doc string"),
        ("import numpy as np", "import numpy as np, os"),
        ("class Thing", "class Think"),
    ],
)
def test_code_counts(old, new):
    assert old in CODE
    assert digest_tokens(CODE.replace(old, new)) != digest_tokens(CODE)


def test_indentation_counts_and_its_width_does_not():
    assert digest_tokens("if a:\n    b\n    c\n") != digest_tokens("if a:\n    b\nc\n")
    assert digest_tokens("if a:\n    b\n") == digest_tokens("if a:\n  b\n")


def test_tokens_do_not_run_together():
    assert digest_tokens("ab = 1") != digest_tokens("a; b = 1")
    assert digest_tokens("x = 'a' 'b'") != digest_tokens("x = 'ab'")


def test_imports_are_found_wherever_they_stand():
    source = (
        "import a.b\nfrom . import c\n"
        "def f():\n    from ..d import e, g\n    if 1:\n        import h\n"
    )
    assert sorted(list_imports(source)) == [
        ["", 1, ["c"]], ["a.b", 0, []], ["d", 2, ["e", "g"]], ["h", 0, []],
    ]  # fmt: skip


def test_the_closure_of_a_stage_counts_numerics_and_not_the_core():
    files, distributions = digest_code(find_stage("decoding.ridge"), Memory(None))
    assert "neurodecode/decoding/ridge.py" in files
    assert any(name.startswith("neurodecode/numerics/") for name in files)
    core = {name for name in files if name.startswith(("neurodecode/core/", "neurodecode/cli/"))}
    kept = ("neurodecode/core/rows.py", "neurodecode/core/artifacts/")
    assert "neurodecode/core/rows.py" in core, "what joins rows decides results"
    assert all(name.startswith(kept) for name in core)
    assert not any(name.startswith("neurodecode/encoding/") for name in files)
    assert "numpy" in distributions
    assert all(v == "absent" or v.count(".") <= 1 for v in distributions.values())


def test_imports_inside_functions_count():
    files, distributions = digest_code(find_stage("features.open_clip"), Memory(None))
    assert "neurodecode/features/open_clip_network.py" in files
    assert {"torch", "open-clip-torch"} <= set(distributions)


def test_every_file_of_a_closure_is_one_that_is_imported():
    """What running a stage loads of our own must be in its closure."""
    code = dedent("""
        import sys
        from neurodecode.core.fingerprint import Memory, digest_code
        from neurodecode.core.stage import PACKAGE, find_stage
        stage = find_stage("evaluation.split")
        files, _ = digest_code(stage, Memory(None))
        loaded = {m.__file__ for n, m in sys.modules.items() if n.startswith("neurodecode.")}
        loaded = {f[len(str(PACKAGE.parent)) + 1:] for f in loaded if f}
        core = {f for f in loaded if f.startswith("neurodecode/core/")}
        beside = {f for f in loaded - core if "__init__" not in f}
        assert beside <= set(files), beside - set(files)
        assert beside
    """)
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A package of stages among others in a site-packages folder."""
    folder = tmp_path / "site-packages"
    for package in ("ours", "theirs"):
        (folder / package).mkdir(parents=True)
    for name, text in FILES.items():
        (folder / "ours" / name).write_text(text)
    (folder / "ours" / "scale.py").write_text("import theirs\n" + FILES["scale.py"])
    (folder / "theirs" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(folder))
    yield
    for name in [n for n in sys.modules if n.split(".")[0] in ("ours", "theirs")]:
        del sys.modules[name]


def test_other_installed_packages_count_by_version_only(installed):
    files, distributions = digest_code(find_stage("ours.scale:Scale"), Memory(None))
    own = {name for name in files if not name.startswith("neurodecode/core/artifacts/")}
    assert own == {"ours/scale.py", "ours/numerics.py"}
    assert distributions["theirs"] == "absent"


# ------------------------------------------------------------------------------------ raw files


def test_digests_of_files_are_remembered_by_identity(tmp_path, monkeypatch):
    monkeypatch.setattr(fingerprint, "SETTLED_S", -1.0)
    path, memory = tmp_path / "raw", Memory(tmp_path / "memory.json")
    path.write_bytes(b"one")
    first = digest_source(path, memory)
    memory.save()
    again = Memory.load(tmp_path / "memory.json")
    monkeypatch.setattr(fingerprint, "digest_file", lambda path: "read again")
    assert digest_source(path, again) == first
    os.utime(path, (1, 1))
    assert digest_source(path, again) == "read again"


def test_a_file_changed_just_now_is_not_remembered(tmp_path):
    path, memory = tmp_path / "raw", Memory(None)
    path.write_bytes(b"one")
    first = digest_source(path, memory)
    assert memory.known == {}
    path.write_bytes(b"two")
    assert digest_source(path, memory) != first


def test_a_folder_is_all_its_files(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_bytes(b"1")
    first = digest_source(tmp_path / "in", Memory(None))
    (tmp_path / "in" / "b").write_bytes(b"")
    assert digest_source(tmp_path / "in", Memory(None)) != first


@pytest.mark.parametrize("content", [b"{", b"[1]", b"\xff"])
def test_a_damaged_memory_is_an_empty_one(tmp_path, content):
    (tmp_path / "memory.json").write_bytes(content)
    assert Memory.load(tmp_path / "memory.json").known == {}


def test_a_wrong_digest_is_not_remembered(tmp_path, monkeypatch):
    """A memory that is valid JSON, but not what was written."""
    monkeypatch.setattr(fingerprint, "SETTLED_S", -1.0)
    path, memory = tmp_path / "raw", Memory(tmp_path / "memory.json")
    path.write_bytes(b"123")
    digest = digest_source(path, memory)
    memory.save()
    text = memory.path.read_text()
    memory.path.write_text(text.replace(digest, digest[::-1]))
    again = Memory.load(memory.path)
    assert again.known == {}
    assert digest_source(path, again) == digest
    assert "differs from its digest" in again.problems[0]


def test_where_raw_files_lie_is_no_part_of_the_key():
    recipe = {"stage": "x", "sources": ["d"], "source_files": {"/one": "d"}}
    assert make_key(recipe) == make_key({**recipe, "source_files": {"/two": "d"}})
    assert make_key(recipe) != make_key({**recipe, "sources": ["e"]})


def test_the_package_is_where_it_is_thought_to_be():
    assert (PACKAGE / "core" / "fingerprint.py").is_file()
