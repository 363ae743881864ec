"""Convert property values of the SDK to plain Python and back, with unknowns and secrets marked."""

from collections.abc import Iterator, Mapping
from typing import Any

from pulumi.provider.experimental.property_value import PropertyValue


class Unknown:
    """What will be known only when the resources it comes from exist."""

    def __init__(self, marker: str) -> None:
        self.marker = marker

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unknown)

    def __hash__(self) -> int:
        return hash(Unknown)

    def __repr__(self) -> str:
        return "unknown"


# How the engine writes an unknown of each type: sdk/go/common/resource/plugin/rpc.go
_UNKNOWN_STRING = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_UNKNOWNS = {
    _UNKNOWN_STRING,
    "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # bool
    "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # number
    "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # array
    "030794c1-ac77-496b-92df-f27374a8bd58",  # asset
    "e48ece36-62e2-4504-bad9-02848725956a",  # archive
    "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # object
}
UNKNOWN = Unknown(_UNKNOWN_STRING)

Properties = Mapping[str, PropertyValue]


def plain(value: PropertyValue) -> Any:
    """The value without its secret marks; whole numbers are ints, unknowns are `Unknown`."""
    content = value.value
    if isinstance(content, str):
        return Unknown(content) if content in _UNKNOWNS else content
    if isinstance(content, float):
        return int(content) if content.is_integer() else content
    if isinstance(content, Mapping):
        return {key: plain(item) for key, item in content.items()}
    if isinstance(content, tuple):
        return [plain(item) for item in content]
    return content


def plain_map(values: Properties) -> dict[str, Any]:
    return {key: plain(value) for key, value in values.items()}


def wrap(content: Any, like: PropertyValue | None = None) -> PropertyValue:
    """The property value of plain Python; secret where `like` is.

    A list that had a secret in it becomes secret as a whole: its items may have moved.
    """
    if isinstance(content, PropertyValue):
        return content
    if like is not None and like.is_secret:
        return wrap(content).with_secret(True)
    if isinstance(content, Unknown):
        return PropertyValue(content.marker)
    if isinstance(content, Mapping):
        inner = like.value if like is not None and isinstance(like.value, Mapping) else {}
        return PropertyValue({key: wrap(item, inner.get(key)) for key, item in content.items()})
    if isinstance(content, list | tuple):
        whole = PropertyValue([wrap(item) for item in content])
        return whole.with_secret(True) if like is not None and like.contains_secret() else whole
    if isinstance(content, int) and not isinstance(content, bool):
        return PropertyValue(float(content))
    return PropertyValue(content)


def wrap_map(content: Mapping[str, Any], like: Properties | None = None) -> dict[str, PropertyValue]:
    like = like or {}
    return {key: wrap(item, like.get(key)) for key, item in content.items()}


def secret_texts(values: Properties) -> set[str]:
    """Every secret string in the values: what no message may contain."""
    return {text for value in values.values() for text in _secrets(value, inside=False)}


def without_secrets(message: str, secrets: set[str]) -> str:
    """The message with secrets blotted out. Very short ones stay: they'd blot out half the text."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            message = message.replace(secret, "[secret]")
    return message


_SHORTEST_SECRET = 4


def _secrets(value: PropertyValue, *, inside: bool) -> Iterator[str]:
    inside = inside or value.is_secret
    if isinstance(value.value, Mapping):
        for item in value.value.values():
            yield from _secrets(item, inside=inside)
    elif isinstance(value.value, tuple):
        for item in value.value:
            yield from _secrets(item, inside=inside)
    elif inside and isinstance(value.value, str):
        yield value.value
        yield from (line for line in value.value.splitlines() if line != value.value)
