"""Controls as branches of the graph: the same steps with the brain shuffled, removed or replaced.

    shuffled_brain     responses permuted against their samples, the decoder fitted again, n times
    prior_only         decoded features replaced by those of a training item drawn at random
    mean_embedding     ... by the mean over the fold's training items
    true_features      ... by the true ones: the generator's own ceiling
    nearest_training   the training stimulus nearest to what was decoded, shown as it is

A decoder is a step that makes Predictions from Responses; what lies between it and the scores is
repeated. Models that were trained on decoded features (a generator that learnt from nested
estimates, say) are held fixed: a control asks what the brain adds to them.
"""

from __future__ import annotations

from dataclasses import replace

from neurodecode.core.artifacts import (
    Features,
    Model,
    Predictions,
    Reconstructions,
    Responses,
    Split,
    Stimuli,
)
from neurodecode.core.checks import list_names, name_nearest
from neurodecode.core.draft import Draft, StepSpec, list_references
from neurodecode.core.stage import Stage, find_stage, read_inputs, read_outputs
from neurodecode.core.yaml_tree import Node, to_plain

KINDS = ("shuffled_brain", "prior_only", "mean_embedding", "true_features", "nearest_training")
SHUFFLE = "shuffle"
DEFAULT_N_SHUFFLES = 50


def add_controls(draft: Draft, node: Node) -> None:
    """Add to a draft the steps that ``controls:`` asks for, and one that compares them."""
    if not isinstance(node.value, dict):
        draft.complain(
            node.line,
            "controls: these are not of the form {of: step}. Write controls: {of: scores}.",
        )
        return
    known = ("of", "kinds", "n_shuffles", "block_rows")
    for key, value in node.value.items():
        if key not in known:
            nearest = name_nearest(key, known)
            draft.complain(
                value.line, f"controls: Unknown key '{key}'.{nearest} Known: {list_names(known)}."
            )
    of = node.value.get("of")
    targets = [n for n, _ in list_references(of)] if of is not None else []
    kinds = (
        [n for n, _ in list_references(node.value["kinds"])]
        if "kinds" in node.value
        else list(KINDS)
    )
    for kind in kinds:
        if kind not in KINDS:
            draft.complain(
                node.value["kinds"].line,
                f"controls: Unknown kind '{kind}'.{name_nearest(kind, KINDS)} "
                f"Known: {list_names(KINDS)}.",
            )
    for target in targets:
        if target not in draft.steps:
            draft.complain(
                node.line,
                f"controls: of: Unknown step '{target}'.{name_nearest(target, draft.steps)} "
                f"Known: {list_names(draft.steps)}.",
            )
    if not targets:
        draft.complain(
            node.line,
            "controls: 'of' is missing, the step whose scores are controlled. "
            "Write controls: {of: scores}.",
        )
    n_shuffles: object = DEFAULT_N_SHUFFLES
    if "n_shuffles" in node.value:
        n_shuffles = to_plain(node.value["n_shuffles"], typed=True)
    if not isinstance(n_shuffles, int) or n_shuffles < 1:
        draft.complain(
            node.line,
            "controls: n_shuffles is no whole number of 1 or more. Write n_shuffles: 50, say.",
        )
    if SHUFFLE in draft.axes and "shuffled_brain" in kinds:
        draft.complain(
            node.line,
            f"controls: 'each' has a variable '{SHUFFLE}', which controls need for themselves. "
            "Rename the variable.",
        )
    if "controls" in draft.steps:
        line = draft.steps["controls"].line
        draft.complain(
            line,
            "controls: a step has this name, which 'controls:' needs for what it adds. "
            "Rename the step.",
        )
    if draft.problems or not isinstance(n_shuffles, int):
        return
    settings = {k: node.value[k] for k in ("block_rows",) if k in node.value}
    if "shuffled_brain" in kinds:
        _add_axis(draft, n_shuffles)
    for target in targets:
        name = "controls" if len(targets) == 1 else f"controls_{target}"
        _control(draft, target, kinds, node.line, name, settings)


def _add_axis(draft: Draft, n_shuffles: int) -> None:
    values = [str(i) for i in range(n_shuffles)]
    draft.axes[SHUFFLE] = values
    draft.variables = [
        {**row, SHUFFLE: Node(v, plain=True)} for row in draft.variables for v in values
    ]


def _control(
    draft: Draft, target: str, kinds: list[str], line: int, name: str, settings: dict[str, Node]
) -> None:
    upstream = _find_upstream(draft, target)
    decoders = [step for step in upstream if draft.steps[step].stage.decodes]
    if not decoders:
        draft.complain(
            line,
            f"controls: nothing upstream of '{target}' decodes responses, so there is no brain to "
            "shuffle or remove. Name scores of decoded features or of reconstructions.",
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
        name, line, *_find("evaluation.controls"), {}, inputs,
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
    reaching: dict[str, bool] = {}

    def reaches(step: str) -> bool:
        if step not in reaching:
            reaching[step] = step in starts  # a circle, found elsewhere, must not hang this
            reaching[step] |= any(reaches(source) for source in _read_sources(draft, step))
        return reaching[step]

    path, waiting = [], [target]
    while waiting:
        step = waiting.pop()
        if step not in path and reaches(step):
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


def _find_input(spec: StepSpec, artifact: type) -> str:
    return next(
        key
        for key, kind in read_inputs(spec.stage).items()
        if kind.artifact is artifact and key in spec.inputs
    )


def _find_output(spec: StepSpec, artifact: type) -> str:
    return next(n for n, o in read_outputs(spec.stage).items() if o.artifact is artifact)
