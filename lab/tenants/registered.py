"""Registers the lab's tenants and runs the agency's project, as the guides for both say.

The platform team runs `vds tenant up` in `.lab/tenants`. The agency runs `pulumi up` in `.lab/agency`, with a state and
a passphrase of its own and a token of its ServiceAccount `ci`. It has no file of the platform.
"""

import json
import secrets
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from components.agency.template import project_files
from lab.cluster import Cluster
from lab.deploy import Deployment, Outcome, encryption_salt
from lab.layout import CHECKOUT, STACK
from lab.processes import LabError
from lab.progress import Progress
from lab.tenants.settings import AGENCY, NAMESPACE, SOURCE, TENANTS, agency_folder, filled, stack_file
from lab.verify import images
from vds.tenant.access import ci_token, for_ci

Edit = Callable[[dict[str, Any]], None]
"""Changes the content of the agency's stack file below `config`."""

_PLATFORM = ("PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE_FILE", "KUBECONFIG")
_STACK = "prod"
_TOKEN_SECONDS = 86_400


def ensure(deployment: Deployment, progress: Progress) -> Outcome:
    """The tenants of `make up`: registered, and with what the agency deploys; how the agency's update ended.

    Raises:
        LabError: a tenant could not be registered, or the agency's update failed.
    """
    register(deployment, progress)
    outcome = Agency(deployment).up(progress=progress)
    if outcome.exit_code:
        raise LabError(f"pulumi up of the agency failed:\n{outcome.diagnostics}")
    return outcome


def register(deployment: Deployment, progress: Progress) -> None:
    """`vds tenant up` for every tenant of the lab."""
    layout = deployment.layout
    folder = layout.state / "tenants"
    folder.mkdir(exist_ok=True)
    _link_venv(layout.state)
    for name in ("Pulumi.yaml", "__main__.py"):
        shutil.copy(CHECKOUT / "tenants" / name, folder / name)
    environment = {**deployment.environment(), "PYTHONPATH": str(CHECKOUT)}
    for tenant in TENANTS:
        _write(folder / f"Pulumi.{tenant}.yaml", SOURCE.with_name(f"Pulumi.{tenant}.yaml").read_text())
        _recover(deployment, layout.state / "pulumi", folder, tenant, environment)
    progress.detail(f"vds tenant up {' '.join(TENANTS)}")
    words = ["tenant", "up", *TENANTS, "--policy-pack", str(CHECKOUT / "policies"), "--folder", str(folder)]
    done = deployment.vds(words, layout.state, environment)
    if done.returncode:
        raise LabError(f"vds tenant up failed:\n{done.stderr.strip()}")


def states(deployment: Deployment) -> list[dict[str, Any]]:
    """`pulumi stack export` of every tenant's stack, and of the agency's."""
    agency = Agency(deployment)
    of_tenants = ((tenant, deployment.layout.state / "tenants", deployment.environment()) for tenant in TENANTS)
    return [
        json.loads(deployment.quietly(["stack", "export", "--stack", stack], folder=folder, environment=environment))
        for stack, folder, environment in (*of_tenants, (_STACK, agency.folder, agency.environment()))
    ]


class Agency:
    """The agency's project: the Python template of this project with the lab's settings."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.layout = deployment.layout
        self.folder = agency_folder(self.layout)

    def environment(self) -> dict[str, str]:
        """Nothing of the platform's but its programs: own state, own passphrase, own kubeconfig."""
        kept = {name: value for name, value in self.deployment.environment().items() if name not in _PLATFORM}
        return {
            **kept,
            "PYTHONPATH": str(CHECKOUT),
            "PULUMI_BACKEND_URL": f"file://{self.folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE_FILE": str(self.folder / "passphrase"),
            "KUBECONFIG": str(self.kubeconfig),
        }

    @property
    def kubeconfig(self) -> Path:
        """The credentials of its CI, which end after a day."""
        return self.folder / "kubeconfig"

    def up(self, edit: Edit | None = None, *words: str, progress: Progress | None = None) -> Outcome:
        """`pulumi up` of its stack file, or of one with a change."""
        self._prepare()
        file = stack_file(self.layout)
        if edit is not None:
            content = filled(images(self.layout))
            edit(content["config"])
            file = self.folder / "Pulumi.variant.yaml"
            _write(file, yaml.safe_dump(content), salt=encryption_salt(stack_file(self.layout)))
        more = ["--stack", _STACK, "--yes", "--skip-preview", "--config-file", str(file), *words]
        events, log = self.folder / "events", self.layout.logs / "pulumi-agency.log"
        return self.deployment.engine_run(
            ["up", *more], self.folder, self.environment(), events, log, progress=progress
        )

    def _prepare(self) -> None:
        """The project, its stack and a new token."""
        (self.folder / "state").mkdir(parents=True, exist_ok=True)
        _link_venv(self.folder)
        program = project_files(
            "python",
            tenant=AGENCY,
            namespaces=[NAMESPACE],
            domain="butikk.example.no",
            registry="registry.lab.example.no/",
            repository="https://git.example.no/vds-platform.git",
            version="0.1.0",
        )["__main__.py"]
        (self.folder / "__main__.py").write_text(program)
        described = {"name": AGENCY, "runtime": {"name": "python", "options": {"virtualenv": ".venv"}}}
        (self.folder / "Pulumi.yaml").write_text(yaml.safe_dump(described))
        passphrase = self.folder / "passphrase"
        if not passphrase.exists():
            passphrase.touch(mode=0o600)
            passphrase.write_text(secrets.token_urlsafe(24))
        self.kubeconfig.touch(mode=0o600)
        token = ci_token(Cluster(self.layout.kubeconfig), NAMESPACE, _TOKEN_SECONDS)
        self.kubeconfig.write_text(for_ci(self.layout.kubeconfig.read_text(), STACK, NAMESPACE, token))
        _write(stack_file(self.layout), yaml.safe_dump(filled(images(self.layout)), allow_unicode=True))
        environment = self.environment()
        if not list((self.folder / "state").rglob(f"{_STACK}.json")):
            words = ["stack", "init", _STACK, "--no-select"]
            self.deployment.quietly(words, folder=self.folder, environment=environment)
        _recover(self.deployment, self.folder / "state", self.folder, _STACK, environment)


def _link_venv(folder: Path) -> None:
    """The project's virtual environment, which has the platform's own modules."""
    link = folder / ".venv"
    if not link.is_symlink():
        link.symlink_to(sys.prefix)


def _write(file: Path, text: str, *, salt: str = "") -> None:
    """With the line that the engine has added to an earlier file."""
    file.write_text(text + (salt or encryption_salt(file)))


def _recover(deployment: Deployment, backend: Path, folder: Path, stack: str, environment: Mapping[str, str]) -> None:
    """Undo what a killed update of a stack left: its lock is still there then."""
    if not list((backend / ".pulumi" / "locks").rglob(f"{stack}/*.json")):
        return
    done = deployment.vds(["recover", "--stack", stack], folder, environment)
    if done.returncode:
        raise LabError(f"the state of stack {stack} could not be recovered: {done.stderr.strip()}")
