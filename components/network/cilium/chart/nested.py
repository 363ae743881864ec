"""Values as paths and back: what a key is called, and which keys a tree of values really says."""

from collections.abc import Iterator, Mapping
from typing import Any

Path = tuple[str, ...]
MOST_VALUES = 20_000
"""More than any chart has: YAML whose aliases multiply each other is refused before it fills memory."""
MOST_LEVELS = 40

FlatValues = dict[Path, Any]
_ALWAYS_SECRET = ("password", "passwd", "token", "secret")
"""How names of values end that are never shown; a Secret's name is in `secretName` or `existingSecret`."""
_SECRET = ("password", "token", "secret", "key", "cert", "ca", "clientsecret", "bundle", "content")


def flatten(values: Mapping[Any, Any]) -> FlatValues:
    """Every path with its value, in order; lists and empty groups are values. Raises ValueError for absurd input."""
    found: FlatValues = {}
    for count, (path, value) in enumerate(_walk(values, ())):
        if path is not None:
            found[path] = value
        if count >= MOST_VALUES:
            raise ValueError(f"the values have more than {MOST_VALUES} keys: their aliases multiply each other")
    return {path: _plain(value) for path, value in found.items()}


def _plain(value: Any) -> Any:
    """With text for keys inside lists too: YAML takes a date for one, JSON does not."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return {str(key): _plain(item) for key, item in value.items()} if isinstance(value, Mapping) else value


def _walk(values: Mapping[Any, Any], above: Path) -> Iterator[tuple[Path | None, Any]]:
    for key, value in values.items():
        path = (*above, str(key).lower() if isinstance(key, bool) else str(key))
        if len(path) > MOST_LEVELS:
            raise ValueError(f"{dotted(path[:3])}… is more than {MOST_LEVELS} levels deep: an alias holds itself")
        if isinstance(value, Mapping) and value:
            yield from _walk(value, path)
            continue
        yield path, value
        yield from ((None, item) for item in _within(value, path, len(path)))


def _within(value: Any, path: Path, level: int) -> Iterator[Any]:
    """Everything in a list, counted and bounded as keys are: a list may hold itself too."""
    items = value if isinstance(value, list) else value.values() if isinstance(value, Mapping) else ()
    if items and level > MOST_LEVELS:
        raise ValueError(f"{dotted(path[:3])} is more than {MOST_LEVELS} levels deep: an alias holds itself")
    for item in items:
        yield item
        yield from _within(item, path, level + 1)


def unflatten(found: FlatValues) -> dict[str, Any]:
    """Values by their paths as nested groups, every group sorted."""
    grown: dict[str, Any] = {}
    for path, value in sorted(found.items()):
        here = grown
        for step in path[:-1]:
            below = here.get(step)
            if not isinstance(below, dict):
                here[step] = below = {}
            here = below
        here[path[-1]] = value
    return grown


def dotted(path: Path) -> str:
    """As Helm's --set has it: `nodeSelector.kubernetes\\.io/os`."""
    return ".".join(step.replace(".", "\\.") for step in path)


def keys(name: str) -> Path:
    """`a.b` as a path; for names without dots of their own."""
    return tuple(name.split("."))


def redact(path: Path, value: Any) -> str:
    """A value for a message: as YAML writes it, short, and never a secret."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{}" if not value else "{…}"
    if isinstance(value, list):
        return f"[{', '.join(redact(path, item) for item in value[:4])}{', …' if len(value) > 4 else ''}]"
    text = str(value)
    name = path[-1].lower()
    long = name in _SECRET and isinstance(value, str) and len(text) > 8
    always = name.endswith(_ALWAYS_SECRET) and name != "existingsecret" and text != ""
    if long or always or "PRIVATE KEY" in text:
        return "(hidden)"
    text = text.replace("\n", " ")
    short = text if len(text) <= 60 else text[:57] + "…"
    return f'"{short}"' if isinstance(value, str) and (text == "" or text in _AMBIGUOUS or text.isdecimal()) else short


_AMBIGUOUS = ("true", "false", "null", "yes", "no", "on", "off")
