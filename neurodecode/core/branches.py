"""From steps to instances: what depends on which variable, and what each branch is given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from neurodecode.core.axes import list_rows
from neurodecode.core.checks import list_names, name_known
from neurodecode.core.draft import Draft, StepSpec, list_references
from neurodecode.core.errors import PipelineError
from neurodecode.core.givers import list_upstream, word_givers
from neurodecode.core.graph import Branch, Graph, Instance, Ref
from neurodecode.core.order import list_steps
from neurodecode.core.settings import make_stage
from neurodecode.core.stage import InputSpec, Stage, read_inputs, read_outputs
from neurodecode.core.visible import show
from neurodecode.core.yaml_tree import VARIABLE, Node, Place, find_variables, measure, substitute

MAX_INSTANCES = 50_000
MAX_LINKS = 100_000
MAX_FILLED = 20_000_000  # characters of all branches together


def expand(draft: Draft, order: Sequence[str]) -> Graph:
    """Make one instance of each step for every branch it depends on."""
    expansion = _Expansion(draft)
    for name in order:
        expansion.add(draft.steps[name])
    return Graph(
        draft.name, draft.title, draft.source, draft.description, expansion.instances, draft.seed,
        draft.folders,
    )  # fmt: skip


@dataclass
class _Expansion:
    """The instances made so far, and what is known of them."""

    draft: Draft
    instances: dict[tuple[str, Branch], Instance] = field(default_factory=dict)
    depends: dict[str, set[str]] = field(default_factory=dict)
    branches: dict[str, list[Branch]] = field(default_factory=dict)
    used: dict[str, list[str]] = field(default_factory=dict)  # variables in a step's settings
    stages: dict[tuple[str, Branch], Stage | None] = field(default_factory=dict)
    sorted: dict[tuple[str, tuple[str, ...]], dict[Branch, list[Branch]]] = field(
        default_factory=dict
    )
    references: dict[tuple[str, str], list[tuple[str | None, str, Place]]] = field(
        default_factory=dict
    )
    outputs: dict[tuple[str, str, str], str | None] = field(default_factory=dict)
    n_made: int = 0
    n_links: int = 0
    n_filled: int = 0

    def add(self, spec: StepSpec) -> None:
        """Make the instances of a step whose inputs are made."""
        draft = self.draft
        read = [
            step
            for node in spec.inputs.values()
            for reference, _ in list_references(node)
            for step in list_steps(draft, spec, reference)
        ]
        above = {name for step in read for name in self.depends.get(step, ())}
        own = set(spec.variables()) | (above - set(spec.gather))
        self.depends[spec.name] = own
        self.branches[spec.name] = []
        for name in spec.gather:
            if name in draft.axes and name not in above and all(s in self.depends for s in read):
                draft.complain(
                    spec.line,
                    f"{spec.name}: gather: none of its inputs depends on '{name}'. Remove it, or "
                    f"name a step that uses ${{{name}}}.",
                )
        rows = list_rows(draft, spec.name, own)
        self._count(spec, len(rows))
        for row in rows:
            branch = tuple((v, row[v].value) for v in draft.axes if v in own)
            instance = self._make(spec, branch, row)
            if instance is not None:
                self.instances[instance.id] = instance
                self.branches[spec.name].append(branch)

    def _count(self, spec: StepSpec, n_rows: int) -> None:
        lengths = {name: max(map(len, values)) for name, values in self.draft.axes.items()}
        nodes = [*spec.settings.values(), *spec.inputs.values()]
        self.n_made += n_rows
        self.n_filled += n_rows * sum(measure(node, lengths) for node in nodes)
        self._check_size(spec, "branches of all steps together", self.n_made, MAX_INSTANCES)
        self._check_size(spec, "characters in all branches", self.n_filled, MAX_FILLED)

    def _check_size(self, spec: StepSpec, what: str, got: int, allowed: int) -> None:
        """Stop where going on would take more memory than a pipeline is worth."""
        if got > allowed:
            self.draft.complain(
                spec.line,
                f"{spec.name}: {got} {what}. Allowed: {allowed}. Give 'each:' or 'controls:' fewer "
                "values, or make several pipelines.",
            )
            raise PipelineError(self.draft.problems)

    def _make(self, spec: StepSpec, branch: Branch, row: Mapping[str, Node]) -> Instance | None:
        stage = self._make_stage(spec, row)
        inputs: dict[str, Any] = {}
        for key, node in spec.inputs.items():
            found: list[tuple[str | None, Ref]] = []
            for label, reference, line in self._read_references(spec, key, node, row):
                found += self._find(spec, key, label, reference, line, branch, row)
            inputs[key] = self._shape(spec, key, found)
        if stage is None:
            return None
        reasons = {
            key: str(getattr(spec, key).value) if getattr(spec, key) is not None else None
            for key in ("allow_transductive", "allow_leakage")
        }
        line = spec.line if isinstance(spec.line, int) else 0
        return Instance(
            spec.name,
            branch,
            spec.address,
            stage,
            inputs,
            spec.allow_missing,
            line=line,
            known=spec.known,
            **reasons,
        )

    def _read_references(
        self, spec: StepSpec, key: str, node: Node, row: Mapping[str, Node]
    ) -> list[tuple[str | None, str, Place]]:
        """Return what an input names, with labels; read once where no variable is in it."""
        if (spec.name, key) in self.references:
            return self.references[spec.name, key]
        found = list(_label_references(substitute(node, row)))
        if not find_variables(node):
            self.references[spec.name, key] = found
        return found

    def _make_stage(self, spec: StepSpec, row: Mapping[str, Node]) -> Stage | None:
        """Return the stage of a branch; branches whose settings are the same share it."""
        if spec.name not in self.used:
            names = {n for node in spec.settings.values() for n in find_variables(node)}
            self.used[spec.name] = sorted(names & set(self.draft.axes))
        key = (spec.name, tuple((name, row[name].value) for name in self.used[spec.name]))
        if key not in self.stages:
            self.stages[key] = make_stage(self.draft, spec, row)
        return self.stages[key]

    def _find(
        self,
        spec: StepSpec,
        key: str,
        label: str | None,
        reference: str,
        line: Place,
        branch: Branch,
        row: Mapping[str, Node],
    ) -> list[tuple[str | None, Ref]]:
        """Return the branches that a reference means, with their labels."""
        draft = self.draft
        step, _, output = reference.partition(".")
        if step not in draft.steps or "${" in reference:  # complained of already
            return []
        kind = read_inputs(spec.stage)[key]
        if (spec.name, key, reference) not in self.outputs:
            self.outputs[spec.name, key, reference] = _choose_output(
                draft, spec, key, draft.steps[step], output, kind, line
            )
        chosen = self.outputs[spec.name, key, reference]
        if chosen is None or step not in self.branches:
            return []
        gathered = [v for v in draft.axes if v in self.depends[step] and v in spec.gather]
        without = {
            v: substitute(how, row).value for v in gathered if (how := spec.gather[v]) is not None
        }
        for v, value in without.items():
            if value not in draft.axes[v] and not VARIABLE.search(value):
                draft.complain(
                    spec.line,
                    f"{spec.name}: gather: '{v}' has no value '{show(value)}' to leave out."
                    f"{name_known(value, draft.axes[v], 'Values')}",
                )
        found: list[tuple[str | None, Ref]] = []
        for other in self._list_alike(step, gathered, branch):
            there = dict(other)
            if any(there[v] == value for v, value in without.items()):
                continue
            parts = [*([label] if label else []), *(there[v] for v in gathered)]
            found.append((",".join(parts) or None, Ref(step, other, chosen)))
        if not found and not kind.optional and self.branches[step]:
            draft.complain(
                line,
                f"{spec.name}: {key}: no branch of {step} is left to gather. Leave fewer out, or "
                "give 'each:' more values.",
            )
        self.n_links += len(found)
        self._check_size(spec, "links between branches", self.n_links, MAX_LINKS)
        return found

    def _list_alike(self, step: str, gathered: Sequence[str], branch: Branch) -> list[Branch]:
        """Return the branches of a step that agree with this one, but for what is gathered."""
        depends = self.depends[step]
        shared = tuple(v for v, _ in branch if v in depends and v not in gathered)
        if (step, shared) not in self.sorted:
            groups: dict[Branch, list[Branch]] = {}
            for other in self.branches[step]:
                groups.setdefault(tuple(p for p in other if p[0] in shared), []).append(other)
            self.sorted[step, shared] = groups
        return self.sorted[step, shared].get(tuple(p for p in branch if p[0] in shared), [])

    def _shape(self, spec: StepSpec, key: str, found: list[tuple[str | None, Ref]]) -> Any:
        draft, kind = self.draft, read_inputs(spec.stage)[key]
        refs = [ref for _, ref in found]
        if kind.many == "dict":
            labelled: dict[str, Ref] = {}
            for label, ref in found:
                name = label or ref.step
                if name in labelled:
                    draft.complain(
                        spec.inputs[key].line,
                        f"{spec.name}: {key}: two branches go by the label '{show(name)}', and one "
                        f"would be lost. Give labels: {key}: {{one: step, other: step}}.",
                    )
                labelled[name] = ref
            return labelled
        if kind.many == "list":
            return refs
        if isinstance(spec.inputs[key].value, dict | list):
            draft.complain(
                spec.inputs[key].line,
                f"{spec.name}: {key} takes one {kind.words}: write {key}: step, without brackets.",
            )
        elif len(refs) > 1:
            draft.complain(
                spec.line,
                f"{spec.name}: {key}: takes {kind.words} of one branch, but 'gather' hands it "
                f"{len(refs)}, {refs[0].step} of {_word_branches(refs)}. "
                f"{_word_gather(draft, spec, kind)}",
            )
        return refs[0] if refs else None


def _word_branches(refs: Sequence[Ref]) -> str:
    """Return the values by which branches differ, such as "subject=01, 02"."""
    found = {}
    for variable, _ in refs[0].branch:
        values = dict.fromkeys(value for ref in refs for v, value in ref.branch if v == variable)
        if len(values) > 1:
            more = f" and {len(values) - 6} more" if len(values) > 6 else ""
            found[variable] = ", ".join(show(v) for v in list(values)[:6]) + more
    return "; ".join(f"{show(variable)}={values}" for variable, values in found.items())


def _word_gather(draft: Draft, spec: StepSpec, kind: InputSpec) -> str:
    """Return where branches could be gathered instead: in a step that takes several."""
    variables = ", ".join(show(name) for name in spec.gather)
    line = f"gather: {variables if len(spec.gather) == 1 else f'[{variables}]'}"
    takers = [
        f"'{name}' ({draft.steps[name].address})"
        for name in list_upstream(draft, spec)
        if not draft.steps[name].gather
        and any(i.many != "one" and i.accepts(kind.artifact) for i in _read_given(draft, name))
    ]
    if takers:
        return f"Move '{line}' from here to the step before it that takes several: {takers[0]}."
    return (
        f"Put a step that takes several before it (alignment.stack for Responses), with "
        f"'{line}', or leave 'gather' out here: {spec.name} is then repeated for each branch."
    )


def _read_given(draft: Draft, name: str) -> list[InputSpec]:
    """Return what the inputs that a step is given take."""
    step = draft.steps[name]
    return [kind for key, kind in read_inputs(step.stage).items() if key in step.inputs]


def _label_references(node: Node) -> Iterator[tuple[str | None, str, Place]]:
    """Yield (label, reference, line): an input may be one, a list, or a mapping of labels."""
    if isinstance(node.value, dict):
        for label, item in node.value.items():
            yield from ((label, ref, line) for ref, line in list_references(item))
    else:
        yield from ((None, ref, line) for ref, line in list_references(node))


def _choose_output(
    draft: Draft,
    spec: StepSpec,
    key: str,
    giver: StepSpec,
    output: str,
    kind: InputSpec,
    line: Place,
) -> str | None:
    outputs = read_outputs(giver.stage)
    if output and output not in outputs:
        draft.complain(
            line,
            f"{spec.name}: {key}: '{giver.name}' has no output '{show(output)}'."
            f"{name_known(output, outputs, 'It gives')}",
        )
        return None
    fitting = [n for n, o in outputs.items() if kind.accepts(o.artifact)]
    if output:
        if output in fitting:
            return output
        fitting, got = [], outputs[output].artifact.__name__
    else:
        # the output named like its kind comes first: 'decoded' means decoded.predictions
        if len(fitting) > 1 and next(iter(outputs)) in fitting:
            fitting = [next(iter(outputs))]
        got = next(iter(outputs.values())).artifact.__name__  # its others would be of no help
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        draft.complain(
            line, f"{spec.name}: {key}: '{giver.name}' gives several outputs that would do: "
            f"{list_names(fitting)}. Name one: {key}: {giver.name}.{fitting[0]}, say."
        )  # fmt: skip
        return None
    draft.complain(
        line,
        f"{spec.name}: {key}: takes {kind.words}, but '{giver.name}' "
        f"({giver.address}) gives {got}. {word_givers(draft, spec, key)}",
    )
    return None
