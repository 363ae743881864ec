"""The base class of every model of a stack file. Pure."""

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema


def _make_strict(schema: Any) -> None:
    if isinstance(schema, dict):
        if schema.get("type") in ("bool", "int", "float"):
            schema["strict"] = True
        for part in schema.values():
            _make_strict(part)
    elif isinstance(schema, list | tuple):
        for part in schema:
            _make_strict(part)


class Spec(BaseModel):
    """A part of the stack file: frozen, camelCase in YAML, and a typo in a key is an error.

    Input is hidden from pydantic's own messages: a secret pasted in the wrong place is never echoed.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,  # in code; the reader of a stack file takes camelCase only
        hide_input_in_errors=True,
        validate_default=True,
        use_attribute_docstrings=True,
    )

    strict_numbers: ClassVar[bool] = True
    """Text and 1.0 are no whole numbers, and text is neither true nor false."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """pydantic takes the text `yes` for true and `1500` for a number; JSON Schema, and so an editor, does not."""
        schema = handler(source)
        if cls.strict_numbers:
            _make_strict(schema)
        return schema
