"""Pipeline files that are short to write and long to read, or to make something of."""

DIGITS = "  d: {stage: datasets.digits}\n"
DECODE = """\
steps:
  d: {stage: datasets.digits}
  scan: {stage: datasets.simulated, stimuli: d}
  split: {stage: evaluation.split, responses: scan}
  pixels: {stage: features.pixels, stimuli: d}
  decoded: {stage: decoding.ridge, responses: scan, features: pixels, split: split}
  scores: {stage: evaluation.identification, predictions: decoded, features: pixels}
"""
VARIABLES = [f"v{i}" for i in range(10)]
TEN = ", ".join(str(i) for i in range(10))
TEN_BY_TEN = "each: {" + ", ".join(f"{v}: [{TEN}]" for v in VARIABLES) + "}\n"
X = "x" * 150_000


def repeat(pattern: str, n: int) -> str:
    """Return a pattern n times, its %d counted up."""
    return "".join(pattern.replace("%d", str(i)) for i in range(n))


def digits(settings: str) -> str:
    """Return a pipeline of one step with some settings."""
    return f"steps:\n  d: {{stage: datasets.digits, {settings}}}\n"


def count(n: int) -> str:
    """Return a list of whole numbers."""
    return f"[{', '.join(map(str, range(n)))}]"


def make_chain(last: str) -> str:
    """Return 450 steps, each of which reads from the next."""
    links = (f"  z{i}: {{stage: preprocessing.zscore, responses: z{i + 1}}}\n" for i in range(450))
    return "steps:\n" + "".join(links) + last


LAUGHS = "a0: &a0 [x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)
)
BOMBS = {
    # to read
    "billion laughs": LAUGHS,
    "an anchor in itself": "a: &a [*a]\n",
    "open brackets": "a: " + "[" * 100_000,
    "open braces": "{" * 100_000,
    "nested lists": "- " * 90_000,
    "nested keys": "".join(" " * i + "a:\n" for i in range(600)),
    "question marks": "? " * 60_000,
    "a hundred thousand keys": repeat("k%d: 1\n", 100_000),
    "as many steps as a file holds": "steps:\n" + repeat("  k%d: {}\n", 9_000),
    "a long list": "a: [" + "x," * 90_000 + "]",
    "a scalar of ten megabytes": "title: " + "x" * 10_000_000,
    "a long key": f"{X}: 1",
    # to complain of
    "a long name of a stage": f"steps:\n  a: {{stage: {X}}}",
    "a long reference": f"steps:\n{DIGITS}  a: {{stage: features.pixels, stimuli: {X}}}",
    "a long number": digits("size_px: " + "9" * 150_000),
    "many unknown keys": repeat("stps%d: 1\n", 9_000),
    "many unknown inputs": (
        f"steps:\n{DIGITS}  r: {{stage: plotting.report, show: [{repeat('e%d,', 15_000)}]}}"
    ),
    "many unknown variables": digits(f"n_items: '{repeat('${v%d}', 15_000)}'"),
    "many unused params": f"params: {{{repeat('p%d: 1, ', 9_000)}}}\nsteps:\n{DIGITS}",
    "settings wrong in every branch": (
        f"each: {{v: [{repeat('x%d,', 9_000)}]}}\n" + digits("first: '${v}'")
    ),
    # to fill in
    "params that swell": f"params: {{a: {X[:50_000]}}}\n" + digits("classes: " + "${a}" * 30_000),
    "lists that swell": (
        f"params: {{a: [{'1,' * 8_000}]}}\n" + digits("classes: [" + "'${a}'," * 8_000 + "]")
    ),
    "params of params": "params: {a: '${b}', b: '${a}'}\n" + digits("size_px: '${a}'"),
    # to make branches of
    "ten variables of ten values": (
        TEN_BY_TEN + digits("classes: '" + "".join(f"${{{v}}}" for v in VARIABLES) + "'")
    ),
    "ten variables met in one step": (
        TEN_BY_TEN + "steps:\n"
        + "".join(f"  d{v}: {{stage: datasets.digits, first: '${{{v}}}'}}\n" for v in VARIABLES)
        + f"  r: {{stage: plotting.report, show: [{', '.join(f'd{v}' for v in VARIABLES)}]}}"
    ),
    "a variable of many values": f"each: {{v: {count(15_000)}}}\n" + digits("first: '${v}'"),
    "many variables": f"each: {{{repeat('v%d: [1], ', 4_000)}}}\n" + digits("first: '${v0}'"),
    "a billion shuffles": DECODE + "controls: {of: scores, n_shuffles: 1000000000}",
    "as many shuffles as may be": DECODE + "controls: {of: scores, n_shuffles: 10000}",
    "everything gathered by all": (
        f"each: {{u: {count(3_000)}, w: {count(3_000)}}}\n" + digits("first: '${u}'")
        + "  r: {stage: plotting.report, show: d, title: '${w}', gather: u}"
    ),
    "a chain of steps": make_chain("  z450: {stage: datasets.digit69}\n"),
    "a circle of steps": make_chain("  z450: {stage: preprocessing.zscore, responses: z0}\n"),
    "too many steps": "steps:\n" + repeat("  d%d: {stage: datasets.digits}\n", 2_000),
    # to digest
    "a path without end": (
        "steps:\n  a: {stage: datasets.arrays, name: x, responses: x, path: /dev/zero}"
    ),
    "weights without end": f"steps:\n{DIGITS}"
    "  a: {stage: features.open_clip, stimuli: d, model: ViT-B-32, checkpoint: /dev/zero}",
    "a path of long names": (
        f"steps:\n  a: {{stage: datasets.arrays, name: x, responses: x, path: {X}}}"
    ),
    "a model of long names": f"steps:\n  a: {{stage: reconstruction.pretrained, name: {X}}}",
}  # fmt: skip

# Long, but what they ask for can be done, or fails where a raw file is looked for.
ALLOWED = (
    "as many shuffles as may be", "a chain of steps", "a path without end", "weights without end",
    "a path of long names", "a model of long names",
)  # fmt: skip
