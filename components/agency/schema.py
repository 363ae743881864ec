"""Writes `args.py`: the models as the types that Pulumi makes a package's schema of.

Pulumi reads annotations and docstrings of plain classes, and no constraints. The models stay the only place that
checks; a test compares the file with them. Run by `make schemas`.
"""

from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from components.agency.model import App, GrpcRoute, Route
from components.core.model import Spec

FILE = Path(__file__).with_name("args.py")
_HEAD = """\"\"\"What the components take. Written from the models by `make schemas`; do not edit.\"\"\"

from typing import NotRequired, TypedDict

import pulumi
"""


def source() -> str:
    """The text of `args.py`."""
    classes: dict[str, str] = {}
    for model in (App, Route, GrpcRoute):
        _add(f"{model.__name__}Args", model, classes)
    return "\n\n".join([_HEAD, *classes.values()])


def _add(name: str, model: type[Spec], classes: dict[str, str]) -> None:
    fields = [_field(field, info, classes) for field, info in model.model_fields.items() if field != "name"]
    classes[name] = "\n".join([f"class {name}(TypedDict):", f'    """{model.__doc__}"""', "", *fields]) + "\n"


def _field(name: str, info: FieldInfo, classes: dict[str, str]) -> str:
    written = _type(info.annotation, classes)
    text = " ".join((info.description or "").split())
    if isinstance(info.default, str | int):
        text += f" Default: {info.default}."
    return f"    {name}: {written if info.is_required() else f'NotRequired[{written}]'}\n    {_docstring(text)}"


def _docstring(text: str) -> str:
    return f'"""{text}"""  # noqa: E501' if len(text) > 110 else f'"""{text}"""'


def _type(annotation: Any, classes: dict[str, str]) -> str:
    """Scalars, and lists and mappings of them, may be outputs of other resources; groups of settings may not."""
    plain = _plain(annotation, classes)
    return plain if any(name in plain for name in classes) else f"pulumi.Input[{plain}]"


def _plain(annotation: Any, classes: dict[str, str]) -> str:
    if get_origin(annotation) is Literal:
        return type(get_args(annotation)[0]).__name__
    members = [one for one in get_args(annotation) if one not in (type(None), Ellipsis)]
    if get_origin(annotation) in (Union, UnionType):
        return _plain(members[0], classes)
    if hasattr(annotation, "__metadata__"):
        return _plain(annotation.__origin__, classes)
    if get_origin(annotation) is tuple:
        return f"list[{_plain(members[0], classes)}]"
    if get_origin(annotation) is dict:
        return f"dict[str, {_plain(members[1], classes)}]"
    if issubclass(annotation, Spec) and annotation.__name__ not in classes:
        _add(annotation.__name__, annotation, classes)
    return str(annotation.__name__)


if __name__ == "__main__":
    FILE.write_text(source(), encoding="utf-8")
