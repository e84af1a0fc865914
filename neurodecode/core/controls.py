"""Controls as branches of the graph: the same steps with the brain shuffled, removed or replaced.

    shuffled_brain     responses permuted against their samples, the decoder fitted again, n times
    prior_only         decoded features replaced by those of a training item drawn at random
    mean_embedding     ... by the mean over the fold's training items
    true_features      ... by the true ones: the generator's own ceiling
    nearest_training   the training stimulus nearest to what was decoded, shown as it is

A decoder is a step that makes Predictions from Responses; what lies between it and the scores is
repeated, and a step ``audit`` (``audit_TARGET`` for each of several targets) sets all of it beside
the result and gives the verdict (evaluation.audit). Models that were trained on decoded features (a
generator that learnt from nested estimates, say) are held fixed: a control asks what the brain adds
to them.
"""

from __future__ import annotations

from dataclasses import replace

from neurodecode.core.artifacts import (
    Artifact,
    Features,
    Model,
    Predictions,
    Reconstructions,
    Responses,
    Split,
    Stimuli,
)
from neurodecode.core.axes import MAX_BRANCHES
from neurodecode.core.checks import list_names, name_known
from neurodecode.core.draft import AUDIT, Draft, StepSpec, list_references
from neurodecode.core.stage import Stage, find_stage, read_inputs, read_outputs
from neurodecode.core.visible import show
from neurodecode.core.yaml_tree import Node, Place, describe, to_plain

KINDS = ("shuffled_brain", "prior_only", "mean_embedding", "true_features", "nearest_training")
SHUFFLE = "shuffle"
DEFAULT_N_SHUFFLES = 50


def add_controls(draft: Draft, node: Node) -> None:
    """Add to a draft the steps that ``controls:`` asks for, and the audit that compares them."""
    if not isinstance(node.value, dict):
        draft.complain(
            node.line,
            "controls: these are not of the form {of: step}. Write controls: {of: scores}.",
        )
        return
    known = ("of", "kinds", "n_shuffles", "block_rows")
    for key in node.value:
        if key not in known:
            draft.complain(
                node.key_lines.get(key, node.line),
                f"controls: Unknown key '{show(key)}'.{name_known(key, known)}",
            )
    targets = _read_targets(draft, node)
    kinds = _read_kinds(draft, node)
    n_shuffles = _read_n_shuffles(draft, node)
    if SHUFFLE in draft.axes and "shuffled_brain" in kinds:
        draft.complain(
            node.line, f"controls: each has a variable '{SHUFFLE}', which controls add. Rename it."
        )
    names = {t: AUDIT if len(targets) == 1 else f"{AUDIT}_{t}" for t in targets}
    for name in names.values():
        if name in draft.steps:
            draft.complain(
                draft.steps[name].line,
                f"{name}: the name is taken by what 'controls:' adds. Rename the step.",
            )
    if draft.problems:
        return
    draft.awaits_controls = False
    settings = {k: node.value[k] for k in ("block_rows",) if k in node.value}
    if "shuffled_brain" in kinds:
        values = [str(i) for i in range(n_shuffles)]
        draft.axes[SHUFFLE] = values
        draft.groups.append([{SHUFFLE: Node(v, plain=True)} for v in values])
    for target in targets:
        _control(draft, target, kinds, node.line, names[target], settings)


def _read_targets(draft: Draft, node: Node) -> list[str]:
    of = node.value.get("of", Node([]))
    named = list_references(of) if not of.is_null else []
    if not named:
        draft.complain(
            of.line or node.line,
            "controls: of: name the step whose scores are to be controlled. Write of: scores, say.",
        )
    for target, line in named:
        if target not in draft.steps and target not in draft.broken:
            draft.complain(
                line,
                f"controls: of: Unknown step '{show(target)}'.{name_known(target, draft.steps)}",
            )
    return list(dict.fromkeys(target for target, _ in named))


def _read_kinds(draft: Draft, node: Node) -> list[str]:
    if "kinds" not in node.value:
        return list(KINDS)
    named = list_references(node.value["kinds"])
    if not named:
        draft.complain(
            node.value["kinds"].line,
            f"controls: kinds: lists none. Leave it out for all: {list_names(KINDS)}.",
        )
    for kind, line in named:
        if kind not in KINDS:
            draft.complain(
                line,
                f"controls: Unknown kind '{show(kind)}'.{name_known(kind, KINDS)}",
            )
    return list(dict.fromkeys(kind for kind, _ in named))


def _read_n_shuffles(draft: Draft, node: Node) -> int:
    given = node.value.get("n_shuffles")
    if given is None:
        return DEFAULT_N_SHUFFLES
    number = to_plain(given, typed=True)
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= MAX_BRANCHES:
        draft.complain(
            given.line,
            f"controls: n_shuffles: got {describe(given)}. Allowed: a whole number of 1 or more, "
            f"and at most {MAX_BRANCHES}.",
        )
        return 1
    return number


def _control(
    draft: Draft, target: str, kinds: list[str], line: Place, name: str, settings: dict[str, Node]
) -> None:
    upstream = _find_upstream(draft, target)
    decoders = [
        step
        for step in upstream
        if (stage := draft.steps[step].stage).decodes
        and any(o.artifact is Predictions for o in read_outputs(stage).values())
    ]
    if not decoders:
        draft.complain(
            line,
            f"controls: nothing upstream of '{target}' decodes responses, so there is no brain to "
            "shuffle or remove. Name scores of decoded features or of reconstructions.",
        )
        return
    needed: list[tuple[str, type[Artifact]]] = [
        (step, artifact) for step in decoders for artifact in (Responses, Features, Split)
    ]
    if "nearest_training" in kinds and _find_generators(draft, target, decoders):
        needed.append((target, Stimuli))
    for step, artifact in needed:
        if not _has_input(draft.steps[step], artifact):
            draft.complain(
                draft.steps[step].line,
                f"{step}: controls: is given no {artifact.__name__} of one step, which "
                "controls would replace. Give it, or choose other kinds or scores.",
            )
            return
    others: dict[str, Node] = {}
    shuffled: Node | None = None
    for kind in kinds:
        generators = _find_generators(draft, target, decoders)
        shows_training = kind == "nearest_training" and generators
        replaced = generators if shows_training else decoders
        path = _find_path(draft, target, replaced)
        renamed = {step: f"{step}@{kind}" for step in path}
        for step in replaced:
            spec = draft.steps[step]
            if kind == "shuffled_brain":
                draft.steps[renamed[step]] = _shuffle(draft, spec, renamed, settings)
            elif shows_training:
                decoder = next(d for d in _find_upstream(draft, step) if d in decoders)
                draft.steps[renamed[step]] = _retrieve(
                    draft.steps[decoder], draft.steps[target], renamed[step]
                )
            else:
                draft.steps[renamed[step]] = _replace(spec, kind, renamed[step])
        for step in path:
            if step not in replaced:
                draft.steps[renamed[step]] = _copy(draft.steps[step], renamed)
        if kind == "shuffled_brain":
            shuffled = Node(renamed[target], line)
        else:
            others[kind] = Node(renamed[target], line)
    inputs = {"scores": Node(target, line)}
    if shuffled is not None:
        inputs["shuffled"] = shuffled
    if others:
        inputs["others"] = Node(others, line)
    draft.steps[name] = StepSpec(
        name, line, *_find("evaluation.audit"), {}, inputs,
        gather={SHUFFLE: None} if shuffled is not None else {},
    )  # fmt: skip


def _shuffle(
    draft: Draft, decoder: StepSpec, renamed: dict[str, str], settings: dict[str, Node]
) -> StepSpec:
    """Return the decoder behind a permutation of its responses, one for each of their sources."""
    key = _find_input(decoder, Responses)
    reference = decoder.inputs[key].value
    name = f"{reference.replace('.', '_')}@shuffled"
    draft.steps[name] = StepSpec(
        name, decoder.line, *_find("evaluation.shuffle"),
        {"number": Node(f"${{{SHUFFLE}}}", decoder.line), **settings},
        {"responses": Node(reference, decoder.line)},
    )  # fmt: skip
    copy = _copy(decoder, renamed)
    copy.inputs[key] = Node(name, decoder.line)
    return copy


def _replace(decoder: StepSpec, kind: str, name: str) -> StepSpec:
    """Return a step that gives other features in the place of the decoded ones."""
    inputs = {
        "predictions": Node(f"{decoder.name}.{_find_output(decoder, Predictions)}", decoder.line),
        "features": decoder.inputs[_find_input(decoder, Features)],
        "split": decoder.inputs[_find_input(decoder, Split)],
    }
    settings = {"kind": Node(kind, decoder.line)}
    spec = StepSpec(name, decoder.line, *_find("evaluation.replace"), settings, inputs)
    if kind == "true_features":
        spec.allow_leakage = Node("a control: the truth itself, the generator's ceiling")
    return spec


def _retrieve(decoder: StepSpec, target: StepSpec, name: str) -> StepSpec:
    """Return a step that shows the nearest training stimulus in the place of a generated one."""
    inputs = {
        "predictions": Node(f"{decoder.name}.{_find_output(decoder, Predictions)}", decoder.line),
        "gallery": decoder.inputs[_find_input(decoder, Features)],
        "stimuli": target.inputs[_find_input(target, Stimuli)],
        "split": decoder.inputs[_find_input(decoder, Split)],
    }
    return StepSpec(name, decoder.line, *_find("reconstruction.retrieval"), {}, inputs)


def _find(address: str) -> tuple[str, type[Stage]]:
    return address, find_stage(address)


def _copy(spec: StepSpec, renamed: dict[str, str]) -> StepSpec:
    """Return a step that reads the control's branch wherever the original read the path."""

    def rename(node: Node) -> Node:
        if isinstance(node.value, list):
            return Node([rename(n) for n in node.value], node.line)
        if isinstance(node.value, dict):
            return Node({k: rename(n) for k, n in node.value.items()}, node.line)
        step, dot, output = node.value.partition(".")
        if step in renamed and output in ("", "predictions", "reconstructions", "scores"):
            return Node(renamed[step] + (f".{output}" if dot else ""), node.line)
        return node

    takes_model = {
        key for key, kind in read_inputs(spec.stage).items() if issubclass(kind.artifact, Model)
    }
    inputs = {k: n if k in takes_model else rename(n) for k, n in spec.inputs.items()}
    return replace(spec, name=renamed[spec.name], inputs=inputs, settings=dict(spec.settings))


def _find_upstream(draft: Draft, target: str) -> list[str]:
    found: list[str] = []
    waiting = [target]
    while waiting:
        step = waiting.pop()
        if step in found or step not in draft.steps:
            continue
        found.append(step)
        for node in draft.steps[step].inputs.values():
            waiting += [reference.split(".")[0] for reference, _ in list_references(node)]
    return found


def _read_sources(draft: Draft, step: str) -> list[str]:
    """Return the steps that a step reads data from; trained models do not count."""
    spec = draft.steps[step]
    wanted = read_inputs(spec.stage)
    return [
        reference.split(".")[0]
        for key, node in spec.inputs.items()
        if not issubclass(wanted[key].artifact, Model)
        for reference, _ in list_references(node)
        if reference.split(".")[0] in draft.steps
    ]


def _find_path(draft: Draft, target: str, starts: list[str]) -> list[str]:
    """Return the steps from some starts to the target, not passing through trained models."""
    readers: dict[str, list[str]] = {}
    for step in _find_upstream(draft, target):
        for source in _read_sources(draft, step):
            readers.setdefault(source, []).append(step)
    reaching, waiting = set(starts), list(starts)
    while waiting:
        new = [reader for reader in readers.get(waiting.pop(), ()) if reader not in reaching]
        reaching |= set(new)
        waiting += new
    path: list[str] = []
    waiting = [target]
    while waiting:
        step = waiting.pop()
        if step in reaching and step not in path:
            path.append(step)
            waiting += [] if step in starts else _read_sources(draft, step)
    return path


def _find_generators(draft: Draft, target: str, decoders: list[str]) -> list[str]:
    """Return the last steps before the target that make images out of what was decoded."""
    found: list[str] = []
    waiting, seen = [target], set()
    while waiting:
        step = waiting.pop()
        if step in seen:  # a circle, told of elsewhere, must not hang this
            continue
        seen.add(step)
        gives = [o.artifact for o in read_outputs(draft.steps[step].stage).values()]
        if Reconstructions in gives and set(_find_upstream(draft, step)) & set(decoders):
            found.append(step)
        else:
            waiting += _read_sources(draft, step)
    return list(dict.fromkeys(found))


def _has_input(spec: StepSpec, artifact: type) -> bool:
    """Tell whether a step is given one step's artifact of a kind, so that it can be replaced."""
    kinds = read_inputs(spec.stage)
    return any(
        kinds[key].artifact is artifact and isinstance(node.value, str)
        for key, node in spec.inputs.items()
    )


def _find_input(spec: StepSpec, artifact: type) -> str:
    kinds = read_inputs(spec.stage)
    return next(key for key in spec.inputs if kinds[key].artifact is artifact)


def _find_output(spec: StepSpec, artifact: type) -> str:
    return next(n for n, o in read_outputs(spec.stage).items() if o.artifact is artifact)
