"""From a stack file to a spec: every mistake in it at once."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError, create_model

from components.core.finding import Finding
from components.core.messages import ROOT_ITEM, did_you_mean, in_full, item_at, violations
from components.core.model import Spec
from components.core.names import PROJECT
from components.core.untrusted import json_value
from components.kubeadm.rules import expired_exceptions
from components.network.compatibility.releases import table
from components.stackfile.defaults import DefaultsError, Read, merged_node, read_defaults
from components.stackfile.keys import (
    DEFAULTS,
    RULE,
    SECRETS,
    SETTINGS,
    SPEC,
    is_encrypted,
    key_findings,
    missing_secrets,
    plain_secrets,
)
from components.stackfile.lines import located, place_at, text_at
from components.stackfile.passphrase import SALT, passphrase_problems
from components.stackfile.reader import Node, ReadError, read
from components.stackfile.referenced_files import (
    registered_elsewhere,
    why_unreadable,
    with_bundle_version,
    with_host_keys,
)
from components.stackfile.releases import release_advice, with_newest
from components.stackfile.rules import LISTS, accepts, platform_problems
from components.stackfile.spec import PlatformSpec


class SpecError(Exception):
    """A stack file with problems, all of them, one a line."""

    def __init__(self, problems: Sequence[Finding]) -> None:
        self.problems = tuple(problems)
        count, lines = in_full(problems)
        super().__init__(f"the stack file has {count}; nothing was changed:{lines}")


class StackFile(NamedTuple):
    """A stack file that could be read as YAML."""

    name: str
    config: Node
    """With each key as the engine completes it: `spec` is `vds-platform:spec`."""
    salt: str = ""
    """By which the engine knows the right passphrase; empty where another provider keeps the secrets."""

    @property
    def spec(self) -> Node | None:
        """What is below `vds-platform:spec`; None where there is none."""
        return self.config.children.get(SPEC)

    def place_at(self, path: Sequence[int | str]) -> tuple[str, int] | None:
        """File and line of what is at a path of the spec, or nearest to it."""
        line = self.config.keys.get(SPEC)
        return place_at(self.spec, line, path) if self.spec and line else None

    @property
    def defaults(self) -> Any:
        """The name of the file with shared settings; None without one."""
        return self.config.value.get(DEFAULTS)

    def over(self, shared: Node) -> "StackFile":
        """The stack file over shared settings, each with its own file and line."""
        own = self.spec or Node({}, self.config.line, file=self.name)
        if isinstance(own.value, str):
            own = replace(own, value=_from_json(own.value))
        spec = merged_node(own, shared)
        config = self.config
        keys = {SPEC: config.keys.get(DEFAULTS, config.line), **config.keys}
        value, children = {**config.value, SPEC: spec.value}, {**config.children, SPEC: spec}
        return self._replace(config=replace(config, value=value, children=children, keys=keys))

    def located(self, finding: Finding) -> Finding:
        """The finding with its lines: of the fields that it names, else of the key."""
        if finding.lines:
            return finding if finding.file else finding._replace(file=self.name)
        if self.spec and not finding.subject.startswith(f"{PROJECT}:"):
            finding = located(finding, self.spec, self.name)
        line = self.config.keys.get(finding.subject) or self.config.keys.get(SPEC) or self.config.line
        return finding if finding.lines else finding._replace(file=self.name, lines=(line,))


def read_stack_file(text: str, file: str) -> StackFile:
    """A stack file's text. Raises SpecError for what the engine could not read either."""
    try:
        root = read(text, file=file)
    except ReadError as error:
        raise SpecError(error.findings) from None
    config = root.children.get("config")
    if not isinstance(root.value, Mapping | None) or (config and not isinstance(config.value, Mapping | None)):
        raise SpecError([_at(file, root.line, "config", "is not a group of settings", "write its keys below it")])
    stray = [
        _at(file, line, item_at((key,), None), "is not below config, so the engine does not read it", "move it there")
        for key, line in root.keys.items()
        if ":" in key or key in ("spec", *SETTINGS, *SECRETS)
    ]
    stray += [
        _at(file, line, item_at((key,), None), "is not a key here", "did you mean config?")
        for key, line in root.keys.items()
        if config is None and did_you_mean(key, ["config"])
    ]
    if stray:
        raise SpecError(stray)
    if config is None:
        return StackFile(file, Node({}, root.line, file=file), _salt(root))
    for key in config.children:
        if f"{PROJECT}:{key}" in config.children:
            both = (config.keys[key], config.keys[f"{PROJECT}:{key}"])
            said = f"is there twice, also as {PROJECT}:{key}, and the engine takes one of them"
            raise SpecError([_at(file, both[0], key, said, "keep one")._replace(lines=both)])
    full = {key if ":" in key else f"{PROJECT}:{key}": key for key in config.children}
    children = {name: config.children[key] for name, key in full.items()}
    values = {name: node.value for name, node in children.items()}
    lines = {name: config.keys[key] for name, key in full.items()}
    return StackFile(file, Node(values, root.keys["config"], children=children, keys=lines, file=file), _salt(root))


def _salt(root: Node) -> str:
    value = root.value.get(SALT) if isinstance(root.value, Mapping) else None
    return value if isinstance(value, str) else ""


def parse(data: Any, *, base_dir: Path, source: StackFile | None = None, stack: str | None = None) -> PlatformSpec:
    """A stack file's `vds-platform:spec` as a spec. Raises SpecError with every problem in it.

    Files that it names are relative to `base_dir`. With `source`, each problem has its line. `stack` is the name of the
    stack, where it is known.
    """
    node = source.spec if source else None
    place_of = source.place_at if source else lambda _: None
    if refused := _misplaced(data, place_of):
        raise SpecError([source.located(one) for one in refused] if source else refused)
    try:
        spec, sound = PlatformSpec.model_validate(data, by_alias=True, by_name=False), set(PlatformSpec.model_fields)
        problems = []
    except ValidationError as error:
        spec, sound = _sound_parts(data, error)
        text_of = (lambda path: text_at(node, path)) if node else lambda _: None
        problems = violations(error, data, PlatformSpec, text_of, place_of)
        problems = [
            _moved(with_newest(one))._replace(subject=SPEC if one.subject == ROOT_ITEM else one.subject)
            for one in problems
        ]
    sound |= {f"some {name}" for name in LISTS & sound}
    if {"ssh", "some nodes"} <= sound:
        spec, unreadable = with_host_keys(spec, base_dir)
        problems += unreadable
    else:
        unreadable = []
    if "gateway" in sound:
        spec, unread = with_bundle_version(spec, base_dir)
        problems += unread
    if {"residency", "nodes", "metallb"} <= sound:
        problems += registered_elsewhere(spec, base_dir)
    found = platform_problems(spec, sound)
    if stack is not None and "environment" in sound:
        found += _name_problems(spec.environment, stack)
    follows = unreadable or any(_is_about_ssh(one) for one in problems)
    problems += [one for one in found if not (follows and one.rule == "nodes-host-key")]
    if problems:
        raise SpecError([source.located(one) for one in problems] if source else problems)
    return spec


_ROUTES = "is not in a stack file: an agency deploys its routes with its own project"
_MOVED = {
    "tenants": (
        "is not in a stack file: each tenant has a registration of its own, in the project tenants/",
        "remove it, and run `vds tenant new TENANT` for each tenant",
    ),
    "gateway.routes": (_ROUTES, "remove it; `vds tenant new TENANT --agency FOLDER` writes that project"),
    "gateway.grpcRoutes": (
        _ROUTES,
        "remove it; `vds tenant new TENANT --agency FOLDER` writes that project, which may have grpcRoutes",
    ),
}
"""Settings that belong to tenants, and where they are."""


def _moved(problem: Finding) -> Finding:
    said, remedy = _MOVED.get(problem.subject, ("", ""))
    return problem._replace(message=said, remedy=remedy) if said else problem


def _name_problems(environment: str, stack: str) -> list[Finding]:
    """Two names for one environment: a copied file would carry the other one's cluster, facts and evidence."""
    if environment == stack:
        return []
    said = f"{environment}, but the stack is {stack}: a stack has the name of its environment"
    remedy = f"write environment: {stack}"
    return [Finding("stack-name", "environment", said, remedy, value=environment)]


def stack_of(file: str) -> str | None:
    """The stack that a file is of, by its name: `Pulumi.oslo.yaml`; None for another name."""
    match = re.fullmatch(r"Pulumi\.(.+)\.ya?ml", Path(file).name)
    return match[1] if match else None


def with_defaults(source: StackFile, read_file: Read) -> StackFile:
    """The stack file over the shared settings that it names. Raises SpecError if these can't be used."""
    if source.defaults is None:
        return source
    try:
        return source.over(read_defaults(source.defaults, read_file))
    except DefaultsError as error:
        raise SpecError([source.located(one) for one in error.findings]) from None


class CheckedFile(NamedTuple):
    """What a stack file itself shows. Neither the engine nor a node was asked."""

    data: Any
    """What is below `vds-platform:spec`; None where nothing can be read."""
    spec: PlatformSpec | None
    """None where something is wrong."""
    findings: tuple[Finding, ...]
    """Mistakes in the order of the file, then advice."""


def check_file(
    text: str, file: str, base_dir: Path, today: date | None = None, *, stack: str | None = None
) -> CheckedFile:
    """Everything that is wrong with a stack file. Files that it names are relative to `base_dir`.

    `stack`: the stack that it is used for; default: the one in its name, `Pulumi.<stack>.yaml`.

    Releases are judged as of `today`; without it, as of the day of their table.
    """
    try:
        source = with_defaults(read_stack_file(text, file), lambda name: read_text(base_dir / name))
    except SpecError as error:
        return CheckedFile(None, None, error.problems)
    config: Mapping[str, Any] = source.config.value
    in_clear = [key for key in config if not is_encrypted(config[key])]
    found = [*key_findings(config), *plain_secrets(in_clear), *passphrase_problems(source.salt)]
    data, spec = _from_json(config.get(SPEC)), None
    if data is None:
        follows = any(one.remedy == f"did you mean {SPEC}?" for one in found)
        remedy = "copy it from Pulumi.oslo.yaml, or run `vds init`"
        found += [] if follows else [Finding(RULE, SPEC, "is missing", remedy)]
    else:
        try:
            spec = parse(data, base_dir=base_dir, source=source, stack=stack or stack_of(file))
        except SpecError as error:
            found += error.problems
    if spec:
        found += expired_exceptions(spec.cluster, today or table().day)
    wrong = bool(found)
    if spec:
        found += [*spec.advice, *release_advice(spec.combination.versions, today or table().day, accepts(spec))]
    found += missing_secrets(config)
    located_ones = sorted(
        map(source.located, found), key=lambda one: (one.advice, one.file != file, one.lines[:1], one.subject)
    )
    return CheckedFile(data, None if wrong else spec, tuple(located_ones))


def spec_data(text: str, read_file: Read) -> Mapping[str, Any] | None:
    """`vds-platform:spec` of a stack file's text, over shared settings.

    None where one of them can't be read, or is no group of settings.
    """
    try:
        data = _from_json(with_defaults(read_stack_file(text, ""), read_file).config.value.get(SPEC))
    except SpecError:
        return None
    return data if isinstance(data, Mapping) else None


_JUDGED = ("hostKey", "caCertificate", "armoured")
"""Settings that say themselves what to do about a private key."""


_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def _misplaced(data: Any, place: Callable[[tuple[int | str, ...]], tuple[str, int] | None]) -> list[Finding]:
    """Encrypted values, private keys and control characters within the spec. No value is repeated."""
    found: list[tuple[tuple[int | str, ...], str, str]] = []
    for path, value in _values(data):
        if is_encrypted(value):
            found.append((path, "is encrypted", "write it in clear: secrets have keys of their own"))
        elif isinstance(value, str) and "PRIVATE KEY" in value and path[-1:] not in [(name,) for name in _JUDGED]:
            remedy = "remove it from the file and make a new one: secrets have keys of their own"
            found.append((path, "is a private key (not repeated)", remedy))
        elif isinstance(value, str) and (control := _CONTROL.search(value)):
            found.append((path, f"has the character U+{ord(control[0]):04X}, which is not printed", "remove it"))
    findings = []
    for path, said, remedy in found:
        finding = Finding(RULE, item_at(path, data) if path else SPEC, said, remedy)
        at = place(path)
        findings.append(finding._replace(file=at[0], lines=(at[1],)) if at else finding)
    return findings


def _values(data: Any) -> Iterator[tuple[tuple[int | str, ...], Any]]:
    """Every value with its path. No recursion: JSON text may be deep."""
    left: list[tuple[tuple[int | str, ...], Any]] = [((), data)]
    while left:
        path, value = left.pop()
        yield path, value
        inner = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
        left += [((*path, step), one) for step, one in inner]


def _is_about_ssh(problem: Finding) -> bool:
    """Host keys may only be missing because `ssh` could not be read."""
    return re.match(r"ssh\b", problem.subject) is not None or problem.remedy in ("write ssh", "did you mean ssh?")


def _from_json(data: Any) -> Any:
    """`pulumi config set vds-platform:spec` writes JSON as text."""
    try:
        return json_value(data) if isinstance(data, str) else data
    except ValueError:
        return data


def _at(file: str, line: int, subject: str, message: str, remedy: str) -> Finding:
    return Finding(RULE, subject, message, remedy, file=file, lines=(line,))


def read_text(file: Path) -> str:
    """A stack file's text. Raises OSError, whose text says why."""
    try:
        return file.read_text(encoding="utf-8-sig")
    except ValueError as error:
        raise OSError(why_unreadable(error)) from None


def _sound_parts(data: Any, error: ValidationError) -> tuple[PlatformSpec, set[str]]:
    """Only those parts of a broken spec that are right by themselves, and their names: one typo hides no problem.

    A list with broken items is there without them, as `some nodes`.
    """
    construct: Callable[..., PlatformSpec] = PlatformSpec.model_construct  # its checked signature wants every part
    if not isinstance(data, Mapping):
        return construct(), set()
    places = [detail["loc"] for detail in error.errors() if detail["loc"]]
    broken = {place[0] for place in places}
    given = {alias: value for alias, value in data.items() if isinstance(alias, str) and alias not in broken}
    for name in LISTS & broken:
        wrong = {place[1] if len(place) > 1 else None for place in places if place[0] == name}
        kept = [item for index, item in enumerate(data[name]) if index not in wrong] if None not in wrong else []
        if kept:
            given[name] = kept
    sound: Any = {
        name: (field.annotation, field)
        for name, field in PlatformSpec.model_fields.items()
        if field.alias not in broken or field.alias in given
    }
    parts = create_model("SoundParts", __base__=Spec, **sound).model_validate(given, by_alias=True, by_name=False)
    return construct(**{name: getattr(parts, name) for name in sound}), {
        f"some {name}" if name in broken else name for name in sound
    }
