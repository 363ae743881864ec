"""A command line of Helm, or of the Cilium CLI, as data; `--set` and its kin are read by Helm itself."""

import json
import re
import shlex
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from components.charts import helm
from components.charts.render import helm_program, helms_words
from components.core.untrusted import json_value


class HelmError(ValueError):
    """Words that Helm would not take: item, value and remedy as text."""


class CommandLine(NamedTuple):
    """What a command line says about values."""

    version: str
    """As written after `--version`; empty if it is not there."""
    files: tuple[str, ...]
    """Values files, in order; their values come before every `--set`."""
    words: tuple[tuple[str, str], ...]
    """(option, text) of every `--set` and its kin, as written."""


_VALUE_OPTIONS = ("--set-json", "--set", "--set-string", "--set-file", "--set-literal")
_OLD_NAMES = {"--helm-set": "--set", "--helm-set-string": "--set-string", "--helm-values": "--values"}
"""Of the Cilium CLI before 0.15."""
_VERB = r"(?:install|upgrade|template)\b"
_FLAG = rf"-\S+[ \t]+(?:(?!{_VERB})[^-\s=][^\s=]*[ \t]+)?"  # with its value, where that is a word of its own
_SETTING = r"\w+=\S*[ \t]+"  # KUBECONFIG=…
_COMMAND = re.compile(
    rf"^[ \t>$]*(?:{_SETTING})*(?:sudo[ \t]+(?:{_FLAG}|{_SETTING})*?)?(?:helm|cilium)[ \t]+(?:{_FLAG})*{_VERB}[^\n]*",
    re.MULTILINE,
)
_VALUES_FILE = ("-f", "--values")
_SHORT_FILE = re.compile(r"-f[^=]")  # Helm takes -fFILE as one word too
_OF_THE_RELEASE = ("--reuse-values", "--reset-then-reuse-values")


def command_line(text: str) -> CommandLine:
    """Read a pasted command line: continued lines, quotes, and `\\n` that a web page left as two characters.

    Only the first `install`, `upgrade` or `template` of `helm` or `cilium` counts. Raises HelmError.
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
    """Whether a text has a command line of Helm or of the Cilium CLI, beyond its comments."""
    return _COMMAND.search(text) is not None


def command_words(argv: Iterable[str]) -> CommandLine:
    """The same from words that a shell has split. Raises HelmError."""
    version, files, words = "", [], []
    rest = iter(argv)
    for word in rest:
        option, equals, value = word.partition("=")
        option = _OLD_NAMES.get(option, option)
        if option in _OF_THE_RELEASE and value != "false":
            raise HelmError(
                f"{option} also takes the values of the installed release, which are not in the command line: write "
                "them to a file with `helm get values cilium --namespace kube-system --output yaml`, and name the file "
                "with -f"
            )
        if _SHORT_FILE.match(word):
            option, equals, value = "-f", "=", word[2:]
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


def merge_words(values: Mapping[str, Any], words: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Values with `--set` words over them, by Helm's own rules: it renders a chart that prints its values.

    A file of `--set-file` is not read. Raises HelmError, and UnavailableChartError where there is no Helm.
    """
    given = [word for option, text in words for word in _as_given(option, text)]
    if not given:
        return dict(values)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "templates").mkdir()
        (Path(folder) / "Chart.yaml").write_text("apiVersion: v2\nname: values\nversion: 1.0.0\n")
        (Path(folder) / "templates/values.yaml").write_text("{{ .Values | toJson }}\n")
        arguments = ["template", "values", folder, "--values", "-", *given]
        try:
            answer = helm.run(helm_program(), arguments, given=json.dumps(values, default=str))
        except (ValueError, UnicodeEncodeError):
            raise HelmError("a word of --set has a character that no program accepts: write it in UTF-8") from None
    if answer.code:
        raise HelmError(f"{helms_words(answer.error)}: correct the words of --set, and quote them for the shell")
    found: dict[str, Any] = json_value(answer.output.decode().split("\n", 2)[2])
    return found


def _as_given(option: str, text: str) -> tuple[str, str]:
    if option == "--set-file":
        name, _, file = text.partition("=")
        return "--set-literal", f"{name}=(the file {file})"
    return option, text


def merge(values: dict[str, Any], over: Mapping[str, Any]) -> None:
    """Values over values, groups merged: how Helm puts one file over another."""
    for key, value in over.items():
        below = values.get(key)
        if isinstance(below, dict) and isinstance(value, dict):
            merge(below, value)
        else:
            values[key] = value
