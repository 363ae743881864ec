"""YAML as Kubernetes reads it: sigs.k8s.io/yaml, which Helm and kubectl use too.

PyYAML differs from it: it reads `1:30` as 90, `2026-01-02` as a date, `1e3` as text and `0o644` as text. A chart's
output read by PyYAML alone is not what the API server gets.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import yaml
from yaml.constructor import ConstructorError

from components.core.untrusted import SafeLoader, yaml_documents, yaml_nodes

_PLAIN = "tag:kubernetes.io,2026:plain"


class _Loader(SafeLoader):  # type: ignore[misc]  # libyaml's loader, where there is one
    """The scalars of goyaml.v2, which sigs.k8s.io/yaml is built on."""

    yaml_implicit_resolvers: ClassVar[Mapping[str | None, Any]] = {
        "<": [("tag:yaml.org,2002:merge", re.compile("<<$"))],
        None: [(_PLAIN, re.compile(""))],
    }

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[str, Any]:
        """A mapping with text keys, as JSON has them; of a key that occurs twice, the last one."""
        self.flatten_mapping(node)
        return {_key(self.construct_object(key)): self.construct_object(value, deep) for key, value in node.value}


def _key(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "null"
    if isinstance(value, str | int | float):
        return f"{value:.16g}" if isinstance(value, float) else str(value)
    raise ConstructorError(None, None, "a key is a list or a mapping", None)


_INTEGER = re.compile(r"[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0o?[0-7_]+|[1-9][0-9_]*|0)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_BOOLS = {
    **dict.fromkeys(["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"], True),
    **dict.fromkeys(["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"], False),
}
_OTHERS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}


def _plain(text: str) -> Any:
    """The value of a scalar without quotes."""
    if text in _BOOLS:
        return _BOOLS[text]
    if text in _OTHERS:
        return _OTHERS[text]
    if _INTEGER.fullmatch(text):
        digits = text.replace("_", "")
        octal = re.fullmatch(r"([-+]?)0o?([0-7]+)", digits)
        return int(octal[1] + octal[2], 8) if octal else int(digits, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


_Loader.add_constructor(_PLAIN, lambda loader, node: _plain(loader.construct_scalar(node)))
_Loader.add_constructor("tag:yaml.org,2002:map", lambda loader, node: loader.construct_mapping(node, deep=True))
_Loader.add_constructor("tag:yaml.org,2002:timestamp", lambda loader, node: loader.construct_scalar(node))


def documents(text: str) -> list[Any]:
    """Every document that is not empty. Raises yaml.YAMLError, also for a document that is no YAML 1.1."""
    return [found for found in yaml_documents(text, loader=_Loader) if found is not None]


def repeated_keys(text: str) -> list[tuple[str, int]]:
    """Keys that occur twice in one mapping, each with the line of its last value, which is the one that counts.

    Raises yaml.YAMLError.
    """
    return [found for root in yaml_nodes(text, loader=_Loader) for found in _repeated(root)]


def _repeated(root: Any) -> Iterator[tuple[str, int]]:
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if id(node) in seen or not isinstance(node, yaml.CollectionNode):
            continue  # an alias is the node that it stands for
        seen.add(id(node))
        if not isinstance(node, yaml.MappingNode):
            waiting += node.value
            continue
        lines: dict[str, int] = {}
        for key, value in node.value:
            waiting.append(value)
            name = _key(_plain(key.value)) if key.tag == _PLAIN else str(key.value)
            if name in lines:
                yield name, key.start_mark.line + 1
            lines[name] = key.start_mark.line + 1


class _Dumper(yaml.SafeDumper):
    """Quotes what Kubernetes would read as something else than text, as `y` and `1e3`, and writes no aliases."""

    def ignore_aliases(self, _: Any) -> bool:
        return True


def _quoted(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None if isinstance(_plain(text), str) else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _quoted)


def dump(values: Mapping[str, Any], *, sort: bool = True) -> str:
    """YAML that Kubernetes reads as these values. `sort`: keys by name; else in their order."""
    return yaml.dump(values, Dumper=_Dumper, sort_keys=sort, allow_unicode=True)
