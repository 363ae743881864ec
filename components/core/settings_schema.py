"""What may be written at a place of a stack file, by the JSON Schema of its model. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from pydantic import BaseModel

Schema = Mapping[str, Any]
Path = Sequence[int | str]


@cache
def _schema(model: type[BaseModel]) -> Schema:
    return model.model_json_schema(by_alias=True)


def schemas_at(model: type[BaseModel], path: Path, data: Any) -> list[Schema]:
    """The schemas for the value at `path`; several where nothing in `data` says which of a union is meant."""
    root = _schema(model)
    found, value = [root], data
    for step in path:
        inner = [_step(schema, step) for schema in found]
        value = _value(value, step)
        found = [one for schema in inner if schema is not None for one in _members(schema, value, root)]
    return found


def properties_at(model: type[BaseModel], path: Path, data: Any) -> dict[str, Schema]:
    """The settings that a group at `path` may have."""
    return {name: one for found in schemas_at(model, path, data) for name, one in found.get("properties", {}).items()}


def _step(schema: Schema, step: int | str) -> Schema | None:
    if isinstance(step, int):
        items = schema.get("items")
        return items if isinstance(items, Mapping) else None
    other = schema.get("additionalProperties")
    found = schema.get("properties", {}).get(step, other if isinstance(other, Mapping) else None)
    return found if isinstance(found, Mapping) else None


def _value(value: Any, step: int | str) -> Any:
    try:
        return value[step]
    except (KeyError, IndexError, TypeError):
        return None


def _members(schema: Schema, value: Any, root: Schema) -> list[Schema]:
    """A schema without references and unions; of a union those members whose constants the value has."""
    if "$ref" in schema:
        named = {name: part for name, part in schema.items() if name != "$ref"}
        return _members({**root["$defs"][str(schema["$ref"]).rpartition("/")[2]], **named}, value, root)
    union = schema.get("oneOf") or schema.get("anyOf")
    if not union:
        return [schema]
    members = [one for member in union for one in _members(member, value, root) if one.get("type") != "null"]
    said = {name: part for name, part in schema.items() if name in ("description", "examples")}
    return [{**member, **said} for member in members if _fits(member, value)] or members


def _fits(schema: Schema, value: Any) -> bool:
    if not isinstance(value, Mapping):
        return True
    return all(value.get(name) in choices for name, choices in _constants(schema) if name in value)


def _constants(schema: Schema) -> Iterator[tuple[str, Sequence[Any]]]:
    for name, part in schema.get("properties", {}).items():
        if "const" in part:
            yield name, (part["const"],)
