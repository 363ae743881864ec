"""Facts about the host, for settings that depend on it."""

import re
from pathlib import Path

_CAP_SYS_RESOURCE = 24  # linux/capability.h


def lacks_sys_resource() -> bool:
    """Whether root may not raise limits here: then runc can neither lower an OOM score nor give this capability."""
    return not bounding_set(Path("/proc/self/status").read_text()) >> _CAP_SYS_RESOURCE & 1


def bounding_set(status: str) -> int:
    """The capabilities that no process below this one can have more of, from `/proc/<id>/status`."""
    found = re.search(r"^CapBnd:\s*([0-9a-f]+)$", status, re.MULTILINE)
    return int(found[1], 16) if found else 0


def cgroup_v1() -> bool:
    """Whether controllers are in cgroup v1, alone or beside v2: kubelet refuses that unless told otherwise."""
    return not Path("/sys/fs/cgroup/cgroup.controllers").exists()


def publishes_kernel_configuration() -> bool:
    """Whether a machine of the lab can read how its kernel, this one, was built."""
    return Path("/proc/config.gz").exists()
