"""A YAML reader's error in the words of somebody who edits a file: line, reason, remedy. Pure."""

import re

from ruamel.yaml.error import MarkedYAMLError

from components.core.finding import Finding

_KEY = re.compile(r"\s*(?:- +)*([A-Za-z_][\w:.-]*):(?:\s|$)")

_COLON = re.compile(r"\s*(?:- +)*[^\s:#]+:\s+\S")
"""A key and the beginning of its value."""
_OPEN_QUOTE = re.compile(r"""\s*(?:- +)*[^\s:#"']+:\s+(["'])(?!.*\1).*""")


def syntax_error(error: MarkedYAMLError, text: str) -> Finding:
    """The finding, without rule and file. No value of the file is repeated, as it may be a secret."""
    lines = text.splitlines()
    mark = error.problem_mark or error.context_mark
    number = mark.line if mark else 0
    number = min(number, max(len(lines) - 1, 0))
    here = lines[number] if lines else ""
    begun = error.context_mark.line + 1 if error.context_mark else number + 1
    problem, context = str(error.problem or ""), str(error.context or "")
    if "\t" in here[: len(here) - len(here.lstrip())] or "'\\t'" in problem:
        named = _key(here)
        before = f" before '{named}'" if named else ""
        return _at(number, f"a tab{before}: YAML takes no tab for indentation", "indent with blanks")
    if "escape" in problem:
        return _at(number, "a '\\' in double quotes begins no character that YAML knows", "write single quotes")
    if "block scalar" in context:
        return _at(number, "something follows '|' or '>'", "write the text below it, indented")
    if "mapping values" in problem and _COLON.match(here[: mark.column if mark else 0]):
        return _at(number, "a ': ' is in a value", "write the value in quotes")
    if "block" in context and (opened := _open_quote(lines, number)) is not None:
        return _at(opened, "a quoted text begins here and does not end", "write the closing quote")
    if "quoted scalar" in context:
        return _at(begun - 1, "a quoted text begins here and does not end", "write the closing quote")
    if "flow" in context and "block" not in context:
        return _at(begun - 1, "a bracket opens here and is not closed, or a comma is missing", "write it")
    if "block" in context or "mapping values" in problem or "simple key" in context:
        return _indentation(lines, number, problem)
    if "cannot start any token" in problem:
        return _at(number, "a character that YAML keeps for itself", "write the value in quotes")
    return _at(number, "is no YAML", "correct the line, or the one above it")


def _indentation(lines: list[str], number: int, problem: str) -> Finding:
    """A key that is indented as none of its neighbours is."""
    here = lines[number]
    above_it = next((at for at in range(number - 1, -1, -1) if lines[at].strip() and "#" not in lines[at][:1]), number)
    before = lines[above_it]
    if (
        _key(here)
        and not _key(before)
        and _depth(before) == _depth(here)
        and not before.lstrip().startswith(("-", "#"))
    ):
        said = "has no ': ' between a key and its value, or is the rest of the line above it"
        return _at(above_it, said, "write them as the lines around it")
    depth = len(here) - len(here.lstrip(" "))
    named = _key(here)
    above = [(_depth(line), _key(line)) for line in lines[:number] if _key(line) and not line.lstrip().startswith("- ")]
    for wanted in sorted({found for found, _ in above if found < depth}, reverse=True) + sorted(
        {found for found, _ in above if found > depth}
    ):
        same = [key for found, key in above if found == wanted]
        if named and len(same) > 1 and wanted and _is_open(lines[:number], wanted):
            near = ", ".join(reversed(same[-2:]))
            said = f"'{named}' is indented by {depth}, its neighbours ({near}) by {wanted}"
            return _at(number, said, f"indent it by {wanted}")
    if "mapping values" in problem:
        return _at(
            number,
            "a ': ' is in a value, or the line is indented too far",
            "write the value in quotes, or indent it as its neighbours",
        )
    return _at(number, "the line is indented as none of its neighbours is", "indent it as they are")


def _is_open(above: list[str], depth: int) -> bool:
    """Whether a key of that depth could follow: nothing of a smaller depth came after the last one."""
    for line in reversed(above):
        if _key(line) and not line.lstrip().startswith("#"):
            if _depth(line) == depth:
                return not line.lstrip().startswith("- ")
            if _depth(line) < depth:
                return False
    return False


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _key(line: str) -> str:
    match = _KEY.match(line)
    return match[1][:63] if match else ""


def _open_quote(lines: list[str], number: int) -> int | None:
    """The last line up to `number` whose value begins with a quote that it does not close."""
    if not set("\"'") & set(lines[number]):
        return None
    return next((at for at in range(number, -1, -1) if _OPEN_QUOTE.fullmatch(lines[at])), None)


def _at(index: int, message: str, remedy: str) -> Finding:
    return Finding("", f"line {index + 1}", message, remedy, lines=(index + 1,))
