"""Mistakes people make in pipeline files and on the command line, with what must be said of them.

``python -m tests.attacks.bad_inputs`` prints the whole table with the messages.
"""

import os

from tests.attacks.bad_steps import BRANCHES, STEPS
from tests.attacks.cases import Case
from tests.attacks.mistakes import (
    GOOD,
    change,
    make_folder,
    make_locked,
    make_nothing,
    write,
)

FILES = [
    Case("no such file", make_nothing, ("no pipeline", "neither a file nor", "Known: ")),
    Case("a folder", make_folder, ("it is a folder", "Name a pipeline file")),
    Case("an empty file", write(""), ("pipe.yaml:1", "the file is empty", "Give it 'steps:'")),
    Case("only comments", write("# nothing\n"), ("pipe.yaml:1", "the file is empty")),
    Case("a list", write("- a\n- b\n"), ("pipe.yaml:1", "a mapping of keys", "Give it 'steps:'")),
    Case("no steps", write("title: x\n"), ("pipe.yaml:1", "no steps", "Give at least one")),
    Case(
        "two documents",
        write(GOOD + "---\n" + GOOD),
        ("pipe.yaml:11", "a second document", "its own file"),
    ),
    Case(
        "a binary file",
        write(b"\x89PNG\r\n\x1a\n\x00\xff"),
        ("pipe.yaml:1", "0x89 is no text in UTF-8", "Save the file"),
    ),
    Case(
        "a text in Latin-1",
        write(GOOD.replace("Small", "größer").encode("latin-1")),
        ("pipe.yaml:1", "0xf6 is no text in UTF-8"),
    ),
    Case("a NUL", change("Small", "Sm\0ll"), ("pipe.yaml:1", "U+0000", "plain text")),
    Case(
        "ten megabytes",
        write("title: " + "x" * 10_000_000),
        ("pipe.yaml", "larger than a pipeline", "200000 characters"),
    ),
    Case("a tab", change("  scan:", "\tscan:"), ("pipe.yaml:6", "not valid YAML", "spaces")),
    Case(
        "an open bracket",
        change("n_items: 24}", "n_items: 24"),
        ("pipe.yaml:6", "Close the bracket that opens in pipe.yaml:5"),
    ),
    Case(
        "an open quote",
        change("title: Small", 'title: "Small'),
        ("not valid YAML", "quotes that were left open before it (from pipe.yaml:1 on)"),
    ),
    Case(
        "an open quote at the end",
        change("features: pixels}", 'features: "pixels}'),
        ("not valid YAML", "Close the quote that opens in pipe.yaml:10"),
    ),
    Case(
        "a colon in text",
        change("Small", "Small: a try"),
        ("pipe.yaml:1", "mapping values are not allowed here", "in quotes"),
    ),
    Case(
        "keys out of line",
        change("  scan:", "   scan:"),
        ("pipe.yaml:6", "not valid YAML", "align the keys"),
    ),
    Case(
        "an anchor",
        change("digits: {", "digits: &d {"),
        ("pipe.yaml:5", "anchors and aliases (&d)", "use params"),
    ),
    Case(
        "a merge key",
        change("n_items: 24}", "<<: {n_items: 24}}"),
        ("pipe.yaml:5", "merge keys (<<)", "Write the keys out"),
    ),
    Case(
        "a tag that would run code",
        change("24}", "!!python/object/apply:os.getcwd []}"),
        ("pipe.yaml:5", "!!python/object/apply:os.getcwd", "plain data", "Remove the tag"),
    ),
    Case(
        "nested without end",
        write("steps: " + "[" * 5000),
        ("pipe.yaml:1", "nested deeper than 40 levels", "Close brackets"),
    ),
    Case(
        "a key twice",
        change("  split:", "  scan: {stage: datasets.digit69}\n  split:"),
        ("pipe.yaml:7", "'scan' is given twice (first in line 6)", "Keep one"),
    ),
    Case(
        "an unknown key",
        change("title:", "titel:"),
        ("pipe.yaml:1", "Unknown key 'titel'", "Did you mean 'title'?"),
    ),
    Case(
        "a terminal escape",
        change("Small", '"\\e[2J\\e[Hall is well"'),
        ("pipe.yaml:1", "hidden character U+001B", r"\x1b[2J", "Type it anew"),
    ),
    Case(
        "writing turned round",
        change("Small", "Sm\u202ell"),
        ("pipe.yaml:1", "hidden character U+202E"),
    ),
    Case("a list for a title", change("Small", "[a, b]"), ("pipe.yaml:1", "title: must be text")),
    *(
        [
            Case(
                "a file that may not be read",
                make_locked,
                ("pipe.yaml", "cannot be read", "that you may read it"),
            )
        ]
        if os.geteuid()
        else []
    ),
    Case(
        "a file with an escape in its name",
        write(GOOD, name="a\x1b[2Jb.yaml"),
        (r"a\x1b[2Jb.yaml", "cannot be shown", "Rename it"),
    ),
]

VALUES = [
    Case(
        "a negative seed",
        change("seed: 0", "seed: -1"),
        ("pipe.yaml:2", "seed", "0 or more", "'-1'"),
    ),
    Case(
        "a fraction for a seed",
        change("seed: 0", "seed: 0.5"),
        ("pipe.yaml:2", "whole number", "'0.5'"),
    ),
    Case("a word for a seed", change("seed: 0", "seed: lucky"), ("pipe.yaml:2", "'lucky'")),
    Case(
        "a negative seed of a step",
        change("n_items: 24", "seed: -3"),
        ("pipe.yaml:5", "digits: seed: got '-3'", "0 or more"),
    ),
    Case(
        "text for a number",
        change("n_items: 24", "n_items: many"),
        ("pipe.yaml:5", "digits: n_items: got 'many'", "Allowed: a whole number"),
    ),
    Case(
        "nothing for a number",
        change("n_vertices: 40", "n_vertices: "),
        ("pipe.yaml:6", "n_vertices: got nothing", "a whole number", "default, 1000"),
    ),
    Case(
        "a mapping for a number",
        change("n_items: 24", "n_items: {a: 1}"),
        ("pipe.yaml:5", "n_items: got a mapping", "a whole number"),
    ),
    Case(
        "out of range",
        change("by: stimulus, n_folds: 2", "by: stimulus, n_folds: 1"),
        ("pipe.yaml:7", "split: n_folds: got '1'", "Allowed: 2 or more"),
    ),
    Case(
        "not a number",
        change("n_runs: 2", "noise_ceiling: nan"),
        ("pipe.yaml:6", "noise_ceiling: got 'nan'", "Allowed: "),
    ),
    Case(
        "infinity",
        change("split: split}", "split: split, alphas: [1, 1e999]}"),
        ("pipe.yaml:9", "decoded: alphas.1: got", "Allowed: a finite number"),
    ),
    Case(
        "an unknown choice",
        change("by: stimulus,", "by: stimulus, shuffle: perhaps,"),
        ("pipe.yaml:7", "shuffle: got 'perhaps'", "Allowed: true or false"),
    ),
    Case(
        "a misspelt choice",
        change("features: pixels}", "features: pixels, similarity: cosin}"),
        ("pipe.yaml:10", "similarity: got 'cosin'", "'cosine'", "Did you mean 'cosine'?"),
    ),
    Case(
        "an unknown device key",
        change("n_items: 24", "execution: {devise: cpu}"),
        ("pipe.yaml:5", "execution.devise: got 'cpu'", "Did you mean 'device'?"),
    ),
    Case(
        "a setting left out",
        write("steps:\n  a: {stage: datasets.arrays, name: x, responses: y}\n"),
        ("pipe.yaml:2", "a: setting 'path' is missing", "write path: value"),
    ),
    Case(
        "a misspelt setting",
        change("n_items:", "n_itmes:"),
        ("pipe.yaml:5", "Unknown key 'n_itmes' for datasets.digits", "Did you mean 'n_items'?"),
    ),
    Case(
        "a permission without a reason",
        change("features: pixels}", "features: pixels, allow_leakage: true}"),
        ("pipe.yaml:10", "allow_leakage needs the reason, in words"),
    ),
    Case(
        "perhaps a missing branch",
        change("features: pixels}", "features: pixels, allow_missing: maybe}"),
        ("pipe.yaml:10", "allow_missing: got 'maybe'", "Write true or false"),
    ),
    Case(
        "one for yes",
        change("features: pixels}", "features: pixels, allow_missing: 1}"),
        ("pipe.yaml:10", "allow_missing: got '1'", "Write true or false"),
    ),
    Case(
        "a path that leaves the data",
        write(
            "steps:\n  a: {stage: datasets.arrays, name: x, responses: y, "
            "path: " + "../" * 30 + "etc/passwd}\n"
        ),
        (
            "datasets.arrays",
            "Allowed: .npy",
        ),
    ),
    Case(
        "a path without end",
        write("steps:\n  a: {stage: datasets.arrays, path: /dev/zero, name: x, responses: y}\n"),
        ("'/dev/zero'", "full path"),
    ),
    Case(
        "a model outside the package",
        write("steps:\n  a: {stage: reconstruction.pretrained, name: ../pyproject}\n"),
        ("no model '../pyproject'", "Train one"),
    ),
    Case("more folds than stimuli", change("n_folds: 2", "n_folds: 40"), ("split", "40", "24")),
]

CASES = [*FILES, *VALUES, *STEPS, *BRANCHES]
