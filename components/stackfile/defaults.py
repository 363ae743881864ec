"""Settings that several stack files share, in a file that `vds-platform:defaults` names.

The stack file's own settings win. Groups are merged setting by setting; everything else, lists too, is replaced as a
whole. A group of another kind replaces the shared one, because its settings are others. `null` takes a setting out.
"""

from collections.abc import Callable, Mapping
from typing import Any

from components.core.finding import Finding
from components.stackfile.keys import DEFAULTS
from components.stackfile.reader import Node, ReadError, read
from components.stackfile.referenced_files import why_unreadable

RULE = "stack-file-defaults"
TAGS = ("kind", "mode", "protocol", "dispatch")
"""Settings that say which settings a group has."""
Read = Callable[[str], str]
"""The text of a file, by its path from the project. Raises OSError or ValueError."""


class DefaultsError(Exception):
    """The file can't be used; `findings` says why."""

    def __init__(self, *findings: Finding) -> None:
        super().__init__("; ".join(map(str, findings)))
        self.findings = findings


def read_defaults(name: Any, read_file: Read) -> Node:
    """The shared settings. Raises DefaultsError."""
    if not isinstance(name, str) or not name.isprintable() or not name:
        raise DefaultsError(_wrong("is not the name of a file", "write a path from the project, as in defaults.yaml"))
    try:
        root = read(read_file(name), file=name)
    except ReadError as error:
        raise DefaultsError(*error.findings) from None
    except (OSError, ValueError) as error:
        why = why_unreadable(error)
        raise DefaultsError(_wrong(f"{name!r} can't be read ({why})", "write a path from the project")) from None
    if not isinstance(root.value, Mapping):
        remedy = "write settings of vds-platform:spec as keys, as in `residency:`"
        raise DefaultsError(_wrong(f"{name!r} has no settings", remedy))
    wrapped = [key for key in root.keys if key == "config" or ":" in key]
    if wrapped:
        said = f"is a key of a stack file, and {name} has the settings of vds-platform:spec alone"
        line = (root.keys[wrapped[0]],)
        raise DefaultsError(Finding(RULE, wrapped[0], said, "remove it", file=name, lines=line))
    return root


def merged(own: Any, shared: Any) -> Any:
    """The settings of a stack file over the shared ones."""
    if not (isinstance(own, Mapping) and isinstance(shared, Mapping)) or _is_of_another_kind(own, shared):
        return own
    together = {key: merged(own[key], value) if key in own else value for key, value in shared.items()}
    together |= {key: value for key, value in own.items() if key not in shared}
    return {key: value for key, value in together.items() if not (value is None and key in shared)}


def merged_node(own: Node, shared: Node) -> Node:
    """The same with places: each setting keeps the file and line that it was written on."""
    value = merged(own.value, shared.value)
    if value is own.value:
        return own
    children = {}
    for key in value:
        mine, theirs = own.children.get(key), shared.children.get(key)
        both = merged_node(mine, theirs) if mine and theirs else mine or theirs
        children[key] = both or Node(value[key], own.line, file=own.file)  # of JSON text, which has one line
    return Node(value, own.line, children=children, keys={**shared.keys, **own.keys}, file=own.file)


def _is_of_another_kind(own: Mapping[str, Any], shared: Mapping[str, Any]) -> bool:
    return any(tag in own and tag in shared and own[tag] != shared[tag] for tag in TAGS)


def _wrong(said: str, remedy: str) -> Finding:
    return Finding(RULE, DEFAULTS, said, remedy)
