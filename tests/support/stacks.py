"""The committed stack files, as data that a test may bend and as specs."""

import base64
import copy
import hashlib
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from components.stackfile.parsing import SpecError, parse
from components.stackfile.spec import PlatformSpec

ROOT = Path(__file__).parent.parent.parent


def host_key(name: str) -> str:
    """A well-formed ed25519 public key that no server has, the same for the same name."""
    key = b"\0\0\0\x0bssh-ed25519\0\0\0 " + hashlib.sha256(name.encode()).digest()
    return f"ssh-ed25519 {base64.b64encode(key).decode()}"


def stack_data(name: str) -> dict[str, Any]:
    """`vds-platform:spec` of `Pulumi.<name>.yaml`, fresh for every caller.

    What the lab makes itself is made up: its nodes' host keys, and Gateway API's CRDs are there.
    """
    data = copy.deepcopy(_committed(name))
    data["ssh"].pop("knownHostsFile", None)
    if data["gateway"].pop("crds", None):
        data["gateway"]["bundleVersion"] = "1.5.1"
    for node in data["nodes"]:
        node.setdefault("hostKey", host_key(node["name"]))
    return data


@cache
def _committed(name: str) -> dict[str, Any]:
    content = yaml.load((ROOT / f"Pulumi.{name}.yaml").read_text(), Loader=yaml.CSafeLoader)
    return dict(content["config"]["vds-platform:spec"])


def existing_data(kubernetes: str = "1.36") -> dict[str, Any]:
    """Oslo's stack file for a cluster that somebody else has made."""
    return stack_data("oslo") | {"cluster": {"kind": "existing", "kubernetesVersion": kubernetes}}


def stack(name: str) -> PlatformSpec:
    """The spec of a committed stack."""
    return parse(stack_data(name), base_dir=ROOT)


def problems(data: dict[str, Any]) -> list[str]:
    """What is wrong with a stack file, a line each; nothing if it loads."""
    with TemporaryDirectory() as folder:
        try:
            parse(data, base_dir=Path(folder))
        except SpecError as error:
            return [str(problem) for problem in error.problems]
    return []
