"""Reads registrations: files `Pulumi.<tenant>.yaml` of the project in `tenants/`. Every mistake has its line."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from components.core.finding import Finding
from components.core.messages import ROOT_ITEM, violations
from components.core.types import EnvironmentName
from components.core.untrusted import json_value
from components.residency.model import Residency
from components.residency.registered_egress import registered_egress_problems
from components.stackfile.lines import located, place_at, text_at
from components.stackfile.parsing import read_text, stack_of
from components.stackfile.reader import Node, ReadError, read
from components.tenancy.registration.environment import Environment
from components.tenancy.registration.model import Registration
from components.tenancy.registration.rules import (
    Claim,
    claim_of,
    environment_problems,
    exception_problems,
    registration_problems,
)

TENANTS = "vds-tenants"
"""Name of the project in `tenants/`."""
REGISTRATION = f"{TENANTS}:registration"
IN_ENVIRONMENT = f"{TENANTS}:environment"
"""The environment that the tenant is in: the cluster must say the same name."""
RULE = "tenancy-registration"
_ENVIRONMENT: TypeAdapter[str] = TypeAdapter(EnvironmentName)


class Published(NamedTuple):
    """What an environment says in its cluster."""

    environment: Environment
    residency: Residency


class RegistrationFile(NamedTuple):
    """A registration's file, read."""

    name: str
    """Its path."""
    environment: str | None
    """Name of the environment; None where the file has none that can be read."""
    registration: Registration | None
    """None where something is wrong with its form."""
    findings: tuple[Finding, ...]
    """What is wrong with its form."""
    node: Node | None = None
    """What is below `vds-tenants:registration`."""
    line: int = 1

    def located(self, finding: Finding) -> Finding:
        """The finding with the file and its line."""
        if self.node is not None:
            finding = located(finding, self.node, self.name)
        return finding if finding.lines else finding._replace(file=self.name, lines=(self.line,))


def published(data: Mapping[str, Any]) -> Published:
    """What the environment's ConfigMap says. Raises ValueError for what no environment of this release writes."""
    try:
        return Published(
            Environment.model_validate(json_value(data["environment"]), by_alias=True, by_name=False),
            Residency.model_validate(json_value(data["residency"]), by_alias=True, by_name=False),
        )
    except (KeyError, TypeError, ValidationError, ValueError):
        raise ValueError("is not as this release writes it") from None


def read_registration(file: Path, text: str | None = None) -> RegistrationFile:
    """A registration's file. Raises OSError if it can't be read; all else is in `findings`."""
    name = str(file)
    try:
        root = read(read_text(file) if text is None else text, file=name)
    except ReadError as error:
        return RegistrationFile(name, None, None, error.findings)
    config = root.children.get("config", Node({}, root.line, file=name))
    if not isinstance(config.value, Mapping):
        return RegistrationFile(name, None, None, (_at(name, config.line, "config", "is not a group of settings"),))
    found = list(_key_problems(config, name))
    chosen = config.children.get(IN_ENVIRONMENT)
    environment = chosen.value if chosen and isinstance(chosen.value, str) and chosen.value else None
    if chosen is None or environment is None:
        found.append(_at(name, config.line, IN_ENVIRONMENT, "is missing", "write the name of the environment"))
    else:
        try:
            _ENVIRONMENT.validate_python(environment)
        except ValidationError as error:
            environment = None
            refusal = violations(error, chosen.value, Environment)[0]
            found.append(_at(name, chosen.line, IN_ENVIRONMENT, refusal.message, refusal.remedy))
    node = config.children.get(REGISTRATION)
    if node is None:
        found.append(_at(name, config.line, REGISTRATION, "is missing", "run `vds tenant new`"))
        return RegistrationFile(name, environment, None, tuple(found))
    line = config.keys.get(REGISTRATION, node.line)
    registration, wrong = _model(node, line)
    stack = stack_of(name)
    made = RegistrationFile(name, environment, registration, (), node, line)
    if registration and stack is not None and registration.tenant != stack:
        said = f"{registration.tenant}, but the stack is {stack}: a stack has the name of its tenant"
        wrong.append(Finding(RULE, "tenant", said, f"write tenant: {stack}", value=registration.tenant))
    return made._replace(findings=tuple(map(made.located, [*found, *wrong])))


def problems_of(
    file: RegistrationFile,
    others: Iterable[Claim],
    today: date,
    known: Published | None = None,
) -> list[Finding]:
    """Everything that is wrong with a registration. `others`: what tenants of its environment have already. `known`:
    the environment; None where it is not known, and nothing is checked against it."""
    found = list(file.findings)
    if file.registration is not None:
        found += map(file.located, content_problems(file.registration, others, today, known))
    return sorted(found, key=lambda one: (one.lines[:1], one.subject))


def content_problems(
    registration: Registration, others: Iterable[Claim], today: date, known: Published | None
) -> Iterator[Finding]:
    """What is wrong with a registration of the right form."""
    yield from registration_problems(registration, others)
    yield from exception_problems(registration, today)
    if known is not None:
        yield from environment_problems(registration, known.environment)
        yield from registered_egress_problems(registration, known.residency, today)


def claims(files: Iterable[RegistrationFile], environment: str | None) -> list[Claim]:
    """What the tenants of one environment have, as far as their files can be read."""
    return [claim_of(one.registration) for one in files if one.registration and one.environment == environment]


def _key_problems(config: Node, name: str) -> Iterator[Finding]:
    for key, line in config.keys.items():
        if key.startswith(f"{TENANTS}:") and key not in (REGISTRATION, IN_ENVIRONMENT):
            yield _at(name, line, key, "is not a key of this project", f"the keys are {REGISTRATION}, {IN_ENVIRONMENT}")


def _model(node: Node, line: int) -> tuple[Registration | None, list[Finding]]:
    try:
        return Registration.model_validate(node.value, by_alias=True, by_name=False), []
    except ValidationError as error:
        written, place = partial(text_at, node), partial(place_at, node, line)
        found = violations(error, node.value, Registration, written, place)
        return None, [
            one._replace(rule=RULE, subject=REGISTRATION if one.subject == ROOT_ITEM else one.subject) for one in found
        ]


def _at(file: str, line: int, subject: str, message: str, remedy: str = "write its keys below it") -> Finding:
    return Finding(RULE, subject, message, remedy, file=file, lines=(line,))
