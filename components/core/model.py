"""The base class of every model of a stack file. Pure."""

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Spec(BaseModel):
    """A part of the stack file: frozen, camelCase in YAML, and a typo in a key is an error.

    Input is hidden from pydantic's own messages: a secret pasted in the wrong place is never echoed.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        hide_input_in_errors=True,
        validate_default=True,
        use_attribute_docstrings=True,
    )
