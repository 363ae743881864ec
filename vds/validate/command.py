"""`vds validate`: what is wrong with stack files, by file and line. Asks neither the engine nor a node."""

import sys
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from components.core.finding import Finding
from components.core.messages import in_full
from vds.shared.options import AsJson
from vds.shared.output import print_json

_NO_TEXT = "it is no UTF-8 text"


def validate(
    files: Annotated[list[Path], typer.Argument(help="Stack files, as in Pulumi.oslo.yaml.", metavar="FILE...")],
    *,
    as_json: AsJson = False,
) -> None:
    """Changes nothing. `-` is standard input. Exit code 0: all files are valid. Exit code 1: a file has mistakes. Exit
    code 2: a file can't be read.
    """
    from components.stackfile.parsing import check_file, read_text  # half a second: not for `--help`

    found: list[Finding] = []
    unreadable = False
    for file in files:
        try:
            text = _standard_input() if str(file) == "-" else read_text(file)
            found += check_file(text, str(file), file.parent, date.today()).findings
        except OSError as error:
            unreadable = True
            problem = _unreadable(file, error)
            print(f"error: {file} {problem.message}: {problem.remedy}", file=sys.stderr)
            found += [problem] if as_json else []
    if as_json:
        print_json([finding_as_json(one) for one in found])
    else:
        _print(files, found, unreadable=unreadable)
    raise typer.Exit(2 if unreadable else 1 if any(not one.advice for one in found) else 0)


def _standard_input() -> str:
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise OSError(_NO_TEXT) from None


def _unreadable(file: Path, error: OSError) -> Finding:
    why = error.strerror or str(error)
    remedy = "save it as UTF-8" if why == _NO_TEXT else "name a stack file that you may read"
    return Finding("stack-file", "the file", f"can't be read ({why})", remedy, file=str(file))


def _print(files: list[Path], found: list[Finding], *, unreadable: bool) -> None:
    for one in found:
        print(f"advice: {one}" if one.advice else one)
    problems = [one for one in found if not one.advice]
    names = ", ".join(map(str, files))
    if problems:
        print(f"{names}: {in_full(problems)[0]}")
    elif not unreadable:
        print(f"{names}: valid")


def finding_as_json(finding: Finding) -> dict[str, Any]:
    """A finding as commands print it as JSON."""
    return {
        "file": finding.file,
        "line": finding.lines[0] if finding.lines else None,
        "lines": list(finding.lines),
        "item": finding.subject,
        "value": finding.value,
        "message": finding.message,
        "remedy": finding.remedy,
        "rule": finding.rule,
        "severity": "advice" if finding.advice else "error",
    }
