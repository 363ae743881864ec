"""Rendered values against the charts themselves, where the reference data is beside the checkout."""

import itertools
import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from components.base import version_tuple
from components.cni.chart_keys import releases
from components.cni.cilium_config import cilium_config
from components.cni.explain import explain
from components.cni.leaves import leaves
from components.cni.rules import cni_problems
from components.cni.values import cilium_values
from components.parsing import parse
from tests.support.reference import DATA
from tests.support.stacks import ROOT, stack, stack_data
from tests.unit.cni.test_mtu import GENEVE, NATIVE, VXLAN, cilium

CHARTS = DATA / "cilium-values"
VERSIONS = ["1.11.5", "1.14.2", "1.14.4", "1.16.1", "1.17.18", "1.18.12", "1.19.6", "1.20.0"]
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
            {"gatewayApi": True},
        ],
    )
    if version != "1.11.5" or ("gatewayApi" not in more and balancing.get("dispatch") != "geneve")
]


def chart(version: str, name: str) -> Path:
    path = CHARTS / version / name
    if not path.exists():
        pytest.skip(f"no reference data for Cilium {version} beside the checkout ({name})")
    return path


def values(cni):
    return cilium_values(cni, NETWORK, cluster="oslo")


def with_commented_keys(text):
    """The chart's values, with the keys that stand there as comments: optional ones, which have no default."""
    known = yaml.safe_load(text)
    section = None
    for line in text.splitlines():
        if top := re.match(r"(# ?)?(\w+):", line):
            section = top[2]
            known.setdefault(section, None)
        elif (inner := re.match(r"  # ?(\w+):", line)) and isinstance(known.get(section), dict):
            known[section].setdefault(inner[1], None)
    return known


def unknown(given, known, path=""):
    for key, value in given.items():
        if key not in known:
            yield f"{path}{key}"
        elif isinstance(value, dict) and isinstance(known[key], dict) and key != "extraConfig":  # takes any key
            yield from unknown(value, known[key], f"{path}{key}.")


@pytest.mark.parametrize("version", VERSIONS)
def test_every_key_is_one_that_the_release_knows(version):
    known = with_commented_keys(chart(version, "values.yaml").read_text())
    for cni in CASES:
        if cni.version == version:
            assert list(unknown(values(cni), known)) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_every_value_fits_the_releases_schema(version):
    if version < "1.16":
        pytest.skip(f"Cilium {version} has no schema")
    validator = jsonschema.validators.validator_for({})(json.loads(chart(version, "values.schema.json").read_text()))
    for cni in CASES:
        if cni.version == version:
            assert [error.message for error in validator.iter_errors(values(cni))] == []


@pytest.mark.parametrize("cni", CASES, ids=str)
def test_everything_rendered_passes_the_rules(cni):
    assert cni_problems(cni, NETWORK) == []


def test_words_that_a_release_refuses_are_never_written():
    for cni in CASES:
        rendered = values(cni)
        words = ("strict", "disabled") if cni.version == "1.11.5" else ("true", "false")
        assert rendered["kubeProxyReplacement"] in words
        assert rendered["enableIPv4Masquerade"] is True
        assert ("tunnel" in rendered) == (cni.version in ("1.11.5", "1.14.2")) != ("routingMode" in rendered)
        if "gatewayClass" in rendered.get("gatewayAPI", {}):
            assert isinstance(rendered["gatewayAPI"]["gatewayClass"]["create"], str)


def test_the_links_mtu_reaches_agents_whose_chart_has_no_key_for_it():
    assert values(cilium("1.12.19"))["extraConfig"] == {"mtu": "1500"}
    assert "MTU" not in values(cilium("1.12.19"))
    assert values(cilium("1.13.0"))["MTU"] == 1500


def test_dsr_in_geneve_without_a_tunnel_names_the_protocol_where_the_release_wants_it():
    geneve = {"mode": "dsr", "dispatch": "geneve"}
    said = {
        version: values(cilium(version, NATIVE, loadBalancing=geneve)) for version in ("1.14.2", "1.14.4", "1.15.0")
    }
    assert [words.get("tunnelProtocol") for words in said.values()] == [None, "geneve", "geneve"]


@pytest.mark.parametrize("release", releases())
def test_no_release_ignores_or_refuses_a_value_of_ours(release):
    """`explain` says what Helm is silent about; of what we render it must have nothing to say."""
    for routing, balancing in PATHS:
        for more in ({}, {"upgradedFrom": "1.13", "devices": ["eth0"], "encryption": "wireguard", "l7Proxy": False}):
            cni = cilium(release, routing, loadBalancing=balancing, install={"kind": "helm"}, **more)
            if not cni_problems(cni, NETWORK):
                found = explain(leaves(values(cni)), release)
                assert [finding for finding in found if not finding.as_meant] == []


def test_hubbles_certificates_do_not_change_at_every_render():
    assert values(cilium())["hubble"]["tls"]["auto"]["method"] == "cronJob"


@pytest.mark.parametrize("release", releases())
def test_no_release_waits_for_certificates_that_a_hook_makes_after_the_wait(release):
    """A Release of ours waits, and rolls back what is not up; hooks run after the wait (cilium#40381)."""
    hubble = values(cilium(release, install={"kind": "helm"}))["hubble"]
    hook = (1, 14) <= version_tuple(release)[:2] < (1, 19)
    assert hubble == {
        "enabled": True,
        "relay": {"enabled": not hook},
        "tls": {"auto": {"enabled": True, "method": "cronJob"}},
    }


def test_a_preview_says_why_hubbles_relay_is_missing():
    data = stack_data("oslo")
    (said,) = [text for text in parse(data, base_dir=ROOT).advice if text.startswith("cni.hubble")]
    assert "without Hubble's relay" in said
    assert "write version 1.19 or newer" in said
    for more in ({"hubble": False}, {"version": "1.19.6"}, {"version": "1.13.18"}):
        bent = {**data, "cni": {**data["cni"], **more}}
        assert not any("relay" in text for text in parse(bent, base_dir=ROOT).advice)


def test_chart_and_configmap_say_the_same():
    """Both come from one model: what the chart would render is what the ConfigMap has."""
    same = {
        "MTU": "mtu",
        "routingMode": "routing-mode",
        "kubeProxyReplacement": "kube-proxy-replacement",
        "ipv4NativeRoutingCIDR": "ipv4-native-routing-cidr",
        "autoDirectNodeRoutes": "auto-direct-node-routes",
        "enableIPv4Masquerade": "enable-ipv4-masquerade",
        "l7Proxy": "enable-l7-proxy",
        "healthChecking": "enable-health-checking",
    }
    for cni in CASES:
        if cni.version < "1.16":  # their agents call routing otherwise
            continue
        rendered, config = values(cni), cilium_config(cni, NETWORK, cluster="oslo")
        for value, key in same.items():
            assert (str(rendered[value]).lower() if value in rendered else None) == config.get(key)
        assert rendered["loadBalancer"]["mode"] == config["bpf-lb-mode"]
        assert rendered["loadBalancer"].get("dsrDispatch") == config.get("bpf-lb-dsr-dispatch")
        assert rendered["cluster"]["name"] == config["cluster-name"]
        if "tunnelProtocol" in rendered:
            assert rendered["tunnelProtocol"] == config["tunnel-protocol"]


def test_the_configmap_names_no_place_on_a_machine():
    for cni in CASES:
        assert not any(
            "/" in value for key, value in cilium_config(cni, NETWORK, cluster="x").items() if "cidr" not in key
        )
