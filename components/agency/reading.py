"""Reads apps, routes and contracts that others wrote, into models. Pure."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from components.core.finding import Finding
from components.core.messages import ROOT_ITEM, in_full, violations
from components.core.model import Spec
from components.tenancy.registration.contract import ContractSpec

Item = TypeVar("Item", bound=Spec)


class AgencyError(Exception):
    """What is wrong with apps, routes or their contract: every finding, one a line."""

    def __init__(self, findings: list[Finding]) -> None:
        count, lines = in_full(findings)
        super().__init__(f"{count}:{lines}")
        self.findings = tuple(findings)


def read_contract(spec: Any) -> ContractSpec:
    """`spec` of the Contract in a namespace. Fields of a newer platform are left out. Raises AgencyError."""
    try:
        return ContractSpec.model_validate(whole_numbers(spec), by_alias=True, by_name=False, extra="ignore")
    except ValidationError as error:
        fields = ", ".join(sorted({".".join(map(str, one["loc"])) or "spec" for one in error.errors()}))
        said = f"is not as this version of the package reads it ({fields})"
        remedy = "use the version of the package that the platform team names"
        raise AgencyError([Finding("agency-contract", "the contract", said, remedy)]) from None


def read(model: type[Item], name: str, data: Any) -> Item:
    """An app or a route, by its name and settings. Raises AgencyError with everything that is wrong with its form."""
    item, found = read_parts(model, name, data)
    if item is None or found:
        raise AgencyError(found)
    return item


def read_parts(model: type[Item], name: str, data: Any) -> tuple[Item | None, list[Finding]]:
    """The same without the settings that are wrong, so that the others can be judged; None where that is too little."""
    item = f"{model.__name__.lower()} '{name}'"
    if not isinstance(data, Mapping):
        return None, [Finding("agency-settings", item, "has no settings", "write them below it, indented")]
    whole = {"name": name, **whole_numbers(data)}
    try:
        return model.model_validate(whole, by_alias=True, by_name=False), []
    except ValidationError as error:
        found = [
            one._replace(rule="agency-settings", subject=item if one.subject == ROOT_ITEM else f"{item} {one.subject}")
            for one in violations(error, whole, model)
        ]
        wrong = {detail["loc"][0] for detail in error.errors() if detail["loc"]}
    try:
        kept = {key: value for key, value in whole.items() if key not in wrong}
        return model.model_validate(kept, by_alias=True, by_name=False), found
    except ValidationError:
        return None, found


def whole_numbers(value: Any) -> Any:
    """Pulumi has no whole numbers: 8080 arrives as 8080.0."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: whole_numbers(inner) for key, inner in value.items()}
    return [whole_numbers(inner) for inner in value] if isinstance(value, list | tuple) else value
