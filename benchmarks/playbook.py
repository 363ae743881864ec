"""The same work for Ansible, with what makes it fast: pipelining, a fork a node, no facts, one task for all sysctls."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from fleet import Fleet


def keep(fleet: Fleet, path: str, texts: Sequence[str]) -> None:
    """Keep each node's content of a file, for the playbook to copy there."""
    for node, text in zip(fleet.nodes, texts, strict=True):
        file = fleet.folder / "files" / node.name / Path(path).name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def write(fleet: Fleet, ssh_options: Sequence[str], settings: Mapping[str, str], paths: Sequence[str]) -> None:
    """The playbook and its inventory; `ssh_options` are those of the bare round trip."""
    wanted = [f"{key}={value}" for key, value in settings.items()]
    files = [
        {"ansible.builtin.copy": {"src": f"files/{{{{ inventory_hostname }}}}/{Path(path).name}", "dest": path}}
        for path in paths
    ]
    tasks = [{"ansible.builtin.command": {"argv": ["sysctl", "-q", "-w", *wanted]}}, *files]
    # JSON is YAML, and quotes every value.
    (fleet.folder / "play.yaml").write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    python = shutil.which("python3", path="/usr/bin:/bin") or sys.executable
    inventory = [f"{node.name} ansible_host={node.address}" for node in fleet.nodes]
    inventory += ["[all:vars]", "ansible_user=root", f"ansible_python_interpreter={python}"]
    inventory += [f"ansible_ssh_common_args={' '.join(ssh_options)}", ""]
    (fleet.folder / "inventory").write_text("\n".join(inventory))


def run(fleet: Fleet, program: str) -> None:
    """Run it, with connections of its own: none of an earlier round is there to be used again."""
    home = fleet.folder / f"ansible-{time.monotonic_ns()}"
    environment = {
        **os.environ,
        "ANSIBLE_HOME": str(home),
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(home / "cp"),
        "ANSIBLE_PIPELINING": "true",
        "ANSIBLE_FORKS": str(len(fleet.nodes)),
        "ANSIBLE_NOCOWS": "1",
        "LC_ALL": "C.UTF-8",
    }
    argv = [program, "-i", "inventory", "play.yaml"]
    done = subprocess.run(argv, cwd=fleet.folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"error: ansible-playbook failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
