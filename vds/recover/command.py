"""`vds recover`: makes a stack ready for the next `pulumi up` after an update that was killed."""

import json
import os
import re
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from components.core.names import PROJECT
from components.core.untrusted import json_value
from components.kubernetes_api import Api, ApiError, Cluster, UnreachableError, list_items
from vds.recover.state import Restored, kubeconfig, pending, releases, resolve_pending, restore_checkpoint
from vds.shared import pulumi
from vds.shared.errors import OperationError
from vds.shared.options import ConfigFile, StackName
from vds.tenant.folder import project_name

_REFRESH_SECONDS = 600
_LOCK = re.compile(r"created by (?P<user>[^@\s]*)@(?P<host>\S+) \(pid (?P<pid>\d+)\) at (?P<since>\S+)")
_NOWHERE = "urn:pulumi:none::none::none:none:None::none"


def recover_command(stack: StackName, *, config_file: ConfigFile = None) -> None:
    """Run this if an update was killed, lost its connection or had no space, and `pulumi up` says that the stack is
    locked or that its state can't be loaded. Run `pulumi up` afterwards.

    It restores a state file that was cut short, removes the lock of a process that has ended, and finds out how
    interrupted operations ended. It does not change what runs.
    """
    restored = restore(stack)
    for done in restored.said:
        print(f"✓ {done}")
    words = ["--config-file", str(config_file)] if config_file else []
    if said := unlock(stack, *words):
        print(f"✓ {said}")
    exported = _export(stack)
    operations = pending(exported["deployment"])
    if operations or restored.older:
        if interrupted := releases(operations):
            known = kubeconfig(_export(stack, "--show-secrets")["deployment"])
            for said in end_releases(Cluster(known), interrupted) if known else ():
                print(f"✓ {said}")
        resolve_pending(exported["deployment"])
        _run(stack, "stack", "import", given=json.dumps(exported))
        _run(stack, "refresh", "--yes", "--skip-preview", *words, seconds=_REFRESH_SECONDS)
        for operation in operations:
            name = operation["resource"]["urn"].rpartition("::")[2]
            print(f"✓ {operation['type']} {name} was interrupted: the state has what is there now")
    if restored.older:
        print(
            "! the state is that of the last update that ended; use the stack file of the update that was interrupted,"
        )
        print("  so that `pulumi up` takes over what that one has made")
    print(f"the stack {stack} is ready: run `pulumi up`")


def restore(stack: str) -> Restored:
    """Restore the state file of a backend of files. Other backends write a state whole or not at all."""
    url = str(json_value(pulumi.output(stack, "whoami", "--json"))["url"])
    if not url.startswith("file://"):
        return Restored([], older=False)
    folder = Path(url.removeprefix("file://").partition("?")[0]).expanduser()
    return restore_checkpoint(folder, project_name(Path()) or PROJECT, stack)


def unlock(stack: str, *words: str) -> str:
    """Remove the lock of a process of this machine that has ended. Returns what was done.

    `words`: more options of the engine.

    Raises OperationError if an update runs, or if another machine has the lock: whether that one has ended can't be
    seen here.
    """
    # Takes the lock, then fails because it has nothing to refresh.
    probe = pulumi.run("refresh", "--stack", stack, "--yes", "--skip-preview", "--target", _NOWHERE, *words)
    if "currently locked" not in probe.stderr + probe.stdout:
        return ""
    locks = list(_LOCK.finditer(probe.stderr + probe.stdout))
    living = [found for found in locks if found["host"] != socket.gethostname() or _is_engine(int(found["pid"]))]
    if living or not locks:
        who = ", ".join(f"{one['user']}@{one['host']} (process {one['pid']}, since {one['since']})" for one in living)
        raise OperationError(
            f"stack {stack} is locked by {who or 'a lock that this version can not read'}: wait until that update "
            f"ends; if its process is dead, run `pulumi cancel --stack {stack}`, then `vds recover --stack {stack}`"
        )
    _run(stack, "cancel", "--yes")
    return f"removed the lock of process {', '.join(found['pid'] for found in locks)}, which has ended"


def end_releases(api: Api, interrupted: Sequence[tuple[str, str]]) -> list[str]:
    """Delete Helm's record of an install or upgrade that was cut short, so that Helm begins it again.

    Helm refuses a release that it believes to be in work. Objects that were already made stay, and Helm adopts them.
    """
    done = []
    try:
        for namespace, name in interrupted:
            secrets = f"/api/v1/namespaces/{namespace}/secrets"
            for record in list_items(api, secrets, query=[("labelSelector", f"owner=helm,name={name}")]):
                status = record["metadata"]["labels"].get("status", "")
                if status.startswith("pending-"):
                    api.request("DELETE", f"{secrets}/{record['metadata']['name']}")
                    done.append(f"release {namespace}/{name} was {status}: Helm begins it again")
    except (ApiError, UnreachableError) as error:
        raise OperationError(f"the cluster must answer, to end what Helm began: {error}: run this again then") from None
    return done


def _is_engine(process: int) -> bool:
    """Whether this process of this machine is alive and may be Pulumi; the number can be another program's by now.

    A killed process whose parent has not yet asked how it ended (a zombie) is still listed, but has ended.
    """
    try:
        name, _, rest = Path(f"/proc/{process}/stat").read_text().partition("(")[2].rpartition(")")
    except OSError:
        pass
    else:
        return "pulumi" in name and rest.split()[0] not in ("Z", "X")
    if Path("/proc/self").exists():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _export(stack: str, *words: str) -> dict[str, Any]:
    found: dict[str, Any] = json_value(
        pulumi.output(stack, "stack", "export", "--stack", stack, *words), most=pulumi.LARGEST_STATE
    )
    found["deployment"] = found.get("deployment") or {}
    return found


def _run(stack: str, *words: str, given: str = "", seconds: float = pulumi.SECONDS) -> None:
    done = pulumi.run(*words, "--stack", stack, given=given, seconds=seconds)
    if done.returncode:
        said = "\n".join(line for line in (done.stderr + done.stdout).splitlines() if "error" in line)
        raise OperationError(
            f"stack {stack}: `pulumi {words[0]}` failed: {said[-1500:]}: correct that and run this again"
        )
