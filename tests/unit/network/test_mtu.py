import pytest

from components.network.kinds import cni_advice
from components.network.model import Calico, CalicoHelm
from components.network.mtu import solve
from tests.support.networks import GENEVE, NATIVE, VXLAN, cilium


@pytest.mark.parametrize(
    ("version", "routing", "encryption", "pod"),
    [
        ("1.11.5", VXLAN, "none", 1450),
        ("1.14.4", NATIVE, "wireguard", 1420),
        ("1.14.4", VXLAN, "wireguard", 1420),
        ("1.16.1", NATIVE, "none", 1500),
        ("1.16.1", VXLAN, "none", 1450),
        ("1.18.2", GENEVE, "none", 1450),
        ("1.16.1", NATIVE, "wireguard", 1420),
        ("1.14.5", VXLAN, "wireguard", 1420),
        ("1.14.7", VXLAN, "wireguard", 1370),
        ("1.15.19", VXLAN, "wireguard", 1370),
        ("1.16.1", VXLAN, "wireguard", 1370),
        ("1.18.2", VXLAN, "wireguard", 1370),
        ("1.18.2", GENEVE, "ipsec", 1373),
        ("1.19.4", NATIVE, "wireguard", 1420),
        ("1.19.5", NATIVE, "wireguard", 1405),
        ("1.19.6", NATIVE, "wireguard", 1405),
        ("1.20.0", VXLAN, "wireguard", 1355),
    ],
)
def test_the_pods_mtu_is_what_the_agents_themselves_computed(version, routing, encryption, pod):
    assert solve(cilium(version, routing, encryption=encryption), 1500).pod == pod


def test_cilium_is_told_the_links_mtu_and_calico_the_pods():
    calico = Calico(kind="calico", version="3.32.1", install=CalicoHelm(kind="helm"), encapsulation="VXLAN")
    assert solve(cilium(), 1500)[:3] == (1450, 1500, "MTU")
    assert solve(calico, 1500)[:3] == (1450, 1450, "calicoNetwork.mtu")


@pytest.mark.parametrize(("encapsulation", "pod"), [("None", 1500), ("IPIP", 1480), ("VXLANCrossSubnet", 1450)])
def test_calicos_encapsulations(encapsulation, pod):
    calico = Calico(kind="calico", version="3.32.1", install=CalicoHelm(kind="helm"), encapsulation=encapsulation)
    assert solve(calico, 1500).pod == pod


def test_the_arithmetic_is_shown():
    assert solve(cilium(encryption="wireguard"), 1500).arithmetic == "1500 − 50 (VXLAN) − 80 (WireGuard) = 1370"
    assert solve(cilium(routing=NATIVE), 9000).arithmetic == "9000 − 0 (native routing) = 9000"


def test_jumbo_frames_carry_jumbo_pods():
    assert solve(cilium(), 9000).pod == 8950


@pytest.mark.parametrize("version", ["1.14.6", "1.18.12"])
def test_an_arithmetic_that_was_not_run_says_so(version):
    assert "not measured on this release" in solve(cilium(version, encryption="wireguard"), 1500).arithmetic
    assert "not measured" not in solve(cilium(version), 1500).arithmetic


def test_the_option_of_dsr_is_said_where_a_clients_packet_leaves_it_no_room():
    """8 bytes on every UDP packet between nodes: pods' MTU stays, for the packets are the clients'."""
    dsr = cilium(routing=NATIVE, hubble=False, loadBalancing={"mode": "dsr", "dispatch": "opt"})
    assert solve(dsr, 1500).pod == 1500
    (said,) = cni_advice(dsr, 1500)
    assert "1500 − 8 (IPv4 option) = 1492 fit" in said.message
    assert "write mode: hybrid" in said.remedy
    assert cni_advice(dsr, 1507) != []
    assert cni_advice(dsr, 1508) == cni_advice(dsr, 9000) == []
    for balancing in ({"mode": "hybrid", "dispatch": "opt"}, {"mode": "snat"}):
        assert cni_advice(cilium(routing=NATIVE, hubble=False, loadBalancing=balancing), 1500) == []


def test_a_clients_packet_in_geneve_needs_62_bytes_more_than_the_client_sends():
    """pkg/mtu: TunnelOverhead 50 and DsrTunnelOverhead 12."""
    dsr = cilium(routing=NATIVE, hubble=False, loadBalancing={"mode": "dsr", "dispatch": "geneve"})
    assert solve(dsr, 1500).pod == 1500
    (said,) = cni_advice(dsr, 1500)
    assert "1500 − 50 (Geneve) − 12 (its option) = 1438 fit" in said.message
    assert "give the links between nodes 1562 or more" in said.remedy
    assert cni_advice(dsr, 1561) != []
    assert cni_advice(dsr, 1562) == []
