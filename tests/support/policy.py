"""A harness for policy packs: resources in, violations out, in process.

It asks pulumi_policy's own analyzer, with requests as the engine sends them, so that unknown values and
enforcement levels are treated as in a real preview. The analyzer is private to the SDK: this is the one
place that would notice a change of it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from google.protobuf import struct_pb2
from pulumi.runtime.proto import analyzer_pb2
from pulumi_policy import EnforcementLevel, Policy
from pulumi_policy.policy import _PolicyAnalyzerServicer
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE

from components.core.finding import Finding
from policies import engine
from policies.offline import judge

UNKNOWN = UNKNOWN_STRING_VALUE
"""Stands where a value will only be known after an update."""


class Resource(NamedTuple):
    """A resource as the engine knows it: inputs for resource policies, outputs for stack policies."""

    type: str
    props: Mapping[str, Any]
    name: str = "it"
    parent: str | None = None
    """The name of its parent."""
    component: bool = False
    protect: bool = False
    provider: str = "default"
    """The name of its provider."""
    configured: bool = True
    """False: its provider is not configured yet, and the engine shows a stack's policies none of its properties."""
    asked: bool = True
    """False: nobody asked about it by itself before."""

    @property
    def urn(self) -> str:
        return f"urn:pulumi:test::foreign::{self.type}::{self.name}"


class Reported(NamedTuple):
    """What a policy said."""

    policy: str
    message: str
    mandatory: bool
    urn: str


def violations(
    policies: Sequence[Policy], resources: Sequence[Resource], config: Mapping[str, Mapping[str, Any]] | None = None
) -> list[Reported]:
    """Everything that the policies report for a stack of these resources; `config` by name of policy."""
    engine._ASKED.clear()  # the engine starts a process for each run
    engine._SHARED.clear()
    config = pack_config(config)
    analyzer = _PolicyAnalyzerServicer("pack", "0.0.0", list(policies), EnforcementLevel.MANDATORY, None)
    by_default = {
        policy.name: analyzer_pb2.ADVISORY
        if policy.enforcement_level == EnforcementLevel.ADVISORY
        else analyzer_pb2.MANDATORY
        for policy in policies
    }
    analyzer.Configure(
        analyzer_pb2.ConfigureAnalyzerRequest(
            policyConfig={
                name: analyzer_pb2.PolicyConfig(
                    enforcementLevel=_LEVELS.get(str(properties.pop("enforcementLevel", "")), by_default[name]),
                    properties=_struct(properties),
                )
                for name, properties in config.items()
                if name in by_default
            }
        ),
        None,
    )
    responses = [analyzer.Analyze(_request(resource), None) for resource in resources if resource.asked]
    responses.append(analyzer.AnalyzeStack(_stack_request(resources), None))
    return [
        Reported(
            found.policyName,
            found.message.partition("\n")[2] or found.message,
            found.enforcementLevel == analyzer_pb2.MANDATORY,
            found.urn,
        )
        for response in responses
        for found in response.diagnostics
    ]


_LEVELS = {
    "mandatory": analyzer_pb2.MANDATORY,
    "advisory": analyzer_pb2.ADVISORY,
    "disabled": analyzer_pb2.DISABLED,
}

HERE: dict[str, Any] = {
    "today": "2026-11-21",
    "stateBackend": "file:///var/lib/state",
    "seenClusters": {},
    "places": [
        {
            "name": "anywhere",
            "hosts": ["localhost", "quay.io", "docker.io", "*.example.no"],
            "networks": ["0.0.0.0/0", "::/0"],
            "country": "NO",
            "entity": "Test AS",
            "entityCountry": "NO",
            "purposes": ["addresses", "chart-repository", "egress", "image-registry", "state"],
        }
    ],
}
"""What the harness says of residency where a test says nothing: most tests are about something else."""


def of_manifest(manifest: Mapping[str, Any], index: int = 0) -> Resource:
    """A rendered manifest as a resource."""
    api, kind = str(manifest["apiVersion"]), manifest["kind"]
    return Resource(f"kubernetes:{api if '/' in api else f'core/{api}'}:{kind}", manifest, f"{kind}-{index}")


def findings(policy: str, *given: Mapping[str, Any] | Resource, **settings: Any) -> list[Finding]:
    """What one policy finds in resources and rendered manifests."""
    resources = [one if isinstance(one, Resource) else of_manifest(one, index) for index, one in enumerate(given)]
    return [found for found in judge(exported(resources), pack_config({policy: settings})) if found.rule == policy]


def pack_config(config: Mapping[str, Mapping[str, Any]] | None) -> dict[str, dict[str, Any]]:
    """The pack's configuration in a test."""
    given = {name: dict(settings) for name, settings in (config or {}).items()}
    ours = ("residency-destinations", "residency-state", "residency-exceptions", "residency-record")
    dated = {name: {"today": HERE["today"], **given.get(name, {})} for name in ("gateway-tls", "tenancy-pod-security")}
    return {**given, **dated, **{name: {**HERE, **given.get(name, {})} for name in ours}}


def _request(resource: Resource) -> analyzer_pb2.AnalyzeRequest:
    return analyzer_pb2.AnalyzeRequest(
        urn=resource.urn,
        type=resource.type,
        name=resource.name,
        properties=_struct(resource.props),
        options=analyzer_pb2.AnalyzerResourceOptions(protect=resource.protect),
        provider=_provider(resource),
    )


_STACK = Resource("pulumi:pulumi:Stack", {}, name="foreign-test", component=True)


def _stack_request(resources: Sequence[Resource]) -> analyzer_pb2.AnalyzeStackRequest:
    by_name = {resource.name: resource.urn for resource in resources}
    return analyzer_pb2.AnalyzeStackRequest(
        resources=[
            analyzer_pb2.AnalyzerResource(
                urn=resource.urn,
                type=resource.type,
                name=resource.name,
                properties=_struct(resource.props if resource.configured else {}),
                options=analyzer_pb2.AnalyzerResourceOptions(protect=resource.protect),
                provider=_provider(resource),
                parent="" if resource is _STACK else by_name.get(resource.parent or "", _STACK.urn),
            )
            for resource in [_STACK, *resources]
        ]
    )


def _provider(resource: Resource) -> analyzer_pb2.AnalyzerProviderResource | None:
    if resource.component:
        return None
    package = resource.type.partition(":")[0]
    return analyzer_pb2.AnalyzerProviderResource(type=f"pulumi:providers:{package}", name=resource.provider)


def _struct(properties: Mapping[str, Any]) -> struct_pb2.Struct:
    struct = struct_pb2.Struct()
    struct.update(properties)
    return struct


def exported(resources: Sequence[Resource]) -> dict[str, Any]:
    """The same resources as `pulumi stack export` has them: what nobody knows yet is encrypted there."""
    by_name = {resource.name: resource.urn for resource in resources}
    states = []
    for resource in [_STACK, *resources]:
        state: dict[str, Any] = {"urn": resource.urn, "type": resource.type, "custom": not resource.component}
        state |= {"inputs": _sealed(resource.props), "outputs": _sealed(resource.props), "protect": resource.protect}
        if resource is not _STACK:
            state["parent"] = by_name.get(resource.parent or "", _STACK.urn)
        if not resource.component:
            package = resource.type.partition(":")[0]
            state["provider"] = f"urn:pulumi:test::foreign::pulumi:providers:{package}::{resource.provider}::a-uuid"
        states.append(state)
    return {"version": 3, "deployment": {"manifest": {}, "resources": states}}


def _sealed(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _sealed(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_sealed(inner) for inner in value]
    signature = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1:x"}
    return signature if value == UNKNOWN else value
