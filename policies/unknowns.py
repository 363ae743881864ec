"""A resource's values without the engine's proxies, which raise at the first unknown value."""

from collections.abc import Mapping, Sequence
from typing import Any

from pulumi_policy.proxy import UnknownValueError

from components.core.unknown import UNKNOWN
from components.residency.rules import UNDECIDED


def undecided(unknown: UnknownValueError, where: str = "") -> tuple[str, str]:
    """What a finding says of a value that is not known yet, and the remedy; `where`: the resource that has it."""
    message = f"{UNDECIDED}: {where}{'.'.join(unknown.props)} is not known yet"
    return message, "write it as a plain value, not as another resource's output"


def plain(value: Any) -> Any:
    """The value, with UNKNOWN in place of what is not known yet."""
    if isinstance(value, Mapping):
        return {str(key): plain(_at(value, key)) for key in value}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [plain(_at(value, index)) for index in range(len(value))]
    # The engine's wire format knows no whole numbers.
    return int(value) if isinstance(value, float) and value.is_integer() else value


def known(value: Any) -> Any:
    """The value, where all of it must be known. Raises UnknownValueError."""
    if isinstance(value, Mapping):
        return {str(key): known(value[key]) for key in value}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [known(item) for item in value]
    return value


def _at(value: Any, key: Any) -> Any:
    try:
        return value[key]
    except UnknownValueError:
        return UNKNOWN
