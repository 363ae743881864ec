"""How Cilium's agents carry packets, compared with the stack file."""

import json
from typing import Any

import pytest

from components.network.model import Cilium
from components.stackfile.parsing import parse
from components.stackfile.spec import PlatformSpec
from tests.support.stacks import ROOT, stack, stack_data
from vds.doctor.agents import agent_row
from vds.doctor.diagnosis import GatewayFinding
from vds.shared.ssh import Run

LAB = stack("lab")
MTUS = """\
Prefix      DeviceMTU   RouteMTU   RoutePostEncryptMTU
0.0.0.0/0   1500        {route}    {route}
::/0        1500        {route}    {route}
"""


def answer(*, routing: Any = None, proxy: str = "True", mode: str = "SNAT", mtu: int = 1450, **more: Any) -> str:
    """As `cilium-dbg status -o json` of 1.20 has it, and `cilium-dbg shell -- db/show mtu`."""
    status = {
        "cilium": {"state": "Ok"},
        "routing": routing or {"inter-host-routing-mode": "Tunnel", "tunnel-protocol": "vxlan"},
        "kube-proxy-replacement": {"mode": proxy, "features": {"nodePort": {"enabled": True, "mode": mode, **more}}},
        "encryption": {"mode": "Disabled"},
    }
    return json.dumps(status, indent=2) + "\n" + MTUS.format(route=mtu)


def asked(spec: PlatformSpec, run: Run, output: str) -> GatewayFinding:
    assert isinstance(spec.cni, Cilium)
    return agent_row(spec.cni, spec.network, run, output)


def row(output: str, spec: PlatformSpec = LAB) -> GatewayFinding:
    return asked(spec, Run("osl-w-1", 0, ""), output)


def test_an_agent_that_carries_packets_as_the_stack_file_says() -> None:
    found = row(answer())
    assert found.state == "ok"
    assert found.measured == (
        "routing tunnel vxlan, kube-proxy replacement true, load balancing snat, encryption disabled, pod MTU 1450"
    )


NATIVE = {"inter-host-routing-mode": "Native", "tunnel-protocol": "vxlan"}


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (answer(routing=NATIVE), "routing is native, wanted tunnel vxlan"),
        (answer(mode="DSR", dsrMode="Geneve"), "load balancing is dsr, wanted snat"),
        (answer(mtu=1500), "pod MTU is 1500, wanted 1450"),
        (answer(proxy="False"), "kube-proxy replacement is false, wanted true"),
        (answer().replace("Disabled", "Wireguard"), "encryption is wireguard, wanted disabled"),
    ],
)
def test_an_agent_that_carries_them_in_another_way_fails(output: str, said: str) -> None:
    found = row(output)
    assert (found.state, found.measured) == ("fails", said)
    assert "rollout restart daemonset/cilium" in found.remedy


def test_dsrs_dispatch_is_compared_too() -> None:
    data = stack_data("lab")
    data["cni"] |= {
        "routing": {"mode": "native", "nativeCidr": "10.244.0.0/16", "routes": "same-l2"},
        "loadBalancing": {"mode": "dsr", "dispatch": "opt"},
        "podMtu": 1500,
    }
    spec = parse(data, base_dir=ROOT)
    good = {"routing": NATIVE, "mode": "DSR", "mtu": 1500}
    assert row(answer(**good, dsrMode="IP Option/Extension"), spec).state == "ok"
    assert row(answer(**good, dsrMode="Geneve"), spec).measured == "dispatch is Geneve, wanted IP Option/Extension"


@pytest.mark.parametrize(
    ("run", "output"),
    [
        (Run("osl-w-1", None, "node osl-w-1: could not be reached"), ""),
        (Run("osl-w-1", 3, "node osl-w-1 runs no container cilium-agent"), ""),
        (Run("osl-w-1", 0, ""), "no JSON"),
        (Run("osl-w-1", 0, ""), answer().rpartition("Prefix")[0]),
        (Run("osl-w-1", 0, ""), "{}"),
    ],
)
def test_an_agent_that_could_not_be_asked_is_unknown_and_never_good(run: Run, output: str) -> None:
    found = asked(LAB, run, output)
    assert found.state == "unknown"
    assert found.measured
    assert found.remedy
