"""Pools and gateway as the program declares them: the manifests' own bytes, and what comes after what."""

from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest

from components.core.manifests import key
from components.pools.render import metallb_manifests
from tests.support.certificates import authority
from tests.support.manifests import gateway_manifests
from tests.support.modules import CILIUM, pinned
from tests.support.program import Declared, Program, committed, run_program
from tests.support.schemas import crd_errors
from tests.support.stacks import stack, stack_data


def objects(program: Program) -> dict[tuple[str, str, str, str], Declared]:
    return {
        key(item.inputs): item
        for item in program.resources.values()
        if item.type.startswith("kubernetes:") and "kind" in item.inputs
    }


def after(program: Program, item: Declared) -> set[str]:
    """Names of everything that must be there before the item, components expanded to what they hold."""
    found: set[str] = set()
    waiting = [*item.depends_on]
    while waiting:
        urn = waiting.pop()
        if urn in program.resources and program.resources[urn].name not in found:
            found.add(program.resources[urn].name)
            waiting += program.resources[urn].depends_on
    return found


def behind_cilium() -> dict[str, Any]:
    """Oslo's stack file with Cilium for a gateway."""
    data = stack_data("oslo")
    data["gateway"] |= {"install": {"kind": "existing"}, "controllerName": "io.cilium/gateway-controller"}
    data["cni"]["gatewayApi"] = True
    return data


@pytest.mark.parametrize("name", ["lab", "oslo"])
def test_what_is_declared_is_what_was_rendered(name: str) -> None:
    platform, declared = stack(name), objects(committed(name))
    rendered = [
        *metallb_manifests(platform.metallb, platform.metallb_context),
        *gateway_manifests(platform),
    ]
    for made in rendered:
        assert declared[key(made)].inputs == made


@pytest.mark.parametrize("name", ["lab", "oslo"])
def test_traefik_starts_beside_metallb_and_its_service_waits_for_the_pools(name: str) -> None:
    program = committed(name)
    made = {item.name: item for item in program.resources.values()}
    assert not [other for other in after(program, made["gateway-traefik-deployment"]) if other.startswith("metallb")]
    for waiting in ("gateway-traefik-service", "gateway-gateway"):
        assert "metallb-pool-public" in after(program, made[waiting])


def test_the_gateway_waits_for_its_data_plane_and_programs_itself() -> None:
    program = committed("oslo")
    [made] = program.of("v1:Gateway")
    assert {"gateway-class", "gateway-traefik-deployment", "gateway-traefik-service"} <= after(program, made)
    assert made.inputs["metadata"]["annotations"]["pulumi.com/waitFor"] == (
        '["condition=Programmed", "jsonpath={.status.addresses[0].value}"]'
    )


def test_pools_wait_for_the_webhook_that_would_refuse_them() -> None:
    program = committed("oslo")
    [pool] = program.of(":IPAddressPool")
    assert {"metallb-chart", "metallb-webhook"} <= after(program, pool)
    [advertisement] = program.of(":L2Advertisement")
    assert "metallb-pool-public" in after(program, advertisement)


def test_charts_are_pinned_and_where_they_come_from_is_written_down() -> None:
    for release in committed("oslo").of(":Release"):
        assert release.inputs["version"]
        assert release.inputs["repositoryOpts"]["repo"].startswith("https://")
        assert "atomic" not in release.inputs, "a rollback takes away the pods that say why it failed"


def test_where_somebody_else_runs_them_nothing_is_installed() -> None:
    data = stack_data("oslo")
    data["metallb"]["install"] = data["gateway"]["install"] = {"kind": "existing"}
    program = run_program("oslo", data)
    assert [item.inputs["name"] for item in program.of(":Release")] == ["cilium"]
    assert program.of(":Deployment") == []
    namespaces = {item.inputs["metadata"]["name"] for item in program.of(":Namespace")}
    assert namespaces == set()


# --- certificates in one run -----------------------------------------------------------------------------


def by_acme(solver: dict[str, Any]) -> dict[str, Any]:
    data = stack_data("oslo")
    acme = {"server": "https://ntp.nordic-vds.example.no/directory", "solver": solver}
    issuer = {"kind": "cert-manager", "version": "1.21.2", "acme": acme}
    listeners = [
        {"name": "http", "port": 80, "protocol": "HTTP", "redirect": "https"},
        {"name": "a", "port": 443, "protocol": "HTTPS", "hostname": "butikk.example.no", "certificateSecret": "a"},
    ]
    data["gateway"] |= {"issuer": issuer, "listeners": listeners}
    return data


def test_acme_over_http_comes_after_everything_that_it_needs() -> None:
    program = run_program("oslo", by_acme({"kind": "http-01"}))
    made = {item.name: item for item in program.resources.values()}
    order = [
        "cni-cilium",
        "metallb-pool-public",
        "gateway-gateway",
        "gateway-redirect-http",
        "gateway-certificate-a",
    ]
    for first, then in pairwise(order):
        assert first in after(program, made[then]), (first, then)
    assert "gateway-issuer-chart" in after(program, made["gateway-issuer"])
    assert {"gateway-issuer", "gateway-issuer-chart"} <= after(program, made["gateway-certificate-a"])
    [chart] = [item for item in program.of(":Release") if item.inputs["name"] == "cert-manager"]
    assert "cni-cilium" in after(program, chart)
    assert chart.inputs["version"] == "v1.21.2"


def test_acme_over_dns_comes_before_the_gateway_and_its_key_is_encrypted() -> None:
    by = {"kind": "rfc2136", "nameserver": "198.51.100.53", "keyName": "vds"}
    program = run_program("oslo", by_acme({"kind": "dns-01", "by": by}), dnsKey="c2VjcmV0")
    made = {item.name: item for item in program.resources.values()}
    assert "gateway-certificate-a" in after(program, made["gateway-gateway"])
    assert made["gateway-issuer-dns-key"].secret_inputs == {"data"}


def test_a_private_authority_signs_before_the_gateway_and_says_until_when() -> None:
    certificate, key = authority()
    data = stack_data("oslo")
    today = date.today() - timedelta(days=1)
    issuer = {"kind": "private-ca", "caCertificate": certificate, "validFrom": str(today), "days": 90, "renewDays": 30}
    data["gateway"]["issuer"] = issuer
    runs = [run_program("oslo", data, issuerKey=key) for _ in range(2)]
    [first, second] = [program.of("core/v1:Secret") for program in runs]
    assert [item.inputs for item in first] == [item.inputs for item in second]
    [secret] = first
    assert secret.secret_inputs == {"data"}
    assert secret.urn in runs[0].of("v1:Gateway")[0].depends_on
    ends = {"wildcard-example-no": str(today + timedelta(days=90))}
    assert runs[0].outputs["gateway"]["certificatesEnd"] == ends
    assert key not in str(runs[0].outputs) + str(runs[0].log)


def test_the_dns_records_to_make_are_an_output() -> None:
    data = stack_data("oslo")
    data["gateway"]["address"] = "198.51.100.201"
    found = run_program("oslo", data).outputs["gateway"]
    assert found["address"] == "198.51.100.201"
    assert found["dnsRecords"] == {"*.example.no": "198.51.100.201"}


def test_ciliums_gateway_opens_no_port_on_nodes_either() -> None:
    program = run_program("oslo", behind_cilium())
    [config] = program.of(":CiliumGatewayClassConfig")
    assert config.inputs["spec"]["service"]["allocateLoadBalancerNodePorts"] is False
    assert crd_errors(config.inputs, CILIUM, pinned("cilium")) == []
    [gateway_class] = program.of(":GatewayClass")
    reference = gateway_class.inputs["spec"]["parametersRef"]
    where = config.inputs["metadata"]
    assert (reference["name"], reference["namespace"]) == (where["name"], where["namespace"])
    assert {"gateway-class-config", "gateway-namespace"} <= after(program, gateway_class)
