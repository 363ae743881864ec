"""The one shell script of a node: what the stack file wants, in front of `node.sh`, which knows how."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from shlex import quote

from components.nodes.model import NodeRequirements, NodeSpec, Sysctl
from components.nodes.settings.modules import modules
from components.nodes.settings.profiles import wanted

RUN_SECONDS = 90
"""The script's own limit, kept by timeout(1) on the node: a lost connection leaves no process behind for ever.

It takes a tenth of a second; waiting for the lock of another run may take 20, loading modules some more.
"""

_HOW = (Path(__file__).parent / "node.sh").read_text(encoding="utf-8")
_SLOT = "#: wanted\n"


def command(verb: str, *words: str) -> str:
    """The command line that runs the script from standard input: `apply`, `check` or `remove`.

    Further words are ignored by the script; the engine sees that the command has changed.
    """
    return " ".join(["timeout", "-k", "5", str(RUN_SECONDS), "sh", "-s", quote(verb), *map(quote, words)])


def node_script(node: NodeSpec, requirements: NodeRequirements) -> str:
    """The POSIX shell text for one node; it goes in on standard input and holds no secret."""
    settings = wanted(node)
    rows = _rows(settings) + _each("modules", [(name,) for name in modules(requirements.service_proxy, settings)])
    facts = {
        "node": node.name,
        "kernel_floor": requirements.kernel_floor,
        "kernel_reason": requirements.kernel_reason,
        "keep_swap": "yes" if node.keep_swap else "no",
        # Says later what was applied, and on what requirements the preflight judged.
        "digest": hashlib.sha256(f"{rows}{node.keep_swap}{tuple(requirements)!r}".encode()).hexdigest()[:16],
    }
    head = "".join(f"{name}={quote(value)}\n" for name, value in facts.items())
    return _HOW.replace(_SLOT, head + rows, 1)


def _rows(settings: Sequence[Sysctl]) -> str:
    rows = [
        (item.key, item.path, item.how, "required" if item.required else "optional", item.value, str(item.per_gib))
        for item in settings
    ]
    return _each("settings", rows)


def _each(name: str, rows: Sequence[tuple[str, ...]]) -> str:
    """A shell function that calls the function it is given once a row."""
    calls = ['"$1" ' + " ".join(map(quote, row)) for row in rows] or [":"]
    return f"\n{name}() {{\n" + "".join(f"\t{call}\n" for call in calls) + "}\n"
