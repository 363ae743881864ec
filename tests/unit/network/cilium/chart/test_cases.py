"""Values files that people published or that a fuzzer made, each with the right answer on some releases.

The files are in `cases/`. An answer names the keys that do not do what they say, with the verdict and a part of the
reason; every other key must do what it says. `migrate` must carry what ran, and never end well having lost a value.
"""

from pathlib import Path

import pytest
import yaml

from components.network.cilium.chart.explain import explain
from components.network.cilium.chart.migrate import migrate
from components.network.cilium.chart.nested import dotted, flatten, keys
from tests.support.cilium_trials import chart_options, trial
from tests.support.commands import vds

CASES = Path(__file__).parent / "cases"
FINE: dict[str, tuple[str, str]] = {}
REFUSED = "refused"

EXPLAINED = [
    ("01-nodeport-range", ["1.14.19", "1.18.2", "1.20.0"], FINE),
    ("02-partial-nodeport-dsr", ["1.13.18"], FINE),
    ("03-nodeport-without-kpr", ["1.15.19", "1.16.19", "1.17.1", "1.18.2"], FINE),
    ("03b-dead-key-comes-alive", ["1.17.1"], {"underlayProtocol": ("ignored", "no such key")}),
    ("04-gateway-nodeport", ["1.14.19", "1.16.19", "1.18.2"], FINE),
    ("05-dual-stack-native", ["1.15.19", "1.17.1"], {"routingMode": (REFUSED, "needs ipv6NativeRoutingCIDR")}),
    ("05-dual-stack-native", ["1.18.2", "1.20.0"], {"ipv6.enabled": ("fails", "ipv6NativeRoutingCIDR must be set")}),
    ("06-no-conntrack-tunnel", ["1.17.1", "1.18.2"],
     {"installNoConntrackIptablesRules": (REFUSED, "need native routing")}),
    ("06b-no-conntrack-without-bpf-masquerade", ["1.17.1", "1.18.2"],
     {"installNoConntrackIptablesRules": (REFUSED, "need full kube-proxy replacement, and bpf.masquerade")}),
    ("07-egress-gateway", ["1.15.19", "1.17.1", "1.18.2", "1.20.0"],
     {"egressGateway.enabled": (REFUSED, "needs IPv4 masquerade in eBPF")}),
    ("08-hubble-ui-without-relay", ["1.11.5", "1.17.1", "1.20.0"],
     {"hubble.ui.enabled": ("fails", "requires .Values.hubble.relay.enabled=true")}),
    ("09-cluster-id-without-name", ["1.15.19"], FINE),
    ("09-cluster-id-without-name", ["1.16.19", "1.20.0"], {"cluster.id": ("fails", "cannot use default value")}),
    ("10-cluster-name-underscore", ["1.16.19", "1.17.1"],
     {"cluster.name": ("fails", "must consist of lower case alphanumeric")}),
    ("11-bgp-without-announcements", ["1.11.5", "1.16.19"],
     {"bgp.enabled": ("fails", "no announcements were enabled")}),
    ("13-flux-placeholder", ["1.18.2"], {"hubble.serviceMonitor.enabled": ("ignored", "no such key")}),
    ("14-mtu-hetzner", ["1.17.0"], FINE),
    ("14b-kube-hetzner-tunnel", ["1.17.0"], FINE),
    ("16-multi-pool-tunnel", ["1.14.19", "1.15.19", "1.17.1"], {"ipam.mode": (REFUSED, "needs native routing")}),
    ("16-multi-pool-tunnel", ["1.18.2"], FINE),
    ("17-ipsec-nodeport", ["1.14.19", "1.15.19"], {"encryption.enabled": (REFUSED, "IPsec excludes node ports")}),
    ("17-ipsec-nodeport", ["1.16.19"], FINE),
    ("19-empty-tolerations", ["1.17.1", "1.19.6"], FINE),
    ("19-empty-tolerations", ["1.18.2"], {"operator.tolerations": ("fails", "YAML parse error")}),
    ("21-netkit-tproxy", ["1.20.0"], {"bpf.tproxy": ("fails", "cannot be enabled with")}),
    ("23-hubble-certmanager", ["1.18.2"], {"hubble.tls.auto.method": ("fails", "certManagerIssuerRef")}),
    ("25-ces-without-endpoint-crd", ["1.18.2"],
     {"disableEndpointCRD": ("fails", "requires .Values.disableEndpointCRD=false")}),
    ("26-upgrade-compatibility-float", ["1.20.0"],
     {"upgradeCompatibility": ("fails", "write it in quotes, as you meant it: '1.10' or '1.1'?")}),
    ("27-ipv6-only-tunnel", ["1.11.5", "1.17.1"], {"ipv4.enabled": (REFUSED, "a tunnel needs IPv4")}),
    ("27-ipv6-only-tunnel", ["1.18.2"], FINE),
    ("28-compat-1.11", ["1.13.2"], {"upgradeCompatibility": (REFUSED, "the agents of 1.13.2 know strict")}),
    ("32-bpf-masquerade-1.19", ["1.19.6", "1.20.0"],
     {"externalIPs.enabled": ("ignored", "no such key"), "nativeRoutingCIDR": ("ignored", "no such key")}),
    ("33-ip-masq-agent", ["1.17.1", "1.18.2"], {"ipMasqAgent.enabled": (REFUSED, "needs masquerade in eBPF")}),
    ("35-list-as-set-text", ["1.13.2"],
     {"securityContext.capabilities.ciliumAgent": ("otherwise", "a list only in --set"),
      "securityContext.capabilities.cleanCiliumState": ("otherwise", "a list only in --set")}),
    ("35-list-as-set-text", ["1.18.2"],
     {"securityContext.capabilities.ciliumAgent": ("fails", "got string, want array"),
      "securityContext.capabilities.cleanCiliumState": ("fails", "got string, want array")}),
    ("35b-hubble-metrics-text", ["1.15.19"], {"hubble.metrics.enabled": ("fails", "range can't iterate over")}),
    ("35b-hubble-metrics-text", ["1.18.2"], {"hubble.metrics.enabled": ("fails", "got string, want null or array")}),
    ("37-hcloud-k8s", ["1.19.6"], FINE),
]  # fmt: skip


def values(case):
    return flatten(yaml.safe_load((CASES / f"{case}.yaml").read_text()))


def explained(case, version):
    return {finding.key: finding for finding in explain(values(case), trial(version))}


@pytest.mark.parametrize(
    ("case", "version", "wrong"), [(case, version, wrong) for case, all_of, wrong in EXPLAINED for version in all_of]
)
def test_each_key_does_what_rendering_with_and_without_it_shows(case, version, wrong):
    found = explained(case, version)
    assert {key: str(one.verdict) for key, one in found.items() if not one.as_meant} == {
        key: verdict for key, (verdict, _) in wrong.items()
    }
    for key, (_, says) in wrong.items():
        assert says in found[key].says


@pytest.mark.parametrize(
    ("case", "version", "key", "instead"),
    [
        ("08-hubble-ui-without-relay", "1.18.2", "hubble.ui.enabled",
         {"hubble.ui.enabled": True, "hubble.relay.enabled": True}),
        ("07-egress-gateway", "1.18.2", "egressGateway.enabled",
         {"bpf.masquerade": True, "enableIPv4Masquerade": True}),
        ("13-flux-placeholder", "1.18.2", "hubble.serviceMonitor.enabled",
         {"hubble.metrics.serviceMonitor.enabled": True}),
        ("14-mtu-hetzner", "1.17.0", "MTU", {}),
        ("26-upgrade-compatibility-float", "1.20.0", "upgradeCompatibility", {}),
        ("28-compat-1.11", "1.13.2", "upgradeCompatibility", {"kubeProxyReplacement": "disabled"}),
        ("32-bpf-masquerade-1.19", "1.19.6", "nativeRoutingCIDR", {"ipv4NativeRoutingCIDR": "10.0.0.0/8"}),
        ("35-list-as-set-text", "1.13.2", "securityContext.capabilities.cleanCiliumState",
         {"securityContext.capabilities.cleanCiliumState": ["NET_ADMIN", "SYS_ADMIN", "SYS_RESOURCE"]}),
        ("35b-hubble-metrics-text", "1.15.19", "hubble.metrics.enabled", {"hubble.metrics.enabled": ["dns", "drop"]}),
        ("35b-hubble-metrics-text", "1.18.2", "hubble.metrics.enabled", {"hubble.metrics.enabled": ["dns", "drop"]}),
    ],
)  # fmt: skip
def test_a_proposal_is_one_that_renders(case, version, key, instead):
    assert dict(explained(case, version)[key].instead) == instead


def test_a_link_of_1450_is_honoured_with_a_question():
    finding = explained("14b-kube-hetzner-tunnel", "1.17.0")["MTU"]
    assert (str(finding.verdict), finding.as_meant) == ("honoured", True)
    assert "pods get 1450 − 50 = 1400 over a VXLAN tunnel" in finding.says
    assert finding.says.endswith("Do the links between the nodes carry 1450?")


def test_a_placeholder_is_known_and_a_key_without_effect_is_not_as_meant():
    found = explained("13-flux-placeholder", "1.18.2")
    assert str(found["cluster.id"].verdict) == "known"
    assert "a placeholder" in found["cluster.id"].says
    tunnel = explained("32-bpf-masquerade-1.19", "1.20.0")["tunnel"]
    assert (str(tunnel.verdict), tunnel.as_meant) == ("ignored", True)


MIGRATED_WELL = [
    ("01-nodeport-range", "1.17.1", "1.18.2", {"nodePort.range": "80,32767"}),
    ("02-partial-nodeport-dsr", "1.13.18", "1.18.2", {"kubeProxyReplacement": "false", "loadBalancer.mode": "dsr"}),
    ("13-flux-placeholder", "1.17.1", "1.18.2", {"cluster.id": "${CLUSTER_ID}"}),
    ("14b-kube-hetzner-tunnel", "1.17.0", "1.18.2", {"MTU": 1450}),
    ("37-hcloud-k8s", "1.19.6", "1.20.0", {"operator.podDisruptionBudget.minAvailable": None}),
]


@pytest.mark.parametrize(("case", "old", "new", "carried"), MIGRATED_WELL)
def test_what_runs_is_carried_and_proved_to_be_the_same(case, old, new, carried):
    migrated = migrate(values(case), trial(old), trial(new))
    assert migrated.same
    assert not migrated.never_ran
    assert {dotted(path): value for path, value in migrated.values.items()}.items() >= carried.items()
    before, after = migrated.paths
    assert (before.routing, before.node_ports, before.mtu) == (after.routing, after.node_ports, after.mtu)


@pytest.mark.parametrize(
    ("case", "old", "new", "key", "says"),
    [
        ("05-dual-stack-native", "1.17.1", "1.18.2", "ipv6.enabled", "ipv6NativeRoutingCIDR must be set"),
        ("06-no-conntrack-tunnel", "1.17.1", "1.18.2", "installNoConntrackIptablesRules", "need native routing"),
        ("06b-no-conntrack-without-bpf-masquerade", "1.17.1", "1.18.2", "installNoConntrackIptablesRules", "need full"),
        ("07-egress-gateway", "1.17.1", "1.18.2", "egressGateway.enabled", "needs IPv4 masquerade"),
        ("09-cluster-id-without-name", "1.15.19", "1.18.2", "cluster.id", "cannot use default value"),
        ("10-cluster-name-underscore", "1.15.19", "1.18.2", "cluster.name", "must consist of"),
        ("19-empty-tolerations", "1.17.1", "1.18.2", "operator.tolerations", "YAML parse error"),
        ("21-netkit-tproxy", "1.19.6", "1.20.0", "bpf.tproxy", "cannot be enabled"),
        ("33-ip-masq-agent", "1.17.1", "1.18.2", "ipMasqAgent.enabled", "needs masquerade in eBPF"),
    ],
)
def test_what_cannot_run_there_stays_in_the_values_and_is_said(case, old, new, key, says):
    migrated = migrate(values(case), trial(old), trial(new))
    assert not migrated.same
    assert keys(key) in migrated.values
    assert [says in finding.says for finding in migrated.left if finding.key == key] == [True]


def test_a_key_that_did_nothing_does_not_come_alive():
    migrated = migrate(values("03b-dead-key-comes-alive"), trial("1.17.1"), trial("1.18.2"))
    assert not migrated.never_ran
    assert keys("underlayProtocol") not in migrated.values
    [change] = migrated.changes
    assert (change.kind, change.before) == ("left out", (("underlayProtocol", "ipv6"),))


def test_the_text_of_a_list_becomes_the_list_and_is_no_clean_migration():
    migrated = migrate(values("35-list-as-set-text"), trial("1.13.2"), trial("1.18.2"))
    assert migrated.values[keys("securityContext.capabilities.cleanCiliumState")] == [
        "NET_ADMIN",
        "SYS_ADMIN",
        "SYS_RESOURCE",
    ]
    assert not migrated.same


def test_a_version_without_quotes_is_asked_for_and_never_guessed():
    result = vds(
        *("cilium-values", "migrate", "--from", "1.15.19", "--to", "1.20.0", *chart_options("1.15.19", "1.20.0")),
        str(CASES / "26-upgrade-compatibility-float.yaml"),
    )
    assert (result.exit_code, result.stdout) == (2, "")
    assert "as you meant it: '1.10' or '1.1'?" in result.stderr


def test_a_line_of_the_cilium_cli_is_read_like_one_of_helm():
    line = (CASES / "29-cilium-cli.txt").read_text()
    result = vds("cilium-values", "explain", *chart_options("1.18.2"), "-", stdin=line)
    assert result.exit_code == 0, result.stderr
    assert "socketLB.hostNamespaceOnly: true" in result.stdout


@pytest.mark.parametrize(
    ("case", "form", "kept"),
    [
        ("36-flux-helmrelease", "HelmRelease cilium", "routingMode: native"),
        ("36b-umbrella-chart", "values file of an umbrella chart", "ipv4NativeRoutingCIDR: 10.42.0.0/16"),
    ],
)
def test_values_in_a_wrapper_are_read_and_none_is_lost(case, form, kept):
    result = vds(
        *("cilium-values", "migrate", "--from", "1.17.1", "--to", "1.18.2", *chart_options("1.17.1", "1.18.2")),
        str(CASES / f"{case}.yaml"),
    )
    assert form in result.stderr
    assert kept in result.stdout
    assert "kubeProxyReplacement: 'true'" in result.stdout
