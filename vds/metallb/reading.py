"""Finds MetalLB's old configuration in a file: a ConfigMap, Helm values with `configInline`, or the text itself."""

from collections.abc import Mapping
from typing import NamedTuple

from components.core.messages import Path
from components.stackfile.reader import Node, ReadError, read
from vds.shared.errors import OperationError

_CONFIG_KEYS = ("address-pools", "peers", "bgp-communities", "bfd-profiles")


class Written(NamedTuple):
    """A configuration, and where it is written."""

    config: Node
    file: str
    offset: int
    """Lines before the first line of the text."""

    def place(self, path: Path) -> tuple[str, int] | None:
        """File and line of a value, or of the group in which it is missing."""
        node, line = self.config, self.config.line
        for step in path:
            if step not in node.children:
                break
            line, node = node.keys.get(str(step), node.children[step].line), node.children[step]
        return self.file, self.offset + line


def find(text: str, file: str) -> Written:
    """The configuration in a YAML text. Raises OperationError."""
    root = _parsed(text, file)
    data = root.children.get("data", Node(None, 1))
    if isinstance(data.value, Mapping) and isinstance(data.value.get("config"), str) and data.value["config"].strip():
        inner = data.children["config"]
        # The text begins after the line that has `|`. In quotes, its lines can't be found again.
        block = text.splitlines()[inner.line - 1].rstrip().endswith(("|", "|-", "|+"))
        offset = inner.line if block else inner.line - 1
        return Written(_parsed(data.value["config"], file, offset), file, offset)
    if isinstance(root.value, Mapping) and isinstance(root.value.get("configInline"), Mapping):
        return Written(root.children["configInline"], file, 0)
    known = [key for key in _CONFIG_KEYS if isinstance(root.value, Mapping) and key in root.value]
    if known and "kind" in root.value:
        line = root.keys.get(known[0], 1)
        raise OperationError(
            f"{file}:{line} {known[0]}: stands beside kind, and belongs in the text data.config: the file has lost its "
            "indentation: write `kubectl get configmap config --namespace metallb-system --output yaml`, or indent it"
        )
    if known:
        return Written(root, file, 0)
    raise OperationError(
        f"{file}: has no configuration of MetalLB before 0.13 ({', '.join(_CONFIG_KEYS[:2])}): name its ConfigMap, "
        "Helm values with configInline, or the text of data.config"
    )


def _parsed(text: str, file: str, offset: int = 0) -> Node:
    try:
        return read(text, file=file)
    except ReadError as error:
        found = [one._replace(lines=tuple(offset + line for line in one.lines)) for one in error.findings]
        raise OperationError(*map(str, found)) from None
