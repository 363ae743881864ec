"""The files that `vds tenant new` writes."""

import json
import re
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from components.agency.template import Language, project_files
from components.core.untrusted import yaml_value
from components.tenancy.registration.model import Registration

_WORD = re.compile(r"[a-z0-9-]+")


class Answers(NamedTuple):
    """What a new registration says."""

    tenant: str
    environment: str
    groups: Sequence[str]
    namespaces: Sequence[tuple[str, str]]
    """Key and size class."""
    domains: Sequence[str]
    registries: Sequence[str]


def registration_file(answers: Answers) -> str:
    """The text of a registration's file. Every value is written so that YAML reads a text."""
    names = " and ".join(_plain(f"{answers.tenant}-{key}") for key, _ in answers.namespaces)
    namespaces = "\n".join(f"      {_plain(key)}: {{ size: {_plain(size)} }}" for key, size in answers.namespaces)
    return f"""\
# The registration of tenant {_plain(answers.tenant)}: docs/howto/register-a-tenant.md
config:
  vds-tenants:environment: {json.dumps(answers.environment)}
  vds-tenants:registration:
    tenant: {json.dumps(answers.tenant)} # makes {names}
    owner:
      groups: {_list(answers.groups)} # of the identity provider
    namespaces:
{namespaces}
    domains: {_list(answers.domains)} # these hosts, and every name below them
    registries: {_list(answers.registries)}
    # egress: # pods with the label egress.vds-platform.no/vipps: "true" may call it
    #   - name: vipps
    #     hosts: [api.vipps.no]
    #     ports: [443]
    #     purpose: payments
    #     country: "NO"
    #     entity: Vipps MobilePay AS
    #     entityCountry: "NO"
"""


def _plain(value: str) -> str:
    """Without quotes where YAML reads a text then: not `no`, and not `123`."""
    return value if _WORD.fullmatch(value) and yaml_value(value) == value else json.dumps(value)


def _list(values: Sequence[str]) -> str:
    return json.dumps(list(values), ensure_ascii=False)


def agency_files(registration: Registration, language: Language, repository: str) -> dict[str, str]:
    """The project for the agency's own repository, with the components of this release."""
    return project_files(
        language,
        tenant=registration.tenant,
        namespaces=registration.namespace_names,
        domain=registration.domains[0],
        registry=registration.registries[0],
        repository=repository,
        version=version("vds-platform"),
    )


def write_project(folder: Path, files: Mapping[str, str]) -> None:
    """Write a new project."""
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
