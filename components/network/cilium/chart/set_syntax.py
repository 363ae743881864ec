"""Helm's command line as data: `--set a.b=c` and its kin, with the types that Helm gives the words.

Helm's own rules (its `pkg/strvals`): `true`, `false` and `null` in any letters and whole numbers without a leading
zero get their type, everything else is text, `1.14` too; `{a,b}` is a list; a backslash keeps the next character from
meaning anything. Of one option later words win; of several the kind decides, wherever it stands (`MergeValues` in its
`pkg/cli/values/options.go`): files, then --set-json, --set, --set-string, --set-file, --set-literal.
"""

import copy
import json
import re
import shlex
from collections.abc import Iterable
from typing import Any, NamedTuple

Values = dict[str, Any]
MOST_ITEMS = 65536
"""The largest list index that Helm takes."""


class HelmError(ValueError):
    """Words that Helm would not take: item, value and remedy as text."""


class CommandLine(NamedTuple):
    """What a `helm install` or `upgrade` line says about values."""

    version: str
    """As written after `--version`; empty if it is not there."""
    files: tuple[str, ...]
    """Values files, in order; their values come before every `--set`."""
    words: tuple[tuple[str, str], ...]
    """(option, text) of every `--set` and its kin, as written."""


_VALUE_OPTIONS = ("--set-json", "--set", "--set-string", "--set-file", "--set-literal")
"""In the order in which Helm takes them."""
_VERB = r"(?:install|upgrade|template)\b"
_FLAG = rf"-\S+[ \t]+(?:(?!{_VERB})[^-\s=][^\s=]*[ \t]+)?"  # with its value, where that is a word of its own
_SETTING = r"\w+=\S*[ \t]+"  # KUBECONFIG=…
_COMMAND = re.compile(
    rf"^[ \t>$]*(?:{_SETTING})*(?:sudo[ \t]+(?:{_FLAG}|{_SETTING})*?)?helm[ \t]+(?:{_FLAG})*{_VERB}[^\n]*", re.MULTILINE
)
_VALUES_FILE = ("-f", "--values")


def command_line(text: str) -> CommandLine:
    """Read a pasted command line: continued lines, quotes, and `\\n` that a web page left as two characters.

    Only the first `helm install`, `upgrade` or `template` of the text counts. Raises HelmError.
    """
    text = re.sub(r"\\n(?=\s|--)|\\\r?\n", " ", text)
    found = _COMMAND.search(text)
    if not found:
        raise HelmError("the text has no helm install, upgrade or template: paste the whole command line")
    try:
        return command_words(shlex.split(found[0], comments=True))
    except ValueError as error:
        raise HelmError(f"the command line cannot be split into words ({error}): close its quotes") from None


def is_command_line(text: str) -> bool:
    """Whether a text has a helm command line, beyond its comments."""
    return _COMMAND.search(text) is not None


def command_words(argv: Iterable[str]) -> CommandLine:
    """The same from words that a shell has split. Raises HelmError."""
    version, files, words = "", [], []
    rest = iter(argv)
    for word in rest:
        option, equals, value = word.partition("=")
        if option not in (*_VALUE_OPTIONS, *_VALUES_FILE, "--version"):
            continue
        if not equals and (value := next(rest, "")) == "":
            raise HelmError(f"{option} has nothing after it: write its value there")
        if option == "--version":
            version = value
        elif option in _VALUES_FILE:
            files += value.split(",")
        else:
            words.append((option, value))
    return CommandLine(version, tuple(files), tuple(words))


def merge_words(values: Values, words: Iterable[tuple[str, str]]) -> Values:
    """Put `--set` words over values as Helm does. Raises HelmError; `values` stays as it is."""
    merged = copy.deepcopy(values)
    for option, text in sorted(words, key=lambda word: _VALUE_OPTIONS.index(word[0])):
        if option == "--set-json":
            _set_json(merged, text)
        elif option in ("--set-literal", "--set-file"):
            name, value = _split_once(option, text)
            _Words(name + "=", option).into(merged, value if option == "--set-literal" else f"(the file {value})")
        else:
            _Words(text, option).into(merged)
    return merged


def _split_once(option: str, text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise HelmError(f"{option} {text}: it has no '=': write {option} key=value")
    return name, value


def _set_json(values: Values, text: str) -> None:
    """An object is merged deeply, as values files are; `key=value,key=value` sets each key whole."""
    if not text.lstrip().startswith("{"):
        _Words(text, "--set-json").into(values)
        return
    try:
        merge(values, json.loads(text))
    except ValueError:
        raise HelmError(f"--set-json {text}: it is not JSON: quote it for the shell") from None


def merge(values: Values, over: Values) -> None:
    """Values over values, groups merged: how Helm puts one file over another."""
    for key, value in over.items():
        below = values.get(key)
        if isinstance(below, dict) and isinstance(value, dict):
            merge(below, value)
        else:
            values[key] = value


class _Words:
    """One text of `a.b=c,d[0]=e`, read from the left."""

    def __init__(self, text: str, option: str) -> None:
        self.text, self.option, self.at = text, option, 0

    def into(self, values: Values, given: Any = None) -> None:
        """Set every assignment of the text; `given` is the value where the text has only the key."""
        while self.at < len(self.text):
            path = self._path()
            _put(values, path, given if given is not None else self._value(), self._error)

    def _path(self) -> list[str | int]:
        path: list[str | int] = []
        while True:
            name, stop = self._until(".=,[")
            if name:
                path.append(name)
            elif stop != "[" and not (path and isinstance(path[-1], int)):
                raise self._error("a key is empty: write a name before the '" + (stop or "end") + "'")
            if stop == "[":
                path.append(self._index())
            elif stop == "=":
                return path
            elif stop in ("", ","):
                raise self._error(f"key {'.'.join(map(str, path))!r} has no value: write key=value")

    def _index(self) -> int:
        text, stop = self._until("]")
        if stop != "]" or not re.fullmatch("[0-9]{1,5}", text) or int(text) > MOST_ITEMS:
            raise self._error(f"[{text} is no place in a list: write a number up to {MOST_ITEMS} in brackets")
        return int(text)

    def _value(self) -> Any:
        if self.option == "--set-json":
            return self._json()
        if self.text[self.at : self.at + 1] != "{":
            return self._typed(self._until(",")[0])
        self.at += 1
        items: list[Any] = []
        while True:
            item, stop = self._until(",}")
            if stop == "":
                raise self._error("a list has no end: write {a,b} in quotes, or the shell takes it apart")
            if item or stop == "," or items:
                items.append(self._typed(item))
            if stop == "}":
                self.at += self.text[self.at : self.at + 1] == ","
                return items

    def _json(self) -> Any:
        rest = self.text[self.at :].lstrip()
        if rest[:1] in ("", ","):  # Helm's own reading of nothing
            self.at = len(self.text) - len(rest[1:])
            return None
        try:
            value, end = json.JSONDecoder().raw_decode(rest)
        except ValueError:
            raise self._error("what follows the '=' is not JSON: quote it for the shell") from None
        rest = rest[end:].lstrip()
        self.at = len(self.text) - len(rest.removeprefix(","))
        return value

    def _until(self, stops: str) -> tuple[str, str]:
        text = ""
        while self.at < len(self.text):
            character = self.text[self.at]
            self.at += 1
            if character == "\\":
                text += self.text[self.at : self.at + 1]
                self.at += 1
            elif character in stops:
                return text, character
            else:
                text += character
        return text, ""

    def _typed(self, text: str) -> Any:
        if self.option == "--set-string":
            return text
        if text.lower() in ("true", "false", "null"):
            return {"true": True, "false": False, "null": None}[text.lower()]
        if text == "0" or (
            text[:1] != "0" and re.fullmatch("[-+]?[0-9]{1,19}", text) and -(2**63) <= int(text) < 2**63
        ):
            return int(text)
        return text

    def _error(self, problem: str) -> HelmError:
        return HelmError(f"{self.option} {self.text}: {problem}")


def _put(values: Any, path: list[str | int], value: Any, error: Any) -> None:
    """Set a value below a map or list, making what is between.

    Helm stops at a key that holds something else (`unable to parse key`); in a list the item gives way.
    """
    here = values
    for step, following in zip(path, [*path[1:], None], strict=True):
        if isinstance(step, int):
            if not isinstance(here, list):
                raise error(f"[{step}] stands where there is no list")
            here.extend([None] * (step + 1 - len(here)))
        if following is None:
            here[step] = value
            return
        wanted = list if isinstance(following, int) else dict
        below = here[step] if isinstance(step, int) else here.get(step)
        if not isinstance(below, wanted):
            if not isinstance(step, int) and step in here:
                raise error(f"{step} is set already, and is no {'list' if wanted is list else 'group'}: set it once")
            here[step] = below = wanted()
        here = below
