"""`vds restore`: makes lost control planes of a stack again on new machines, if all are lost from a snapshot."""

import time
from typing import Annotated, Any

import typer

from components.kubernetes_api import Cluster
from vds.restore.steps import Restore, names_of
from vds.shared.options import AsJson, ConfigFile, StackName
from vds.shared.output import console, print_json
from vds.shared.stack import open_stack


def restore(
    stack: StackName,
    *,
    snapshot: Annotated[str, typer.Option("--object", help="Name of a snapshot. Default: the newest.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before the first change.")] = False,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Run this if control planes are lost. The new machines have the old names and addresses; write their host keys to
    the stack file first. Run `pulumi up` afterwards.

    If one still lives, the lost ones join it, and nothing else is lost. If all are lost, the first one is made from a
    snapshot: what was written after it is lost. That needs the secrets `caKey`, `encryptionKeys`, `backupAccessKey` and
    `backupIdentity`. If it fails, run it again.
    """
    began = time.monotonic()
    progress = console(stderr=True)
    opened = open_stack(stack, config_file=config_file)
    work = Restore(opened, lambda said: progress.print(f"[green]✓[/green] {said}"))
    lost = work.lost()
    first_is_lost = work.first in lost.nodes
    if lost.from_snapshot:
        work.refuse_without_secrets()
    if not yes and (first_is_lost or not lost.from_snapshot):
        how = "from a snapshot" if lost.from_snapshot else "in the cluster that runs"
        typer.confirm(f"Make {names_of(lost.nodes)} control planes again, {how}?", abort=True, err=True)
    if lost.nodes:
        work.prepare(lost.nodes)
    about: dict[str, Any] = {}
    if first_is_lost:
        about = work.restore(snapshot)
        progress.print(f"[green]✓[/green] {about['object']} restored: {about['keys']} keys")
        work.found_again()
    work.join(Cluster(opened.kubeconfig), [node for node in lost.nodes if node != work.first])
    work.back_up_again()
    work.close()
    seconds = round(time.monotonic() - began, 1)
    result = {**about, "seconds": seconds}
    if about:
        result["lostSeconds"] = round(time.time() - about["taken"])
    if as_json:
        print_json(result)
        return
    if about:
        at = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(about["taken"]))
        print(f"restored from the snapshot of {at}: what was written after that is lost")
    print(f"{names_of(work.bootstrap.control_planes)} are in the cluster after {seconds / 60:.1f} min: run `pulumi up`")
