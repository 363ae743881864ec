"""JSON Schema of the stack file, for editors: `python -m components.stackfile.schema` writes it to `schemas/`."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from components.core.countries import CODES
from components.core.names import PROJECT
from components.core.types import COUNTRY_PATTERN
from components.stackfile.defaults import TAGS
from components.stackfile.keys import SECRETS, SETTINGS
from components.stackfile.spec import PlatformSpec

FOLDER = Path(__file__).parents[2] / "schemas"
FILE = FOLDER / "stack.schema.json"
DEFAULTS_FILE = FOLDER / "defaults.schema.json"
_BOOLEAN = {"enum": [True, False, "true", "false"]}
"""`pulumi config set` writes booleans as text."""

Schema = dict[str, Any]


def stack_schema() -> Schema:
    """The schema of a whole `Pulumi.<stack>.yaml`: our keys in full, secrets as the engine writes them."""
    spec = PlatformSpec.model_json_schema(by_alias=True, ref_template="#/$defs/{model}")
    definitions = {**spec.pop("$defs"), "PlatformSpec": spec}
    for definition in definitions.values():
        _describe(definition, definitions)
    for definition in definitions.values():
        _unions_by_tag(definition, definitions)
        _countries(definition)
    definitions["CountryCode"] = {"enum": sorted(CODES), "description": "A country, ISO 3166-1 alpha-2."}
    keys = {
        "spec": {"description": str(spec["description"])},
        **_settings(),
        **{name: _secret(name) for name in sorted(SECRETS)},
    }
    names = "|".join(keys)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Stack file of vds-platform",
        "type": "object",
        "required": ["config"],
        "properties": {
            "config": {
                "type": "object",
                "description": "The stack's configuration. A key without a prefix is this project's.",
                "anyOf": [{"required": [key]} for name in ("spec", "defaults") for key in _keys(name)],
                "if": {"anyOf": [{"required": [key]} for key in _keys("defaults")]},
                "then": {"properties": {key: {"$ref": DEFAULTS_FILE.name} for key in _keys("spec")}},
                "else": {"properties": {key: {"$ref": "#/$defs/PlatformSpec"} for key in _keys("spec")}},
                "properties": {f"{PROJECT}:{name}": value for name, value in keys.items()},
                "patternProperties": {
                    **{f"^{name}$": value for name, value in keys.items()},
                    f"^({PROJECT}:)?(?!({names})$)[^:]+$": False,
                },
            }
        },
        "$defs": definitions,
    }


def defaults_schema() -> Schema:
    """The schema of a file with shared settings: those of the spec, none of them required."""
    definitions = stack_schema()["$defs"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Shared settings of vds-platform's stack files",
        "$ref": "#/$defs/PlatformSpec",
        "$defs": _in_part(definitions),
    }


def _in_part(schema: Any) -> Any:
    """Nothing is required. What a group of unknown kind has is not checked: its kind may be in the other file."""
    if isinstance(schema, list):
        return [_in_part(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    is_choice = "anyOf" in schema and all("required" in one for one in schema["anyOf"])
    return {
        key: value if key == "if" else _in_part(value)
        for key, value in schema.items()
        if key != "required" and not (key == "anyOf" and is_choice)
    }


def _keys(name: str) -> tuple[str, str]:
    return f"{PROJECT}:{name}", name


def _settings() -> Schema:
    return {
        name: {**(_BOOLEAN if kind is bool else {"type": "string"}), "description": about}
        for name, (kind, about) in SETTINGS.items()
    }


def _secret(name: str) -> Schema:
    return {
        "type": "object",
        "description": f"A secret: `pulumi config set --secret {PROJECT}:{name}` writes it.",
        "required": ["secure"],
        "properties": {"secure": {"type": "string", "description": "What the engine has encrypted."}},
        "additionalProperties": False,
    }


def _describe(definition: Schema, definitions: Mapping[str, Schema]) -> None:
    """A description at every setting: its own, else that of what it holds; and no title, which only repeats the key."""
    definition.pop("title", None)
    for name, setting in definition.get("properties", {}).items():
        setting.pop("title", None)
        if "description" not in setting:
            setting["description"] = _about(name, setting, definition, definitions)


def _about(name: str, setting: Schema, definition: Schema, definitions: Mapping[str, Schema]) -> str:
    if "const" in setting:
        return str(definition.get("description", name))
    held = [definitions[str(one["$ref"]).rpartition("/")[2]] for one in _references(setting)]
    return " Or: ".join(dict.fromkeys(_first(one) for one in held if "description" in one))


def _references(setting: Schema) -> Iterator[Schema]:
    if "$ref" in setting:
        yield setting
    items = [setting["items"]] if "items" in setting else []
    for inner in [*setting.get("oneOf", ()), *setting.get("anyOf", ()), *items]:
        yield from _references(inner)


def _first(definition: Schema) -> str:
    return str(definition["description"]).split("\n\n")[0].replace("\n", " ")


def _unions_by_tag(part: Any, definitions: Mapping[str, Schema]) -> None:
    """if/then by `kind` in place of oneOf: an editor then marks the setting that is wrong, and not the whole group."""
    if isinstance(part, list):
        for one in part:
            _unions_by_tag(one, definitions)
    if not isinstance(part, dict):
        return
    for one in part.values():
        _unions_by_tag(one, definitions)
    members = part.get("oneOf")
    if members and all("$ref" in member for member in members):
        named = [(member, definitions[str(member["$ref"]).rpartition("/")[2]]) for member in members]
        part.pop("oneOf")
        part.pop("discriminator", None)
        part.update(_cases(named, definitions))


def _cases(named: list[tuple[Schema, Schema]], definitions: Mapping[str, Schema]) -> Schema:
    tests = [_tags(definition, definitions) for _, definition in named]
    conditions = [_condition(test) for test in tests]
    return {
        "type": "object",
        "required": [tag for tag in tests[0] if all(isinstance(test.get(tag), list) for test in tests)],
        "properties": _allowed(tests),
        "anyOf": conditions,
        "allOf": [
            {"if": condition, "then": {"$ref": member["$ref"]}}
            for (member, _), condition in zip(named, conditions, strict=True)
        ],
    }


def _allowed(tests: list[Schema]) -> Schema:
    """For each tag the values of all members, so that an error is at the tag."""
    found: Schema = {}
    for tag in dict.fromkeys(tag for test in tests for tag in test):
        values = [test[tag] for test in tests if tag in test]
        if isinstance(values[0], list):
            found[tag] = {"enum": list(dict.fromkeys(one for some in values for one in some))}
        else:
            found[tag] = {"properties": _allowed(values)}
    return found


def _tags(definition: Schema, definitions: Mapping[str, Schema]) -> Schema:
    """What tells this member from the others: the values of its tags, and of those of a group within it."""
    found: Schema = {}
    for name, setting in definition.get("properties", {}).items():
        if name in TAGS and ("const" in setting or "enum" in setting):
            found[name] = [setting["const"]] if "const" in setting else setting["enum"]
        if name == "routing":
            found[name] = _tags(definitions[str(setting["$ref"]).rpartition("/")[2]], definitions)
    return found


def _condition(test: Schema) -> Schema:
    return {
        "required": list(test),
        "properties": {
            tag: {"enum": values} if isinstance(values, list) else {"type": "object", **_condition(values)}
            for tag, values in test.items()
        },
    }


def _countries(part: Any) -> None:
    """The list of countries once, and not at every setting that has one."""
    if isinstance(part, dict):
        if part.get("pattern") == COUNTRY_PATTERN:
            for key in ("pattern", "type", "maxLength"):
                part.pop(key, None)
            part["$ref"] = "#/$defs/CountryCode"
        for one in part.values():
            _countries(one)
    elif isinstance(part, list):
        for one in part:
            _countries(one)


def files() -> dict[Path, str]:
    """The committed files and their text."""
    schemas = {FILE: stack_schema(), DEFAULTS_FILE: defaults_schema()}
    return {file: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for file, schema in schemas.items()}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for file, text in files().items():
        file.write_text(text, encoding="utf-8")
