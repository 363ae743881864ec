"""The only reader of the configuration of a tenant's stack: its registration, and the environment that it is in."""

import os
import time
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import pulumi

from components.core.finding import Finding
from components.kubernetes_api import ApiError, Cluster, KubeconfigError, UnreachableError
from components.residency.model import Residency, StateStore
from components.residency.registered_egress import registered_record
from components.residency.state_store import state_store
from components.stackfile.config import RefusedStackError
from components.stackfile.parsing import read_text
from components.stackfile.registered_cluster import NoEnvironmentError, RegisteredCluster, read_cluster
from components.stackfile.registration import (
    RULE,
    RegistrationFile,
    claims,
    problems_of,
    read_registration,
)
from components.tenancy.registration.environment import Environment
from components.tenancy.registration.model import Registration
from components.tenancy.registration.rules import removed_namespaces

KUBECONFIG = "KUBECONFIG"
_SECONDS = 5
"""How long a process that runs the program for many stacks takes what the cluster has said of its tenants: as long as
an update takes, in which another may change it as well."""
_MOST = 10_000
"""Registrations of a folder that are kept in memory."""


class Registered(NamedTuple):
    """A registration that its environment can give."""

    registration: Registration
    environment: Environment
    record: Residency
    """The environment's residency record, with what the tenant may call."""
    state: StateStore
    """Where the engine keeps the stack."""
    kubeconfig: str
    """The text of the file that KUBECONFIG names."""


def load() -> Registered:
    """The registration of the stack that the engine runs. Raises RefusedStackError with every problem in it."""
    stack = pulumi.get_stack()
    file = Path(f"Pulumi.{stack}.yaml")
    try:
        read = read_registration(file)
    except OSError as error:
        raise _refused(
            Finding(RULE, str(file), f"can't be read ({error.strerror or error})", "run `vds tenant new`")
        ) from None
    try:
        kubeconfig = kubeconfig_text()
        cluster = _known(kubeconfig, int(time.monotonic() / _SECONDS))
    except (NoEnvironmentError, KubeconfigError, UnreachableError, ApiError, OSError) as error:
        raise _refused(*read.findings, Finding(RULE, KUBECONFIG, str(error), "")) from None
    problems = cluster_problems(read, cluster, Path.cwd(), date.today())
    if read.registration is None or problems:
        raise _refused(*problems)
    record = registered_record(read.registration, cluster.known.residency)
    state = state_store(Path.cwd(), stack, os.environ)
    return Registered(read.registration, cluster.known.environment, record, state, kubeconfig)


@lru_cache(1)
def _known(kubeconfig: str, _: int) -> RegisteredCluster:
    return read_cluster(Cluster(kubeconfig))


def cluster_problems(file: RegistrationFile, cluster: RegisteredCluster, folder: Path, today: date) -> list[Finding]:
    """Everything that is wrong with a registration in its cluster, beside the other registrations of the folder."""
    environment = cluster.known.environment.environment
    others = [*cluster.claims, *claims(map(_read, _files(folder)), file.environment)]
    found = problems_of(file, dict.fromkeys(others), today, cluster.known)
    if file.environment not in (None, environment):
        said = f"is {file.environment}, and KUBECONFIG leads to environment {environment}"
        found.append(file.located(Finding(RULE, "environment", said, "use the kubeconfig of the right cluster")))
    if file.registration is not None:
        left = removed_namespaces(file.registration, cluster.of(file.registration.tenant))
        found += map(file.located, left)
    return found


def read_folder(folder: Path) -> list[RegistrationFile]:
    """Every registration of a folder that can be read."""
    return [read_registration(file) for file in _files(folder)]


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("Pulumi.*.yaml"))


def _read(file: Path) -> RegistrationFile:
    """A registration without its lines. A file is read again when it has changed."""
    status = file.stat()
    return _once(file, status.st_ino, status.st_mtime_ns, status.st_size)


@lru_cache(_MOST)
def _once(file: Path, *_: int) -> RegistrationFile:
    return read_registration(file)._replace(node=None, findings=())


def kubeconfig_text() -> str:
    """The file that KUBECONFIG names. Raises OSError without one: another cluster must not be taken by chance."""
    path = os.environ.get(KUBECONFIG, "")
    if not path or os.pathsep in path:
        raise OSError("must name one file, the kubeconfig of an administrator of tenants")
    return read_text(Path(path))


def _refused(*problems: Finding) -> RefusedStackError:
    return RefusedStackError(problems)
