"""`vds evidence`: one folder that an auditor can read, and check that it is what was made."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

from vds.evidence.checksums import COVER, SUMS, digest
from vds.evidence.collect import collect
from vds.evidence.contents import FILES, sentence, violated
from vds.evidence.evaluate import chart_images, pack_version, results
from vds.evidence.export import backend, exported, read_file
from vds.evidence.model import Evidence
from vds.evidence.policy_results import undecided
from vds.evidence.render import render
from vds.evidence.state import read
from vds.shared.errors import OperationError
from vds.shared.stack import open_spec


def evidence(
    stack: Annotated[str, typer.Option("--stack", "-s", help="The stack, as `pulumi stack ls` names it.")],
    *,
    config_file: Annotated[Path | None, typer.Option(help="Stands for Pulumi.<stack>.yaml.")] = None,
    output: Annotated[Path | None, typer.Option(help="The folder; evidence/STACK if left out.")] = None,
    state_file: Annotated[
        Path | None, typer.Option("--state", help="What `pulumi stack export` wrote, instead of asking the backend.")
    ] = None,
    pack_config: Annotated[
        Path | None, typer.Option("--policy-pack-config", help="JSON, as `pulumi up` takes it.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Write what an auditor asks for: where data is processed, under whose law, and what the policies say of it.

    From the stack's exported state and its file; secrets are not decrypted. Ends with 0 if every mandatory policy
    holds and nothing is undecided, with 1 if not (the folder says what), with 2 if it could not read.
    """
    folder = output or Path("evidence") / stack
    _refuse_other_files(folder)
    spec = open_spec(stack, config_file=config_file)
    config = _json(pack_config) if pack_config else {}
    source = f"--state {state_file}" if state_file else f"stack {stack}"
    state = read(read_file(state_file) if state_file else exported(stack), source)
    if state.stacks - {stack}:
        raise OperationError(f"{source}: is of stack {', '.join(sorted(state.stacks))}, not {stack}: name that one")
    now = datetime.datetime.now(datetime.UTC)
    kept = "" if state_file else backend(stack)
    found = collect(
        stack,
        spec,
        state,
        backend=kept,
        chart_images=chart_images(config),
        policies=results(state, config, today=now.date().isoformat(), backend=kept),
        versions=[
            ("vds-platform", version("vds-platform")),
            ("policy pack", pack_version()),
            ("pulumi-policy", version("pulumi-policy")),
        ],
    )
    files = render(found, date=now.strftime("%Y-%m-%d %H:%M:%S UTC"))
    _write(folder, files)
    _show(found, folder, digest(files), as_json=as_json)
    raise typer.Exit(0 if found.verdict == "holds" else 1)


def _show(found: Evidence, folder: Path, seal: str, *, as_json: bool) -> None:
    if as_json:
        said = {
            "stack": found.stack,
            "verdict": found.verdict,
            "says": sentence(found),
            "violations": violated(found),
            "undecided": undecided(found),
            "folder": str(folder),
            "sha256": seal,
        }
        print(json.dumps(said, indent=2, ensure_ascii=False))
        return
    print(sentence(found))
    for mark, lines in (("✗", violated(found)), ("?", undecided(found))):
        for line in lines:
            print(f"{mark} {line}")
    print(f"{folder / COVER}\nsha256 {seal}")


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    """The cover sheet last: where it stands, the rest is whole."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / COVER).unlink(missing_ok=True)
        for name in sorted(files, key=lambda name: (name == COVER, name)):
            (folder / name).write_bytes(files[name])
    except OSError as error:
        raise OperationError(f"--output {folder}: cannot be written ({error.strerror}): name another folder") from None


def _refuse_other_files(folder: Path) -> None:
    """A folder that a digest covers holds nothing else, and nothing of somebody's is written over."""
    if folder.exists() and not folder.is_dir():
        raise OperationError(f"--output {folder}: is no folder: name another one")
    others = sorted({item.name for item in folder.iterdir()} - {*FILES, SUMS, COVER}) if folder.is_dir() else []
    if others:
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        raise OperationError(f"--output {folder}: holds {', '.join(others[:3])}{more}: name an empty folder")


def _json(file: Path) -> Mapping[str, Any]:
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise OperationError(
            f"--policy-pack-config {file}: cannot be read ({error.strerror}): correct its name"
        ) from None
    except ValueError:
        config = None
    if not isinstance(config, dict):
        raise OperationError(f"--policy-pack-config {file}: is no JSON object: write policies' settings by name")
    return config


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(evidence)
