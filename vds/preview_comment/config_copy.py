"""The stack file that a preview is made of: the author's own text, without the two keys that would ask nodes. Pure."""

from components.core.names import PROJECT
from components.stackfile.parsing import StackFile, read_stack_file
from vds.shared.errors import OperationError

_LINE = f"{PROJECT}:readNodes: false\n"


def without_nodes(text: str) -> str:
    """The text with `readNodes: false` and without `factsFile`, which is judged beside the preview.

    All other lines stay as they are: what the engine previews is what it would deploy.
    """
    source = read_stack_file(text, "")
    config = source.config
    lines = text.splitlines(keepends=True)
    if min(config.keys.values(), default=0) <= config.line:
        raise OperationError("the stack file's keys are on the line of `config`: write each on a line of its own")
    first = min(config.keys.values()) - 1
    indent = lines[first][: len(lines[first]) - len(lines[first].lstrip())]
    gone = {number for key in ("readNodes", "factsFile") for number in _lines_of(source, f"{PROJECT}:{key}")}
    kept = [(number, line) for number, line in enumerate(lines, 1) if number not in gone]
    above = [line for number, line in kept if number <= first]
    below = [line for number, line in kept if number > first]
    return "".join([*above, indent, _LINE, *below])


def _lines_of(source: StackFile, key: str) -> range:
    if key not in source.config.keys:
        return range(0)
    return range(source.config.keys[key], source.config.children[key].line + 1)
