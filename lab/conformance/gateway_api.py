"""The Gateway API conformance tests, for the platform's GatewayClass."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from components.gateway.render import gateway_calls
from components.gateway.routes import redirect_route, redirects
from components.stackfile.spec import PlatformSpec
from lab.cluster import FIELD_MANAGER, Cluster, Manifest
from lab.conformance import objects
from lab.conformance.suite import Result, Run, Suite, go_test, implementation, read_profiles
from lab.processes import LabError

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
    """Set the platform's redirects and limits of calls aside, and remove what of the suite's classes is left.

    Traefik serves every Gateway at one address and port. A redirect of all names to HTTPS would answer for the suite's
    Gateways too. The suite's backends are in no tenant's namespace, so Traefik may not call them.
    """
    before = set(objects.items(run.cluster, _CLASSES))
    file = run.report.with_name(ASIDE)
    set_aside(run.cluster, run.spec, file)
    try:
        yield
    finally:
        put_back(run.cluster, file)
        for name in set(objects.items(run.cluster, _CLASSES)) - before:
            objects.remove(run.cluster, f"{_CLASSES}/{name}")


def set_aside(cluster: Cluster, spec: PlatformSpec, file: Path) -> None:
    """Delete the routes that redirect to HTTPS and the policies of Traefik's calls, once they are written down."""
    gateway = spec.gateway
    wanted = [redirect_route(listener, gateway) for listener in redirects(gateway)]
    wanted += gateway_calls(gateway, spec.gateway_context)
    found = [live for item in wanted if (live := cluster.get(item))]
    file.write_text(json.dumps([{"manager": _manager(live), "manifest": _essence(live)} for live in found]))
    for item in found:
        cluster.delete(item)


def put_back(cluster: Cluster, file: Path) -> None:
    """Make what is set aside anew as it was; fine where nothing is."""
    if not file.exists():
        return
    for kept in json.loads(file.read_text()):
        objects.apply(cluster, cluster.path_of(kept["manifest"]), kept["manifest"], manager=kept["manager"])
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
