"""The Gateway API conformance tests, for the platform's GatewayClass."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from components.core.untrusted import yaml_value
from components.gateway.model import GatewaySpec, HttpListener, Listener
from components.gateway.render import gateway_calls
from components.gateway.routes import redirect_route, redirects
from components.stackfile.spec import PlatformSpec
from lab.cluster import FIELD_MANAGER, Cluster, Manifest
from lab.conformance import objects
from lab.conformance.suite import Result, Run, Suite, go_test, implementation, read_profiles
from lab.deploy import Deployment
from lab.processes import LabError
from lab.stack_file import SPEC

_CLASSES = "/apis/gateway.networking.k8s.io/v1/gatewayclasses"
# From Traefik's own report for this version of the suite.
_PROFILES = ("GATEWAY-HTTP", "GATEWAY-GRPC", "GATEWAY-TLS")
ASIDE = "set-aside.json"
"""Where routes are kept while they are set aside, beside the reports."""


def _arguments(run: Run) -> list[str]:
    gateway = run.spec.gateway
    features = supported(objects.items(run.cluster, _CLASSES)[gateway.class_name]) - set(run.expected.exempt)
    return [
        *go_test("TestConformance"),
        f"--gateway-class={gateway.class_name}",
        f"--conformance-profiles={','.join(_PROFILES)}",
        f"--supported-features={','.join(sorted(features))}",
        f"--report-output={run.report}",
        *implementation("traefik", "https://traefik.io/", run.tools.version("traefik")),
    ]


def supported(gateway_class: dict[str, Any]) -> set[str]:
    """The features that the data plane says it has, in its class's status."""
    found = {feature["name"] for feature in (gateway_class.get("status") or {}).get("supportedFeatures") or []}
    if not found:
        raise LabError(f"gateway class {gateway_class['metadata']['name']} names no supported feature in its status")
    return found


def _read(text: str) -> Result:
    return read_profiles(text, ("core", "extended"))


@contextmanager
def _prepared(run: Run) -> Iterator[None]:
    """Open the suite's ports, set the platform's redirects and limits of calls aside, and remove afterwards what of the
    suite's classes is left.

    The suite's Gateways have ports that a stack file need not have, and Traefik listens on those of the stack file. It
    serves every Gateway at one address: a redirect of all names to HTTPS would answer for the suite's Gateways too. The
    suite's backends are in no tenant's namespace, so Traefik may not call them.
    """
    before = set(objects.items(run.cluster, _CLASSES))
    file = run.report.with_name(ASIDE)
    file.write_text("[]")
    try:
        variant = run.report.with_name("Pulumi.gateway-api.yaml")
        run.deployment.prepare()
        variant.write_text(with_ports(run.deployment.config_file.read_text(), run.spec.gateway))
        _up(run.deployment, variant)
        gateway = run.spec.gateway.model_copy(
            update={"listeners": (*run.spec.gateway.listeners, *_more(run.spec.gateway))}
        )
        set_aside(run.cluster, run.spec.model_copy(update={"gateway": gateway}), file)
        yield
    finally:
        put_back(run.cluster, run.deployment, file)
        for name in set(objects.items(run.cluster, _CLASSES)) - before:
            objects.remove(run.cluster, f"{_CLASSES}/{name}")


def _more(gateway: GatewaySpec) -> tuple[Listener, ...]:
    """Listeners on the ports of the suite's Gateways (its base manifests and tests, version 1.5.1)."""
    plain = (HttpListener(name=f"suite-{port}", port=port, protocol="HTTP", redirect="https") for port in (8080, 8090))
    [secure, *_] = gateway.https
    return (*plain, *(secure.model_copy(update={"name": f"suite-{port}", "port": port}) for port in (8443, 8883)))


def with_ports(stack_file: str, gateway: GatewaySpec) -> str:
    """A stack file whose gateway listens on the suite's ports too."""
    content = yaml_value(stack_file)
    listeners: list[Any] = content["config"][SPEC]["gateway"]["listeners"]
    listeners += [one.model_dump(mode="json", by_alias=True, exclude_none=True) for one in _more(gateway)]
    return yaml.safe_dump(content)


def _up(deployment: Deployment, config_file: Path | None = None) -> None:
    outcome = deployment.run("up", config_file=config_file)
    if outcome.exit_code:
        raise LabError(f"pulumi up failed:\n{outcome.diagnostics}")


def set_aside(cluster: Cluster, spec: PlatformSpec, file: Path) -> None:
    """Delete the routes that redirect to HTTPS and the policies of Traefik's calls, once they are written down."""
    gateway = spec.gateway
    wanted = [redirect_route(listener, gateway) for listener in redirects(gateway)]
    wanted += gateway_calls(gateway, spec.gateway_context)
    found = [live for item in wanted if (live := cluster.get(item))]
    file.write_text(json.dumps([{"manager": _manager(live), "manifest": _essence(live)} for live in found]))
    for item in found:
        cluster.delete(item)


def put_back(cluster: Cluster, deployment: Deployment, file: Path) -> None:
    """Make what is set aside anew as it was, and deploy the lab's own stack file; fine where nothing was changed."""
    if not file.exists():
        return
    for kept in json.loads(file.read_text()):
        objects.apply(cluster, cluster.path_of(kept["manifest"]), kept["manifest"], manager=kept["manager"])
    deployment.prepare()
    deployment.recover()
    _up(deployment)
    file.unlink()


def _essence(live: Manifest) -> Manifest:
    meta = {
        key: live["metadata"][key] for key in ("name", "namespace", "labels", "annotations") if key in live["metadata"]
    }
    return {"apiVersion": live["apiVersion"], "kind": live["kind"], "metadata": meta, "spec": live["spec"]}


def _manager(live: Manifest) -> str:
    """Who applied it: under another name, two managers would own its fields."""
    fields = live["metadata"].get("managedFields") or []
    return next(
        (str(f["manager"]) for f in fields if f.get("operation") == "Apply" and not f.get("subresource")), FIELD_MANAGER
    )


SUITE = Suite(
    name="gateway-api",
    tool="gateway-conformance",
    report="gateway-api.yaml",
    minutes=20,
    namespaces=r"gateway-(conformance|api)-.+",
    arguments=_arguments,
    read=_read,
    prepared=_prepared,
)
