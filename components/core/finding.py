"""The result of a rule: one type for the stack file, the policies and the commands. Pure."""

from typing import NamedTuple

from components.core.untrusted import printable


class Finding(NamedTuple):
    """One thing that is wrong, or that cannot be decided yet."""

    rule: str
    """Name of the rule, `<domain>-<what>`, as the policy pack shows it."""
    subject: str
    """What it is about, as the author wrote it: `node osl-2`, `pool public`; for a resource, its name or URN."""
    message: str
    """The value and why it is wrong."""
    remedy: str
    """What to do about it, as an order: `write 1450`."""
    decided: bool = True
    """False where a value is not known yet, so that the rule could not be checked."""
    urn: str = ""
    """The resource that a policy shows it at; empty for the stack file, and for what is the stack's own."""
    value: str = ""
    """The value alone, for a program that reads findings; empty for a secret and for what is not there."""
    fields: tuple[str, ...] = ()
    """Where in the stack file, if `subject` is no path of it: `nodes[osl-2].country`."""
    advice: bool = False
    """It may stay as it is: worth knowing, and no reason to refuse anything."""
    file: str = ""
    lines: tuple[int, ...] = ()
    """The line in `file`, or all of them where two places exclude each other."""

    def __str__(self) -> str:
        """One line that a terminal takes for text, whatever the values are."""
        text = f"{self.subject}: {self.message}"
        text = f"{text}: {self.remedy}" if self.remedy else text
        if len(self.lines) > 1:
            text += f" (lines {' and '.join(map(str, self.lines))})"
        return printable(f"{self.file}:{self.lines[0]} {text}" if self.lines else text)
