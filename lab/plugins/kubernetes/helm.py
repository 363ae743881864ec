"""The helm binary: one call each for what a Release needs."""

import asyncio
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from lab.plugins.resource_server import ResourceError

_SECONDS = 300  # the official provider's and helm's own default
_ERROR_LINES = 20

# Inputs of a Release that are a flag of helm install and upgrade.
_FLAGS = {
    "atomic": "--atomic",
    "createNamespace": "--create-namespace",
    "dependencyUpdate": "--dependency-update",
    "devel": "--devel",
    "disableOpenapiValidation": "--disable-openapi-validation",
    "disableWebhooks": "--no-hooks",
    "renderSubchartNotes": "--render-subchart-notes",
    "skipCrds": "--skip-crds",
    "takeOwnership": "--take-ownership",
    "verify": "--verify",
    "waitForJobs": "--wait-for-jobs",
}
_UPGRADE_FLAGS = {
    "cleanupOnFail": "--cleanup-on-fail",
    "forceUpdate": "--force",
    "resetValues": "--reset-values",
    "reuseValues": "--reuse-values",
}
_OPTIONS = {
    "version": "--version",
    "description": "--description",
    "keyring": "--keyring",
    "postrender": "--post-renderer",
}
_REPOSITORY_FILES = {"caFile": "--ca-file", "certFile": "--cert-file", "keyFile": "--key-file"}

Release = Mapping[str, Any]


class HelmError(ResourceError):
    """What helm said on standard error."""

    @property
    def not_found(self) -> bool:
        return "release: not found" in str(self)


class Helm:
    """Helm against one cluster. Values, passwords and kubeconfig never appear among its arguments."""

    def __init__(self, kubeconfig: str | None, context: str | None) -> None:
        self._kubeconfig = kubeconfig
        self._context = context

    async def install(self, release: Release, *, seconds: float) -> dict[str, Any]:
        return await self._deploy("install", release, seconds)

    async def upgrade(self, release: Release, *, seconds: float) -> dict[str, Any]:
        return await self._deploy("upgrade", release, seconds)

    async def status(self, name: str, namespace: str) -> dict[str, Any] | None:
        """The release as helm stores it, or None."""
        with self._environment() as environment:
            try:
                answer = await _run(["status", name, "-n", namespace, "-o", "json"], environment, b"")
            except HelmError as error:
                if error.not_found:
                    return None
                raise
        found: dict[str, Any] = json.loads(answer)
        return found

    async def uninstall(self, name: str, namespace: str, *, wait: bool, seconds: float) -> None:
        arguments = ["uninstall", name, "-n", namespace, "--timeout", f"{seconds:.0f}s"]
        with self._environment() as environment:
            try:
                await _run(arguments + ["--wait"] * wait, environment, b"")
            except HelmError as error:
                if not error.not_found:
                    raise

    async def _deploy(self, verb: str, release: Release, seconds: float) -> dict[str, Any]:
        with self._environment() as environment:
            chart, repository = await _chart(release, environment)
            arguments = [verb, str(release["name"]), chart, *repository, "-n", str(release["namespace"])]
            arguments += ["-o", "json", "--values", "-", "--timeout", f"{seconds:.0f}s"]
            arguments += flags(verb, release)
            values = yaml.safe_dump(release.get("values") or {}).encode()
            answer: dict[str, Any] = json.loads(await _run(arguments, environment, values))
        return answer

    @contextmanager
    def _environment(self) -> Iterator[dict[str, str]]:
        """The process's environment, with a private folder for the kubeconfig and the repositories."""
        with tempfile.TemporaryDirectory(prefix="pulumi-helm-") as folder:
            environment = dict(os.environ) | {
                "HELM_REPOSITORY_CONFIG": f"{folder}/repositories.yaml",
                "KUBECACHEDIR": f"{folder}/kinds",  # else helm keeps what it learns of every cluster in the user's home
            }
            if self._kubeconfig and ("\n" in self._kubeconfig or self._kubeconfig.lstrip().startswith("{")):
                file = Path(folder, "kubeconfig")
                file.touch(mode=0o600)
                file.write_text(self._kubeconfig)
                environment["KUBECONFIG"] = str(file)
            elif self._kubeconfig:
                environment["KUBECONFIG"] = str(Path(self._kubeconfig).expanduser())
            if self._context:
                environment["HELM_KUBECONTEXT"] = self._context
            yield environment


def flags(verb: str, release: Release) -> list[str]:
    """Helm's flags for the inputs of a Release."""
    known = _FLAGS | (_UPGRADE_FLAGS if verb == "upgrade" else {"replace": "--replace"})
    arguments = [flag for name, flag in known.items() if release.get(name)]
    for name, option in _OPTIONS.items():
        if release.get(name):
            arguments += [option, str(release[name])]
    if not release.get("skipAwait") and not release.get("atomic"):  # --atomic waits by itself
        arguments.append("--wait")
    if verb == "upgrade" and release.get("maxHistory") is not None:
        arguments += ["--history-max", str(release["maxHistory"])]
    return arguments


async def _chart(release: Release, environment: Mapping[str, str]) -> tuple[str, list[str]]:
    """The chart's name for helm, and the options of its repository."""
    repository = release.get("repositoryOpts") or {}
    chart, url = str(release["chart"]), repository.get("repo")
    files = [
        word
        for name, option in _REPOSITORY_FILES.items()
        if repository.get(name)
        for word in (option, repository[name])
    ]
    if not url:
        return chart, files
    if not repository.get("password"):
        return chart, ["--repo", url, *files]
    # A password can be given on standard input only to `helm repo add`.
    login = ["--username", str(repository.get("username", "")), "--password-stdin"]
    await _run(["repo", "add", "release", url, *login, *files], environment, str(repository["password"]).encode())
    return f"release/{chart}", []


async def _run(arguments: list[str], environment: Mapping[str, str], stdin: bytes) -> bytes:
    helm = shutil.which("helm", path=environment.get("PATH"))
    if helm is None:
        raise ResourceError("helm is not on the PATH: a Release needs it where the official plugin is missing")
    process = await asyncio.create_subprocess_exec(
        helm,
        *arguments,
        env=dict(environment),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        output, errors = await process.communicate(stdin)
    finally:
        if process.returncode is None:
            process.terminate()
    if process.returncode != 0:
        lines = errors.decode(errors="replace").strip().splitlines()
        raise HelmError("\n".join(lines[-_ERROR_LINES:]).removeprefix("Error: ") or f"helm {arguments[0]} failed")
    return output


def seconds(release: Release, custom: float) -> float:
    """How long to wait: the resource's custom timeout, the Release's own, or the usual."""
    return custom or float(release.get("timeout") or _SECONDS)
