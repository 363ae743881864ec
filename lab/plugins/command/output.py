"""Output of a command: stored for the resource, shown line by line, and its end for an error."""

from collections.abc import Callable

from lab.plugins.values import without_secrets

_TAIL_LINES = 40
_TAIL_CHARACTERS = 8000

_SHOWN: dict[str, set[str]] = {
    "none": set(),
    "stdout": {"stdout"},
    "stderr": {"stderr"},
    "stdoutAndStderr": {"stdout", "stderr"},
}
LOGGING = frozenset(_SHOWN)
_BY_DEFAULT = "stdoutAndStderr"


class Output:
    """Both streams of one command.

    When the command was given secrets, nothing of what it printed is shown, for it may have printed a part of
    one, unless the program named in `logging` what is fit to be seen. A failure then has both streams, as the official
    provider's. Secrets are blotted out in any case.
    """

    def __init__(
        self, show: Callable[[str], None], logging: str | None, secrets: set[str], *, given_secrets: bool
    ) -> None:
        """`logging` is None where the program said nothing of it."""
        named = _SHOWN[logging] if logging else set()
        self._show = show
        self._shown = named if logging or given_secrets else _SHOWN[_BY_DEFAULT]
        self._told = _SHOWN[_BY_DEFAULT] if named or not given_secrets else named
        self._secrets = secrets
        self._gathered: dict[str, list[str]] = {"stdout": [], "stderr": []}
        self._lines: list[str] = []

    def add(self, stream: str, line: str) -> None:
        self._gathered[stream].append(line)
        text = without_secrets(line.rstrip("\n"), self._secrets)
        if stream in self._told:
            self._lines.append(text)
        if stream in self._shown:
            self._show(text)

    @property
    def stdout(self) -> str:
        return "".join(self._gathered["stdout"]).removesuffix("\n")

    @property
    def stderr(self) -> str:
        return "".join(self._gathered["stderr"]).removesuffix("\n")

    def failure(self, status: int | None, signal: str | None, command: str, where: str) -> str:
        """What went wrong, with the end of the output."""
        ended = f"status {status}" if signal is None else f"signal {signal}"
        first_line = without_secrets(next(iter(command.strip().splitlines()), ""), self._secrets)
        tail = "\n".join(self._lines[-_TAIL_LINES:])[-_TAIL_CHARACTERS:]
        if not self._told:
            tail = "(its output is kept back: the command was given secrets)"
        return f"Process exited with {ended}: running {first_line!r}{where}" + (f":\n{tail}" if tail else "")
