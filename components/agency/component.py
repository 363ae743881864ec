"""The components of the package: they read the contract in the namespace and declare what fits it."""

from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar, get_args

import pulumi
from pulumi.errors import InputPropertiesError
from pulumi.provider.experimental import host
from pydantic.fields import FieldInfo

from components.agency import args as inputs
from components.agency import model
from components.agency.reading import AgencyError, read, read_contract
from components.agency.render import Part, parts, route_manifest
from components.agency.rules import app_problems, route_problems
from components.apply import apply
from components.core.finding import Finding
from components.core.model import Spec
from components.core.names import child
from components.gateway.canary.hook import keep_weights
from components.gateway.waits import API
from components.kubernetes_api import Cluster
from components.tenancy.registration.contract import CONTRACT, GROUP, KIND, VERSION, ContractSpec

PACKAGE = "vds-agency"
Item = TypeVar("Item", model.App, model.Route, model.GrpcRoute)


class App(pulumi.ComponentResource):
    """One app: its pods, its Service, and who may call it. A canary runs beside the stable version."""

    service: pulumi.Output[str]
    """Name of the Service of the stable version."""

    def __init__(self, name: str, args: inputs.AppArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(f"{PACKAGE}:index:App", name, None, opts)
        both = _checked(self, name, args, model.App, app_problems)
        made = [_declare(self, name, part, both) for part in parts("canary" in args)]
        self.service = both.apply(lambda both: str(both[0].name))
        self.register_outputs({"service": self.service, "objects": [one.id for one in made]})


class Route(pulumi.ComponentResource):
    """Requests from outside for one app, through the platform's gateway, with a share for the app's canary."""

    urls: pulumi.Output[list[str]]
    """Where the route answers."""

    def __init__(self, name: str, args: inputs.RouteArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(f"{PACKAGE}:index:Route", name, None, opts)
        both = _checked(self, name, args, model.Route, route_problems)
        keeps = None
        if "steps" in (args.get("canary") or {}):
            keeps = keep_weights(child(name, "weights"), _own_cluster, _REMEDY)
        _declare(self, name, Part("route", API, "HTTPRoute", route_manifest), both, keeps)
        self.urls = both.apply(lambda both: [f"https://{host}" for host in both[0].hostnames])
        self.register_outputs({"urls": self.urls, "canaryCeilingPercent": _ceiling(both)})


class GrpcRoute(pulumi.ComponentResource):
    """Requests of gRPC from outside for one app, through the platform's gateway, with a share for the app's canary."""

    urls: pulumi.Output[list[str]]
    """Where the route answers."""

    def __init__(self, name: str, args: inputs.GrpcRouteArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(f"{PACKAGE}:index:GrpcRoute", name, None, opts)
        both = _checked(self, name, args, model.GrpcRoute, route_problems)
        _declare(self, name, Part("route", API, "GRPCRoute", route_manifest), both)
        self.urls = both.apply(lambda both: [f"https://{host}" for host in both[0].hostnames])
        self.register_outputs({"urls": self.urls, "canaryCeilingPercent": _ceiling(both)})


def _ceiling(both: pulumi.Output[tuple[Item, ContractSpec]]) -> pulumi.Output[int]:
    """The contract's, for the policy gateway-canary."""
    return both.apply(lambda both: both[1].canary_ceiling_percent)


def _checked(
    parent: pulumi.Resource,
    name: str,
    args: Mapping[str, Any],
    kind: type[Item],
    problems: Callable[[Item, ContractSpec], list[Finding]],
) -> pulumi.Output[tuple[Item, ContractSpec]]:
    """The settings as a model, and the contract. Raises RunError in the output, with every problem."""
    contract = _Contract(child(name, "contract"), args["namespace"], parent)

    def check(known: list[Any]) -> tuple[Item, ContractSpec]:
        try:
            item, contract = read(kind, name, _as_written(known[0], kind)), read_contract(known[1])
            if wrong := problems(item, contract):
                raise AgencyError(wrong)
        except AgencyError as error:
            raise _shown(error) from None
        return item, contract

    return pulumi.Output.all(pulumi.Output.from_input(dict(args)), contract.spec).apply(check)


class _Contract(pulumi.CustomResource):
    """The contract as the cluster has it. `CustomResource.get` of the Kubernetes SDK does not give its spec."""

    spec: pulumi.Output[Any]

    def __init__(self, name: str, namespace: pulumi.Input[str], parent: pulumi.Resource) -> None:
        version = metadata.version("pulumi-kubernetes")
        options = pulumi.ResourceOptions(
            parent=parent, id=pulumi.Output.concat(namespace, "/", CONTRACT), version=version
        )
        super().__init__(f"kubernetes:{GROUP}/{VERSION}:{KIND}", name, {"spec": None}, options)


def _shown(error: AgencyError) -> Exception:
    """As the engine shows it without a traceback: of a package's component, or of a program's own."""
    if not host.is_hosting:
        return pulumi.RunError(str(error))
    # The list may be empty and not None: pulumi 3.272 (create_grpc_invalid_properties_status) fails by itself then.
    return InputPropertiesError(str(error), [])


_REMEDY = "set KUBECONFIG to the one file that the provider has, or remove canary.steps first"


async def _own_cluster() -> Cluster:
    """The cluster of the kubeconfig that the default provider has. No program can ask a provider for its kubeconfig."""
    from kubernetes.config.kube_config import KUBE_CONFIG_DEFAULT_LOCATION  # slow, and only an update needs it

    return Cluster(Path(KUBE_CONFIG_DEFAULT_LOCATION).expanduser().read_text(encoding="utf-8"))


def _declare(
    parent: pulumi.Resource,
    name: str,
    part: Part,
    both: pulumi.Output[tuple[Item, ContractSpec]],
    more: pulumi.ResourceOptions | None = None,
) -> pulumi.CustomResource:
    def rendered(field: str) -> pulumi.Output[Any]:
        return both.apply(lambda known: part.render(*known)[field])

    fields = ("metadata", "automountServiceAccountToken" if part.kind == "ServiceAccount" else "spec")
    manifest = {"apiVersion": part.api_version, "kind": part.kind, **{field: rendered(field) for field in fields}}
    options = pulumi.ResourceOptions.merge(pulumi.ResourceOptions(parent=parent), more)
    return apply(child(name, part.role), manifest, options)


def _as_written(value: Any, annotation: Any) -> Any:
    """Settings with the names of the stack file: the SDK gives them Python's."""
    model_ = _model_in(annotation)
    if model_ is None or value is None:
        return value
    if isinstance(value, list):
        return [_as_written(one, model_) for one in value]
    if annotation is not model_ and any(origin is dict for origin in (getattr(annotation, "__origin__", None),)):
        return {key: _as_written(one, model_) for key, one in value.items()}
    fields: Mapping[str, FieldInfo] = model_.model_fields
    return {
        fields[key].alias if key in fields else key: _as_written(one, fields[key].annotation) if key in fields else one
        for key, one in value.items()
    }


def _model_in(annotation: Any) -> type[Spec] | None:
    """The group of settings that an annotation is, or has within: `tuple[Match, ...]` → Match."""
    if isinstance(annotation, type) and issubclass(annotation, Spec):
        return annotation
    return next((found for one in get_args(annotation) if (found := _model_in(one))), None)
