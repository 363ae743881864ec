"""The objects of an app and of a route. Their defaults keep Pod Security `restricted`. Pure."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from components.agency.model import CANARY, GATEWAY, SERVICE_PORT, AnyRoute, App
from components.core import labels
from components.core.manifests import Manifest, manifest
from components.core.pod_policies import tcp
from components.gateway.model import GrpcRoute
from components.gateway.routes import grpc_route, http_route
from components.tenancy.registration.contract import ContractSpec

_NAME = "app.kubernetes.io/name"
"""On both versions of an app; network policies select by it."""
_INSTANCE = "app.kubernetes.io/instance"
"""On one version: `api` or `api-canary`."""
_STOP_SECONDS = 5
"""A pod that ends still answers for so long: the gateway needs the time to learn that it ends."""


class Part(NamedTuple):
    """One object of an app, before its contract is known."""

    role: str
    """Its name among the component's children."""
    api_version: str
    kind: str
    render: Callable[[Any, ContractSpec], Manifest]


def parts(canary: bool) -> list[Part]:
    """The objects of an app, in the order in which they are applied."""
    versions = [False, True] if canary else [False]
    return [
        Part("account", "v1", "ServiceAccount", _account),
        Part("traffic", "networking.k8s.io/v1", "NetworkPolicy", _traffic),
        *(part for version in versions for part in _version(version)),
    ]


def app_manifests(app: App, contract: ContractSpec) -> list[Manifest]:
    """All objects of an app."""
    return [part.render(app, contract) for part in parts(app.canary is not None)]


def route_manifest(route: AnyRoute, contract: ContractSpec) -> Manifest:
    """The HTTPRoute or GRPCRoute, on the listeners of the contract's gateway. The API server takes no other parents."""
    gateway = contract.gateway
    in_set = {"kind": "ListenerSet", "name": contract.tenant}
    parents = [
        {
            **(in_set if listener in gateway.listener_set else {"name": gateway.name}),
            "namespace": gateway.namespace,
            "sectionName": listener,
        }
        for listener in ([route.listener] if route.listener else gateway.listeners)
    ]
    whole = route.on_gateway(contract.tenant)
    made = grpc_route(whole, parents) if isinstance(whole, GrpcRoute) else http_route(whole, parents)
    if len(parents) > 1:
        # A listener for another of the tenant's domains does not accept the route: no condition says when it is ready.
        del made["metadata"]["annotations"][labels.WAIT_FOR]
    return made


def _version(canary: bool) -> list[Part]:
    role = f"-{CANARY}" if canary else ""
    return [
        Part(f"service{role}", "v1", "Service", lambda app, contract: _service(app, contract, canary)),
        Part(f"pods{role}", "apps/v1", "Deployment", lambda app, contract: _deployment(app, contract, canary)),
        Part(
            f"disruption{role}",
            "policy/v1",
            "PodDisruptionBudget",
            lambda app, contract: _budget(app, contract, canary),
        ),
    ]


def _inside(app: App, contract: ContractSpec, name: str, api_version: str, kind: str, **body: Any) -> Manifest:
    named = {labels.TENANT: contract.tenant, _NAME: app.name}
    return manifest(api_version, kind, name, namespace=app.namespace, labels=named, **body)


def _instance(app: App, canary: bool) -> str:
    return f"{app.name}-{CANARY}" if canary else app.name


def _account(app: App, contract: ContractSpec) -> Manifest:
    return _inside(app, contract, app.name, "v1", "ServiceAccount", automountServiceAccountToken=False)


def _traffic(app: App, contract: ContractSpec) -> Manifest:
    """Who may call both versions, and which apps they call. Names and registered destinations are the platform's."""
    data_plane = contract.gateway.data_plane_namespace
    callers: list[dict[str, Any]] = [{"podSelector": _pods(name)} for name in sorted(app.callers) if name != GATEWAY]
    if GATEWAY in app.callers and data_plane:
        callers.append({"namespaceSelector": {"matchLabels": {labels.NAMESPACE_NAME: data_plane}}})
    spec: dict[str, Any] = {
        "podSelector": _pods(app.name),
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": callers, "ports": tcp(app.port)}] if callers else [],
        "egress": [
            {"to": [{"podSelector": _pods(call.app)}], "ports": tcp(call.port)}
            for call in sorted(app.calls, key=lambda call: (call.app, call.port))
        ],
    }
    return _inside(app, contract, app.name, "networking.k8s.io/v1", "NetworkPolicy", spec=spec)


def _service(app: App, contract: ContractSpec, canary: bool) -> Manifest:
    name = _instance(app, canary)
    port = {"name": "http", "port": SERVICE_PORT, "targetPort": app.port, "protocol": "TCP"}
    spec = {"type": "ClusterIP", "selector": {_INSTANCE: name}, "ports": [port]}
    return _inside(app, contract, name, "v1", "Service", spec=spec)


def _budget(app: App, contract: ContractSpec, canary: bool) -> Manifest:
    name = _instance(app, canary)
    spec = {"maxUnavailable": 1, "selector": {"matchLabels": {_INSTANCE: name}}}
    return _inside(app, contract, name, "policy/v1", "PodDisruptionBudget", spec=spec)


def _deployment(app: App, contract: ContractSpec, canary: bool) -> Manifest:
    name = _instance(app, canary)
    version = app.canary if canary and app.canary else app
    labelled = {
        labels.TENANT: contract.tenant,
        _NAME: app.name,
        _INSTANCE: name,
        **{f"{labels.EGRESS}{destination}": "true" for destination in sorted(app.egress)},
    }
    spec = {
        "replicas": version.replicas,
        "selector": {"matchLabels": {_INSTANCE: name}},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "template": {
            "metadata": {"labels": labelled},
            "spec": _pod(app, name, version.image, {**app.env, **version.env}),
        },
    }
    return _inside(app, contract, name, "apps/v1", "Deployment", spec=spec)


def _pod(app: App, name: str, image: str, env: Mapping[str, str]) -> dict[str, Any]:
    user = {} if app.user is None else {"runAsUser": app.user}
    volumes = [
        {"name": f"writable-{number}", "emptyDir": {"sizeLimit": app.disk}} for number in range(len(app.writable))
    ]
    return {
        "serviceAccountName": app.name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {"runAsNonRoot": True, **user, "seccompProfile": {"type": "RuntimeDefault"}},
        # A name with two dots is asked for as it is: with the default of 5, each call outside asks four times.
        "dnsConfig": {"options": [{"name": "ndots", "value": "2"}]},
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": {_INSTANCE: name}},
            }
        ],
        "containers": [_container(app, image, env)],
        **({"volumes": volumes} if volumes else {}),
    }


def _container(app: App, image: str, env: Mapping[str, str]) -> dict[str, Any]:
    variables: list[dict[str, Any]] = [{"name": key, "value": env[key]} for key in sorted(env)]
    variables += [
        {"name": key, "valueFrom": {"secretKeyRef": {"name": one.secret, "key": one.key}}}
        for key, one in sorted(app.secret_env.items())
    ]
    check: dict[str, Any] = {"tcpSocket": {"port": app.port}}
    if app.health_path is not None:
        check = {"httpGet": {"path": app.health_path, "port": app.port}}
    made: dict[str, Any] = {
        "name": app.name,
        "image": image,
        "ports": [{"name": "http", "containerPort": app.port, "protocol": "TCP"}],
        "resources": {
            "requests": {"cpu": app.cpu, "memory": app.memory, "ephemeral-storage": app.disk},
            "limits": {"cpu": app.cpu_limit, "memory": app.memory, "ephemeral-storage": app.disk},
        },
        "readinessProbe": {**check, "periodSeconds": 5},
        "livenessProbe": {**check, "periodSeconds": 10, "failureThreshold": 6},
        # So that a request on its way still reaches the pod: Kubernetes 1.30 and newer.
        "lifecycle": {"preStop": {"sleep": {"seconds": _STOP_SECONDS}}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    for field, value in (("command", list(app.command)), ("args", list(app.args)), ("env", variables)):
        if value:
            made[field] = value
    if app.writable:
        made["volumeMounts"] = [
            {"name": f"writable-{number}", "mountPath": path} for number, path in enumerate(app.writable)
        ]
    return made


def _pods(app: str) -> dict[str, Any]:
    return {"matchLabels": {_NAME: app}}
