"""An agency's project, judged from its files and a saved contract, without a cluster and without running it. Pure.

Two kinds of project can be read: one in Pulumi YAML, whose resources are the apps and routes, and one in any other
language that takes its apps and routes from the stack file's `apps` and `routes`, as the Python template does.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from components.agency.model import AnyRoute, App, GrpcRoute, Route
from components.agency.reading import AgencyError, read_contract, read_parts
from components.agency.rules import stack_problems
from components.core.finding import Finding
from components.core.untrusted import YamlError, yaml_value
from components.stackfile.reader import Node, ReadError
from components.stackfile.reader import read as read_yaml
from components.tenancy.registration.contract import KIND, ContractSpec

PACKAGE = "vds-agency"
_Model = type[App] | type[Route] | type[GrpcRoute]
_KINDS: Mapping[str, tuple[_Model, str]] = {
    "App": (App, "apps"),
    "Route": (Route, "routes"),
    "GrpcRoute": (GrpcRoute, "grpcRoutes"),
}
_NUMBERS: Mapping[str, Callable[[Any], Any]] = {
    "integer": lambda text: int(text) if re.fullmatch(r"-?[0-9]{1,18}", str(text)) else text
}
"""Pulumi keeps configuration as text; the project says what is a number."""
_REFERENCE = re.compile(r"\$\{([^{}]+)\}")


class File(NamedTuple):
    """A file's name and text."""

    name: str
    text: str


class Parts(NamedTuple):
    """What a stack of a project has, as far as it can be read."""

    apps: tuple[App, ...] = ()
    routes: tuple[AnyRoute, ...] = ()
    findings: tuple[Finding, ...] = ()
    """Everything that is wrong with it."""


class _Declared(NamedTuple):
    model: _Model
    name: str
    settings: Node
    line: int


def contract_in(file: File) -> ContractSpec:
    """The contract in a file, as `kubectl get contract contract --output yaml` prints it. Raises AgencyError."""
    try:
        found = yaml_value(file.text)
    except YamlError:
        found = None
    if not isinstance(found, Mapping) or found.get("kind") != KIND:
        said = f"is no {KIND}"
        remedy = "save it with: kubectl get contract contract --output yaml"
        raise AgencyError([Finding("agency-contract", file.name, said, remedy)])
    try:
        return read_contract(found.get("spec"))
    except AgencyError as error:
        raise AgencyError([one._replace(subject=file.name) for one in error.findings]) from None


def read_project(project: File, stack: File, contract: ContractSpec) -> Parts:
    """The apps and routes of a stack, from `Pulumi.yaml` and `Pulumi.<stack>.yaml`, with everything that is wrong.

    A value that only an update knows gives a finding that is not decided, and a resource of another package an advice.
    """
    try:
        return _Project(project, stack).parts(contract)
    except ReadError as error:
        return Parts(findings=error.findings)


class _Project:
    def __init__(self, project: File, stack: File) -> None:
        self.root = read_yaml(project.text, file=project.name)
        self.name = project.name
        self.stack = stack.name
        config = read_yaml(stack.text, file=stack.name).children.get("config", Node({}, 1, file=stack.name))
        prefix = f"{self.root.value.get('name', '')}:" if isinstance(self.root.value, Mapping) else ""
        self.config = {
            str(key).removeprefix(prefix): replace(node, file=stack.name) for key, node in config.children.items()
        }
        self.besides: list[Finding] = []
        """What is not judged here."""

    def parts(self, contract: ContractSpec) -> Parts:
        declared = list(self._declared())
        places: dict[str, _Declared] = {}
        apps: list[App] = []
        routes: list[AnyRoute] = []
        found: list[Finding] = []
        broken: set[str] = set()
        for one in declared:
            places[f"{one.model.__name__.lower()} '{one.name}'"] = one
            item, wrong = read_parts(one.model, one.name, one.settings.value)
            found += wrong
            if isinstance(item, App):
                apps.append(item)
            elif isinstance(item, AnyRoute):
                routes.append(item)
            else:
                broken.add(one.name)
        # An app that can't be read is there all the same.
        together = stack_problems(apps, routes, contract)
        found += [one for one in together if one.rule != "agency-app" or one.value not in broken]
        if not declared:
            remedy = f"add one of type {PACKAGE}:App, or apps: in {self.stack}"
            found.append(Finding("agency-settings", self.name, "has no app and no route", remedy))
        located = tuple(self._located(one, places) for one in [*found, *self.besides])
        return Parts(tuple(apps), tuple(routes), located)

    def _declared(self) -> Iterator[_Declared]:
        """Apps and routes of the program, and of the stack file."""
        resources = self.root.children.get("resources", Node({}, 1))
        for name, node in resources.children.items():
            package, _, kind = str(node.value.get("type", "") if isinstance(node.value, Mapping) else "").partition(":")
            kind = kind.removeprefix("index:")
            line = resources.keys.get(name, node.line)
            if package == PACKAGE and kind in _KINDS:
                settings = self._resolved(node.children.get("properties", Node({}, line)), name)
                yield _Declared(_KINDS[kind][0], str(name), settings or Node({}, line), line)
            else:
                said = "is of another package, so that only the API server judges it"
                self.besides.append(
                    Finding(
                        "agency-besides", f"resource '{name}'", said, "", advice=True, file=self.name, lines=(line,)
                    )
                )
        for model, key in _KINDS.values():
            group = self.config.get(key, Node({}, 1))
            for name, node in group.children.items():
                settings = replace(node, file=self.stack)
                yield _Declared(model, str(name), settings, group.keys.get(name, node.line))

    def _resolved(self, node: Node, item: str) -> Node | None:
        """The value with the stack file's in place of references; None for what only an update knows."""
        node = replace(node, file=node.file or self.name)
        if isinstance(node.value, str):
            return self._text(node, item)
        if isinstance(node.value, Mapping):
            if any(str(key).startswith("fn::") for key in node.value):
                return self._unknown(node, item, "is a function's result")
            kept = {key: found for key, one in node.children.items() if (found := self._resolved(one, item))}
            return replace(node, value={key: one.value for key, one in kept.items()}, children=kept)
        if isinstance(node.value, list):
            parts = [self._resolved(node.children[index], item) for index in range(len(node.value))]
            known = [one for one in parts if one is not None]
            return replace(node, value=[one.value for one in known], children=dict(enumerate(known)))
        return node

    def _text(self, node: Node, item: str) -> Node | None:
        whole = _REFERENCE.fullmatch(node.value)
        if whole:
            found = self._referenced(whole[1])
            return found or self._unknown(node, item, f"${{{whole[1]}}} is known only during an update")
        parts = {name: self._referenced(name) for name in _REFERENCE.findall(node.value)}
        if any(one is None for one in parts.values()):
            return self._unknown(node, item, f"{node.value} is known only during an update")
        text = _REFERENCE.sub(lambda match: str(parts[match[1]].value), node.value)  # type: ignore[union-attr]
        return replace(node, value=text)

    def _referenced(self, name: str) -> Node | None:
        """A configuration value, its default, or the name of an app."""
        resource, _, output = name.partition(".")
        if output == "service" and resource in self.root.children.get("resources", Node({}, 1)).children:
            return Node(resource, 1, file=self.name)
        declared = self.root.children.get("config", Node({}, 1)).children.get(name, Node({}, 1))
        found = self.config.get(name)
        if found is None:
            default = declared.children.get("default")
            return replace(default, file=self.name) if default else None
        if isinstance(found.value, Mapping) and "secure" in found.value:
            return None
        kind = declared.value.get("type") if isinstance(declared.value, Mapping) else None
        return replace(found, value=_NUMBERS.get(str(kind), lambda text: text)(found.value))

    def _unknown(self, node: Node, item: str, said: str) -> Node | None:
        """Says that a value can't be judged. There is none."""
        found = Finding("agency-undecided", f"resource '{item}'", said, "preview it to have it checked", decided=False)
        self.besides.append(found._replace(file=self.name, lines=(node.line,)))
        return None

    def _located(self, finding: Finding, places: Mapping[str, _Declared]) -> Finding:
        """With file and line: of the value where it is written, else of its app or route."""
        one = next((one for item, one in places.items() if finding.subject.startswith(item)), None)
        if finding.lines or one is None:
            return finding
        at = next((node for node in _leaves(one.settings) if finding.value and str(node.value) == finding.value), None)
        if at is not None:
            return finding._replace(file=at.file or one.settings.file or self.name, lines=(at.line,))
        return finding._replace(file=one.settings.file or self.name, lines=(one.line,))


def _leaves(node: Node) -> Iterator[Node]:
    """Every simple value within, each with its file."""
    for inner in node.children.values():
        yield from _leaves(inner if inner.file else replace(inner, file=node.file))
    if not node.children:
        yield node


def check(project: File, stack: File, contract: File) -> list[Finding]:
    """The same from a contract's file; what is wrong with that is a finding too."""
    try:
        return list(read_project(project, stack, contract_in(contract)).findings)
    except AgencyError as error:
        return list(error.findings)
