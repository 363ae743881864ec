"""`vds restore`: makes the control planes of a stack again from a snapshot, on new machines."""

import time
from typing import Annotated, Any

import typer

from components.kubernetes_api import Cluster
from vds.restore.steps import Restore
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
    """Run this if all control planes are lost. The new machines have the old names and addresses; write their host keys
    to the stack file first. Run `pulumi up` afterwards.

    Needs the secrets `caKey`, `encryptionKeys`, `backupAccessKey` and `backupIdentity`. What was written after the
    snapshot is lost. Refuses while one control plane is still in the cluster. If it fails, run it again.
    """
    began = time.monotonic()
    progress = console(stderr=True)
    opened = open_stack(stack, config_file=config_file)
    work = Restore(opened, lambda said: progress.print(f"[green]✓[/green] {said}"))
    done = work.refuse_what_lives()
    if not yes and not done:
        names = ", ".join(node.name for node in work.bootstrap.control_planes)
        typer.confirm(f"Make {names} control planes again, from a snapshot?", abort=True, err=True)
    missing = [node for node in work.bootstrap.control_planes if node.name not in done]
    if missing:
        work.prepare(missing)
    about: dict[str, Any] = {}
    if work.first.name not in done:
        about = work.restore(snapshot)
        progress.print(f"[green]✓[/green] {about['object']} restored: {about['keys']} keys")
        work.found_again()
    work.join(Cluster(opened.kubeconfig), [node for node in work.others if node.name not in done])
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
    print(f"the control plane is there again after {seconds / 60:.1f} min: run `pulumi up`")
