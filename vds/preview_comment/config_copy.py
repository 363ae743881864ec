"""The stack file that a preview is made of: the author's text, without secrets and without what asks nodes. Pure."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from components.core.names import PROJECT
from components.stackfile.keys import SECRETS
from components.stackfile.parsing import read_stack_file
from components.stackfile.reader import read
from vds.shared.errors import OperationError

_ASK_NODES = ("readNodes", "factsFile", "factsSha256")
_LINE = f"{PROJECT}:withoutSecrets: true\n"


def public_copy(text: str) -> str:
    """The text with `withoutSecrets: true`, and without every secret and every other key beside `config`.

    Those name the key to the secrets. All other lines stay as they are: what the engine previews is what it would
    deploy. Raises SpecError, and OperationError if the keys have no lines of their own.
    """
    root, config = read(text, file=""), read_stack_file(text, "").config
    if min(config.keys.values(), default=0) <= config.line:
        raise OperationError("the stack file's keys are on the line of `config`: write each on a line of its own")
    lines = text.splitlines(keepends=True)
    end = min([line for line in root.keys.values() if line > config.line], default=len(lines) + 1)
    first = min(config.keys.values())
    indent = lines[first - 1][: len(lines[first - 1]) - len(lines[first - 1].lstrip())]
    starts = sorted((line, key) for key, line in config.keys.items())
    gone = {
        number
        for (line, key), (following, _) in pairwise([*starts, (end, "")])
        for number in range(line, following)
        if _is_left_out(key, config.value[key])
    }
    above = root.keys["config"]
    kept = [line for number, line in enumerate(lines[: end - 1], 1) if above < number and number not in gone]
    return "".join(["config:\n", indent, _LINE, *kept])


def _is_left_out(key: str, value: Any) -> bool:
    own = key.removeprefix(f"{PROJECT}:")
    return own in SECRETS or own in _ASK_NODES or own == "withoutSecrets" or _has_encrypted(value)


def _has_encrypted(value: Any) -> bool:
    if isinstance(value, Mapping):
        return "secure" in value or any(map(_has_encrypted, value.values()))
    return isinstance(value, list) and any(map(_has_encrypted, value))
