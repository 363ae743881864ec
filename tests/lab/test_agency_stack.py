"""An agency's stack, changed by the real engine with the tenant's own rights on a real API server."""

import json
import shutil
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.agency.component import PACKAGE
from components.gateway.canary import weights
from components.gateway.canary.record import PROGRESS
from components.gateway.canary.route import backends, canary_route
from components.kubernetes_api import ApiError, Cluster
from components.tenancy.bundle import cluster_manifests, namespace_manifests, registered_namespace
from components.tenancy.registration.contract import contract, contract_definition
from lab.plugins.install import BINARIES
from lab.processes import wait_until
from tests.support.agency import FULL_APP, FULL_ROUTE, IMAGE, NAMESPACE, project
from tests.support.api_server import api_server
from tests.support.engine import Engine
from tests.support.modules import GATEWAY_API, pinned
from tests.support.registrations import ENVIRONMENT, environment, registration
from tests.support.schemas import crds
from tests.support.stacks import ROOT
from vds.canary import running
from vds.canary.running import Canaried

pytestmark = pytest.mark.lab

AT_ONCE = """
import pulumi


def at_once(args):
    def without(metadata):
        return {**metadata, "annotations": {"pulumi.com/skipAwait": "true"}}

    if "metadata" in args.props:
        args.props["metadata"] = pulumi.Output.from_input(args.props["metadata"]).apply(without)
    return pulumi.ResourceTransformationResult(args.props, args.opts)


pulumi.runtime.register_stack_transformation(at_once)
"""
"""There is no cluster behind the API server, so no pod ever runs."""

REMOTE = """
import pulumi

config = pulumi.Config()
for kind in ("App", "Route"):
    for name, settings in config.require_object(kind.lower() + "s").items():
        pulumi.ComponentResource(f"vds-agency:index:{kind}", name, settings, None, True)
"""
"""What the SDK that `pulumi package add` makes does, without its types."""

ROUTE = f"/apis/gateway.networking.k8s.io/v1/namespaces/{NAMESPACE}/httproutes/shop"
USER = registration().owner.ci[0]
SETTINGS: dict[str, Any] = {
    "apps": {
        "api": {"namespace": NAMESPACE, "image": IMAGE, **FULL_APP},
        "frontend": {"namespace": NAMESPACE, "image": IMAGE, "calls": [{"app": "api", "port": 8080}]},
        "database": {"namespace": NAMESPACE, "image": IMAGE, "port": 5432, "callers": ["api"]},
    },
    "routes": {"shop": {"namespace": NAMESPACE, "hostnames": ["butikk.example.no"], "app": "api", **FULL_ROUTE}},
}


class Stack:
    """The Python template with other settings, and the API server."""

    def __init__(self, folder: Path, kubeconfig: str) -> None:
        self.api = Cluster(kubeconfig)
        self.engine = Engine(folder / "engine", "passphrase")
        self._install_plugins()
        shutil.copytree(ROOT / "packages", self.engine.project / "packages")
        as_tenant = json.loads(kubeconfig)
        as_tenant["users"][0]["user"]["as"] = USER
        file = folder / "tenant.kubeconfig"
        file.write_text(json.dumps(as_tenant))
        self.kubeconfig = file
        self.engine.environment["KUBECONFIG"] = str(file)
        for name in ("Pulumi.yaml", "__main__.py"):
            (self.engine.project / name).unlink()
        plugins = {"providers": [{"name": PACKAGE, "path": "packages/agency"}]}
        described = {**yaml.safe_load(project("python")["Pulumi.yaml"]), "plugins": plugins}
        (self.engine.project / "Pulumi.yaml").write_text(yaml.safe_dump(described))
        self.name = ""

    def begin(self, name: str) -> None:
        """Make a stack. No garbage collector runs here, so an update that deletes an object would not end."""
        self.name = name
        self.engine.file(name).write_text("config: {}\n")
        self.engine.must("stack", "init", name, "--no-select")

    def _install_plugins(self) -> None:
        """Where the engine keeps plugins that it has downloaded: it looks for a package's own nowhere else."""
        for binary in BINARIES:
            kind, _, name = binary.removeprefix("pulumi-").partition("-")
            if kind == "resource":
                folder = Path(self.engine.environment["PULUMI_HOME"]) / "plugins"
                folder /= f"{kind}-{name}-v{metadata.version(f'pulumi-{name}')}"
                folder.mkdir(parents=True)
                (folder / binary).symlink_to((self.engine.folder / "bin" / binary).resolve())

    def run(self, operation: str, program: str, settings: dict[str, Any], **more: str) -> tuple[int, str]:
        """An operation of a program with these apps and routes: its code, and all that it says."""
        (self.engine.project / "__main__.py").write_text(program)
        config = {**{f"butikk:{key}": value for key, value in settings.items()}, **more}
        self.engine.file(self.name).write_text(yaml.safe_dump({"config": config}))
        at_once = ["--yes", "--skip-preview"] if operation == "up" else []
        done = self.engine.run(operation, "--stack", self.name, *at_once)
        return done.returncode, f"{done.stdout}{done.stderr}"

    def weights(self) -> list[int]:
        """Of the route in the cluster."""
        return [one["weight"] for one in self.api.request("GET", ROUTE)["spec"]["rules"][0]["backendRefs"]]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("agency")
    server = folder / "server"
    server.mkdir()
    with api_server(server) as kubeconfig:
        api = Cluster(kubeconfig)
        # With two listeners no condition says that a route is accepted, and no update waits for a controller.
        listeners = [
            *ENVIRONMENT["gateway"]["listeners"],
            {"name": "own", "port": 443, "hostname": "butikk.example.no"},
        ]
        gateway = {**ENVIRONMENT["gateway"], "listeners": listeners}
        registered, around = registration(), environment(cni="flannel", gateway=gateway)
        routes = [
            file
            for file in crds(GATEWAY_API, pinned("gateway-api"))
            if "httproutes" in file.name or "grpcroutes" in file.name
        ]
        # A quota without its controller refuses everything.
        wanted = [one for one in namespace_manifests(registered, NAMESPACE, around) if one["kind"] != "ResourceQuota"]
        for one in (
            *(yaml.safe_load(file.read_text()) for file in routes),
            contract_definition(),
            registered_namespace(registered, NAMESPACE),
            *(one for one in cluster_manifests(around) if one["apiVersion"].partition("/")[0].endswith(".k8s.io")),
            contract(registered, NAMESPACE, around),
            *wanted,
        ):
            _apply(api, one)
        yield Stack(folder, kubeconfig)


def _apply(api: Cluster, manifest: dict[str, Any]) -> None:
    """As the platform does. The server needs a moment for a new kind, and has the default ServiceAccount by itself."""
    last: list[str] = []

    def applied() -> bool:
        try:
            path = f"{api.path_of(manifest)}?fieldManager=test&force=true"
            api.text("PATCH", path, json.dumps(manifest), content_type="application/apply-patch+yaml")
        except (ApiError, LookupError) as error:
            last[:] = [str(error)]
            return False
        return True

    wait_until(applied, 60, lambda: f"{manifest}: {last}")


def test_the_engine_reads_the_packages_schema(stack: Stack) -> None:
    schema = json.loads(stack.engine.must("package", "get-schema", "./packages/agency"))
    assert set(schema["resources"]) == {f"{PACKAGE}:index:{kind}" for kind in ("App", "Route", "GrpcRoute")}


def test_the_template_is_deployed_with_the_tenants_rights_and_moves_its_canary(stack: Stack) -> None:
    stack.begin("prod")
    program = AT_ONCE + project("python")["__main__.py"]
    assert stack.run("up", program, SETTINGS)[0] == 0, stack.run("preview", program, SETTINGS)[1]
    assert stack.weights() == [90, 10]
    moved = {**SETTINGS, "routes": {"shop": {**SETTINGS["routes"]["shop"], "canary": {"percent": 50}}}}
    assert stack.run("up", program, moved)[0] == 0
    assert stack.weights() == [50, 50]
    above = {**SETTINGS, "routes": {"shop": {**SETTINGS["routes"]["shop"], "canary": {"percent": 60}}}}
    code, text = stack.run("up", program, above)
    assert code != 0
    forged = stack.api.request("GET", ROUTE)["spec"]
    forged["rules"][0]["backendRefs"][1]["weight"] = 60
    with pytest.raises(ApiError, match="gateway-canary"):  # the API server holds the same contract
        stack.api.request("PATCH", ROUTE, {"spec": forged})
    assert "its canary gets 60 %, and the contract's ceiling is 50 %" in text
    assert stack.weights() == [50, 50]


def test_a_grpc_route_has_the_same_ceiling_at_the_api_server(stack: Stack) -> None:
    stack.begin("grpc")
    route = {"namespace": NAMESPACE, "hostnames": ["orders.butikk.example.no"], "app": "api", "canary": {"percent": 10}}
    settings = {"apps": {}, "routes": {}, "grpcRoutes": {"orders": {**route, "methods": ["butikk.v1.Orders"]}}}
    code, said = stack.run("up", project("python")["__main__.py"], settings)
    assert code == 0, said
    path = f"/apis/gateway.networking.k8s.io/v1/namespaces/{NAMESPACE}/grpcroutes/orders"
    spec = stack.api.request("GET", path)["spec"]
    [rule] = spec["rules"]
    assert [one["weight"] for one in rule["backendRefs"]] == [90, 10]
    rule["backendRefs"][1]["weight"] = 900
    with pytest.raises(ApiError, match="gateway-canary"):
        Cluster(stack.kubeconfig.read_text()).request("PATCH", path, {"spec": spec})


STEPPED: dict[str, Any] = {"steps": [5, 25, 50, 100], "hold": "1m", "gates": [{"kind": "success", "marginPercent": 2}]}


def with_steps(name: str, **fields: Any) -> dict[str, Any]:
    """A route of its own, whose canary has steps unless it is said otherwise."""
    route = {"namespace": NAMESPACE, "hostnames": ["butikk.example.no"], "app": "api", "canary": STEPPED}
    return {"apps": {}, "routes": {name: {**route, **fields}}}


@pytest.mark.parametrize("program", ["remote", pytest.param("python", marks=pytest.mark.nightly)])
def test_a_canary_with_steps_keeps_the_share_of_its_record_beside_every_update(stack: Stack, program: str) -> None:
    """In the program's own process, and in the package's: hooks must work in both."""
    name, text = f"stepped-{program}", {"python": project("python")["__main__.py"], "remote": REMOTE}[program]
    tenant = Cluster(stack.kubeconfig.read_text())
    stack.begin(name)

    def up(**fields: Any) -> None:
        code, said = stack.run("up", text, with_steps(name, **fields))
        assert code == 0, said

    def live() -> dict[str, Any]:
        return weights.read(stack.api, NAMESPACE, name)

    def owners() -> list[str]:
        return [one["manager"] for one in live()["metadata"]["managedFields"]]

    up()
    assert weights.percent(live()) == 0
    found, before = Canaried(tenant, canary_route(live())), owners()
    assert (found.plan.steps, found.plan.gates[0].margin) == ((5, 25, 50, 100), 0.02)
    running.begin(found, holder="test/0", now=1000.0)
    assert found.set_weights(5) is True, "with the tenant's own rights"
    up()
    assert weights.percent(live()) == 5, "an update without a change"
    up(addHeaders={"X-One": "1"})
    assert weights.percent(live()) == 5, "an update that changes another field"
    running.promote(found, 1100.0)
    stack.engine.must("refresh", "--yes", "--skip-preview", "--stack", name)
    running.abort(found, 1200.0)
    up(addHeaders={"X-Two": "2"})
    assert weights.percent(live()) == 0, "the state of the refresh has 25, and the canary was rolled back since"
    [filters] = live()["spec"]["rules"][0]["filters"]
    assert filters["requestHeaderModifier"]["add"] == [{"name": "X-Two", "value": "2"}]
    assert owners() == before, "Pulumi is the only owner"

    with pytest.raises(ApiError, match="gateway-canary"):
        found.set_weights(60)
    assert found.set_weights(100), "the last step may be over the ceiling"

    lease = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/canary.{name}"
    stack.api.request("PATCH", lease, {"metadata": {"annotations": {PROGRESS: "{"}}})
    code, said = stack.run("up", text, with_steps(name, addHeaders={"X-Three": "3"}))
    assert code != 0
    assert f"is not changed, because the record of its canary can't be read (Lease canary.{name} is damaged" in said
    assert "X-Three" not in json.dumps(live()["spec"])

    up(canary={"percent": 10})
    assert [one["weight"] for one in backends(live())] == [90, 10]
    up()
    assert weights.percent(live()) == 0, "a canary that gets steps begins with nothing"
    assert found.read() is None


def test_a_route_with_steps_is_not_changed_where_its_record_is_not_found(stack: Stack) -> None:
    stack.begin("elsewhere")
    program = project("python")["__main__.py"]
    assert stack.run("up", program, with_steps("elsewhere"))[0] == 0
    stack.engine.environment["KUBECONFIG"], right = str(stack.kubeconfig) + ".other", str(stack.kubeconfig)
    config = {"kubernetes:kubeconfig": stack.kubeconfig.read_text()}
    try:
        code, said = stack.run("up", program, with_steps("elsewhere", addHeaders={"X-One": "1"}), **config)
    finally:
        stack.engine.environment["KUBECONFIG"] = right
    assert code != 0
    assert "set KUBECONFIG to the one file that the provider has" in said
    assert "X-One" not in json.dumps(weights.read(stack.api, NAMESPACE, "elsewhere")["spec"])


def test_another_language_uses_the_same_components_and_reads_the_same_errors(stack: Stack) -> None:
    stack.begin("another-language")
    code, text = stack.run("preview", REMOTE, SETTINGS)
    assert code == 0, text
    assert "kubernetes:apps/v1:Deployment" in text
    wrong = {**SETTINGS, "routes": {"shop": {**SETTINGS["routes"]["shop"], "hostnames": ["nav.no"]}}}
    code, text = stack.run("preview", REMOTE, wrong)
    assert code != 0
    assert "nav.no is not a domain of this tenant; the contract has butikk.example.no: ask the platform team" in text
    assert "Unexpected" not in text
