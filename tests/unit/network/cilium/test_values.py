"""Rendered values against the published charts."""

import itertools

import pytest

from components.core.versions import matches
from components.network.cilium.chart.explain import explain
from components.network.cilium.chart.nested import flatten
from components.network.cilium.chart.trial import Made
from components.network.cilium.values import cilium_values
from components.network.model import ChartContext
from components.network.rules import cni_problems
from components.stackfile.parsing import parse
from tests.support.chart_values import schema_errors, unknown_keys
from tests.support.cilium_trials import trial
from tests.support.modules import cilium_chart, cilium_versions
from tests.support.networks import GENEVE, NATIVE, VXLAN, cilium
from tests.support.stacks import ROOT, stack, stack_data

WITHOUT_RELAY = {"listenAddress": "", "relay": {"enabled": False}, "tls": {"enabled": False}}
VERSIONS = [version for version in cilium_versions() if matches(version, ">=1.18")]
NETWORK = stack("oslo").network
SNAT = {"mode": "snat"}
PATHS = [
    (VXLAN, SNAT),
    (GENEVE, SNAT),
    (GENEVE, {"mode": "dsr", "dispatch": "geneve"}),
    (NATIVE, SNAT),
    (NATIVE, {"mode": "dsr", "dispatch": "opt"}),
    (NATIVE, {"mode": "hybrid", "dispatch": "geneve"}),
]
CASES = [
    cilium(version, routing, loadBalancing=balancing, install={"kind": "helm"}, **more)
    for version, (routing, balancing), more in itertools.product(
        VERSIONS,
        PATHS,
        [
            {},
            {"encryption": "wireguard", "l7Proxy": False, "devices": ["eth0", "eth1"], "upgradedFrom": "1.16"},
            {"hubble": False, "l7Proxy": False, "healthProbes": False},
            {"gatewayApi": True, "hubbleRelay": False},
        ],
    )
]


def values(cni):
    return cilium_values(cni, NETWORK, ChartContext("oslo"))


@pytest.mark.parametrize("version", VERSIONS)
def test_every_key_is_one_that_the_release_knows(version):
    for cni in CASES:
        if cni.version == version:
            assert unknown_keys(values(cni), cilium_chart(version)) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_every_value_fits_the_releases_schema(version):
    for cni in CASES:
        if cni.version == version:
            assert schema_errors(values(cni), cilium_chart(version)) == []


@pytest.mark.parametrize("cni", CASES, ids=str)
def test_everything_rendered_passes_the_rules(cni):
    assert cni_problems(cni, NETWORK) == []


def test_an_older_cilium_is_refused_with_the_command_that_carries_its_values():
    (problem,) = cni_problems(cilium("1.17.18"), NETWORK)
    assert "is not between 1.18 and 1.20" in problem.message
    assert "vds cilium-values migrate" in problem.remedy


def test_dsr_in_geneve_without_a_tunnel_names_the_protocol():
    geneve = {"mode": "dsr", "dispatch": "geneve"}
    assert values(cilium("1.18.2", NATIVE, loadBalancing=geneve))["tunnelProtocol"] == "geneve"


@pytest.mark.parametrize("release", ["1.18.2", "1.19.6", "1.20.2"])
@pytest.mark.parametrize(("routing", "balancing"), [PATHS[0], PATHS[2], PATHS[5]])
def test_no_release_ignores_or_refuses_a_value_of_ours(release, routing, balancing):
    """`explain` says what Helm is silent about; of what we render it must have nothing to say."""
    more = {"upgradedFrom": "1.13", "devices": ["eth0"], "encryption": "wireguard", "l7Proxy": False}
    cni = cilium(release, routing, loadBalancing=balancing, install={"kind": "helm"}, **more)
    found = explain(flatten(values(cni)), trial(release))
    assert [finding for finding in found if not finding.as_meant] == []


@pytest.mark.parametrize("release", VERSIONS)
def test_no_release_waits_for_certificates_that_a_hook_makes_after_the_wait(release):
    """A Release of ours waits for its pods, and hooks run after the wait (cilium#40381).

    The Job's certificates do not change at every render, as those of the chart's default do.
    """
    hubble = values(cilium(release, install={"kind": "helm"}))["hubble"]
    with_relay = {
        "relay": {"enabled": True, "rollOutPods": True},
        "tls": {"auto": {"enabled": True, "method": "cronJob"}},
    }
    assert hubble == {"enabled": True, **(WITHOUT_RELAY if matches(release, "<1.19") else with_relay)}


@pytest.mark.parametrize("release", VERSIONS)
def test_without_a_relay_agents_listen_on_no_port_and_need_no_certificates(release):
    cni = cilium(release, install={"kind": "helm"}, hubbleRelay=False)
    assert values(cni)["hubble"] == {"enabled": True, **WITHOUT_RELAY}
    made = trial(release).of(flatten(values(cni)))
    assert isinstance(made, Made), made
    assert (made.config["enable-hubble"], made.config["hubble-listen-address"]) == ("true", "")
    assert not [name for name in made.texts if "Job" in name or "hubble-relay" in name]
    assert "hubble-server-certs" not in "".join(made.texts.values())


def test_a_preview_says_why_hubbles_relay_is_missing():
    data = stack_data("oslo")
    data["cni"]["version"] = "1.18.12"
    (said,) = [text for text in map(str, parse(data, base_dir=ROOT).advice) if text.startswith("cni.hubble")]
    assert "without Hubble's relay" in said
    assert "write version 1.19 or newer" in said
    for more in ({"hubble": False}, {"hubbleRelay": False}, {"version": "1.19.6"}):
        bent = {**data, "cni": {**data["cni"], **more}}
        assert not any("relay" in str(text) for text in parse(bent, base_dir=ROOT).advice)
