"""`vds evidence`: a folder for an auditor, with checksums."""

import datetime
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

from components.core.names import PROJECT
from components.core.untrusted import json_value
from components.stackfile.keys import EVIDENCE_KEY
from vds.evidence.collect import collect
from vds.evidence.contents import COVER, FILES, SIGNATURE, SUMS, digest, render, sentence
from vds.evidence.evaluate import pack_version, results, together
from vds.evidence.export import backend, evidence_key, exported, read_file, registered
from vds.evidence.model import Evidence
from vds.evidence.node_facts import read_facts
from vds.evidence.signature import NAMESPACE, signature
from vds.evidence.state import read
from vds.shared.errors import OperationError
from vds.shared.options import AsJson, ConfigFile, PackConfig, StackName
from vds.shared.output import print_json
from vds.shared.stack import open_spec, read_spec
from vds.tenant.folder import registrations_folder


def evidence(
    stack: StackName,
    *,
    config_file: ConfigFile = None,
    output: Annotated[Path | None, typer.Option(help="Folder to write. Default: evidence/STACK.")] = None,
    state_file: Annotated[
        Path | None,
        typer.Option("--state", help="Output of `pulumi stack export`. The engine and its backend are not asked."),
    ] = None,
    tenants: Annotated[
        Path | None, typer.Option(help="Folder with the tenants' registrations. Default: tenants/.")
    ] = None,
    tenant_states: Annotated[
        list[Path] | None,
        typer.Option(
            "--tenant-state",
            help="Output of `pulumi stack export` of a tenant's stack, in place of the engine's; can be repeated.",
        ),
    ] = None,
    facts_file: Annotated[
        Path | None, typer.Option("--facts", help="Output of `vds doctor --facts`: what the nodes really ask.")
    ] = None,
    pack_config: PackConfig = None,
    sign: Annotated[
        bool, typer.Option("--sign", help="Sign the checksums with the stack's secret `evidenceKey`.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Reads the stack file, the tenants' registrations, and the exported states of all these stacks. Secrets are not
    decrypted.

    Exit code 1: a mandatory policy is violated, or something is undecided. The folder has the details.
    """
    if sign and state_file:
        raise OperationError(
            "--sign: with --state the engine is not asked, and only it has the key: sign the folder with "
            f"`ssh-keygen -Y sign -f KEY -n {NAMESPACE} {SUMS}`"
        )
    folder = output or Path("evidence") / stack
    _refuse_other_files(folder)
    config = _json(pack_config) if pack_config else {}
    source = f"--state {state_file}" if state_file else f"stack {stack}"
    state = read(read_file(state_file) if state_file else exported(stack), source)
    if state.stacks - {stack}:
        raise OperationError(f"{source}: is of stack {', '.join(sorted(state.stacks))}, not {stack}: name that one")
    spec = (read_spec if state_file else open_spec)(stack, config_file=config_file)
    now = datetime.datetime.now(datetime.UTC)
    kept = None
    if facts_file:
        text = read_file(facts_file, "--facts")
        kept = read_facts(text, str(facts_file), environment=spec.environment, now=now.timestamp())
    where = "" if state_file else backend(stack)
    folder_of_tenants = registrations_folder(tenants, "--tenants")
    known = registered(spec.environment, folder_of_tenants, tenant_states or (), ask=not state_file)
    today = now.date().isoformat()
    judged = [(state, where), *((one.state, one.backend) for one in known if one.state)]
    found = collect(
        stack,
        spec,
        state,
        backend=where,
        policies=together([results(one, config, today=today, backend=its) for one, its in judged]),
        versions=[
            ("vds-platform", version("vds-platform")),
            ("policy pack", pack_version()),
            ("pulumi-policy", version("pulumi-policy")),
        ],
        registered=known,
        kept=kept,
    )
    files = render(found, date=now.strftime("%Y-%m-%d %H:%M:%S UTC"))
    if sign:
        files[SIGNATURE] = _signature(files[SUMS], evidence_key(stack, config_file))
    _write(folder, files)
    _show(found, folder, digest(files), as_json=as_json)
    raise typer.Exit(0 if found.verdict == "holds" else 1)


def _show(found: Evidence, folder: Path, sha256: str, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "stack": found.stack,
                "verdict": found.verdict,
                "message": sentence(found),
                "violations": found.violations,
                "undecided": found.undecided,
                "folder": str(folder),
                "sha256": sha256,
            }
        )
        return
    print(sentence(found))
    for mark, lines in (("✗", found.violations), ("?", found.undecided)):
        for line in lines:
            print(f"{mark} {line}")
    print(f"{folder / COVER}\nsha256 {sha256}")


def _signature(sums: bytes, key: str) -> bytes:
    try:
        return signature(sums, key)
    except ValueError as error:
        raise OperationError(
            f"{PROJECT}:{EVIDENCE_KEY}: {error}: make one with `ssh-keygen -t ed25519 -N '' -f evidence.key`"
        ) from None


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    """The cover sheet last: if it exists, the folder is complete."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in (COVER, SIGNATURE, *FILES):  # an earlier one may have had a file that this one has not
            (folder / name).unlink(missing_ok=True)
        for name in sorted(files, key=lambda name: (name == COVER, name)):
            (folder / name).write_bytes(files[name])
    except OSError as error:
        raise OperationError(f"--output {folder}: cannot be written ({error.strerror}): name another folder") from None


def _refuse_other_files(folder: Path) -> None:
    """The folder must have no other files: the checksums cover it, and nothing else is overwritten."""
    if folder.exists() and not folder.is_dir():
        raise OperationError(f"--output {folder}: is not a folder: name another one")
    others = (
        sorted({item.name for item in folder.iterdir()} - {*FILES, SUMS, SIGNATURE, COVER}) if folder.is_dir() else []
    )
    if others:
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        raise OperationError(f"--output {folder}: holds {', '.join(others[:3])}{more}: name an empty folder")


def _json(file: Path) -> Mapping[str, Any]:
    try:
        config = json_value(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise OperationError(
            f"--policy-pack-config {file}: cannot be read ({error.strerror}): correct its name"
        ) from None
    except ValueError:
        config = None
    if not isinstance(config, dict):
        raise OperationError(f"--policy-pack-config {file}: is not a JSON object: write policies' settings by name")
    return config
