import pytest

from components.network.cilium.chart.explain import explain
from components.network.cilium.chart.migrate import migrate
from components.network.cilium.chart.nested import dotted, flatten, unflatten
from components.network.cilium.chart.set_syntax import merge_words
from components.network.cilium.chart.upgrade_path import upgrade_path


def values(*words):
    return flatten(merge_words({}, [("--set", word) for word in words]))


def carried(old, new, *words, **more):
    return {dotted(path): value for path, value in migrate(values(*words), old, new, **more).values.items()}


def changes(old, new, *words, **more):
    return {change.kind: change for change in migrate(values(*words), old, new, **more).changes}


SEED_000 = (
    "kubeProxyReplacement=strict",
    "k8sServiceHost=10.0.0.1",
    "nativeRoutingCIDR=10.0.0.0/8",
    "tunnel=disabled",
    "autoDirectNodeRoutes=true",
)


def test_a_published_configuration_of_1_14_comes_to_1_20_whole_and_works_there():
    migrated = upgrade_path(values(*SEED_000), "1.14.4", "1.20.0")[-1].migration
    assert unflatten(migrated.values) == {
        "autoDirectNodeRoutes": True,
        "ipv4NativeRoutingCIDR": "10.0.0.0/8",
        "k8sServiceHost": "10.0.0.1",
        "kubeProxyReplacement": "true",
        "routingMode": "native",
        "upgradeCompatibility": "1.14",
    }
    assert all(finding.as_meant for finding in explain(migrated.values, "1.20.0"))
    assert migrated.never_ran  # native routing without a CIDR that takes effect: every agent exited
    assert any(change.changes_behaviour for change in migrated.changes)


def test_values_that_did_what_they_said_change_no_behaviour():
    words = ("kubeProxyReplacement=strict", "tunnel=disabled", "ipv4NativeRoutingCIDR=10.0.0.0/8")
    migrated = migrate(values(*words), "1.14.4", "1.20.0")
    assert not any(change.changes_behaviour for change in migrated.changes)
    assert [change.kind for change in migrated.changes] == ["rewritten", "rewritten"]


def test_a_word_that_is_still_honoured_stays():
    assert carried("1.13.18", "1.14.4", "tunnel=geneve", "kubeProxyReplacement=strict") == {
        "tunnel": "geneve",
        "kubeProxyReplacement": "strict",
    }


def test_what_runs_is_kept_where_what_was_written_did_nothing():
    assert carried("1.16.1", "1.20.0", "tunnel=disabled") == {"routingMode": "tunnel", "tunnelProtocol": "vxlan"}
    change = changes("1.16.1", "1.20.0", "tunnel=disabled")["left out"]
    assert change.changes_behaviour
    assert "To change it later: routingMode: native" in change.why


def test_what_was_meant_is_carried_on_request():
    assert carried("1.16.1", "1.20.0", "tunnel=disabled", meant=True) == {"routingMode": "native"}
    assert carried("1.12.0", "1.20.0", "MTU=1500", meant=True) == {"MTU": 1500}
    assert carried("1.12.0", "1.20.0", "MTU=1500") == {}


def test_what_cannot_be_carried_is_said():
    lost = changes("1.15.19", "1.20.0", "kubeProxyReplacement=partial")["lost"]
    assert lost.changes_behaviour
    assert lost.after == (("kubeProxyReplacement", '"false"'),)
    assert "externalWorkloads" in str(changes("1.17.18", "1.18.0", "externalWorkloads.enabled=true")["lost"])
    assert "no list" not in str(changes("1.20.0", "1.13.18", "ipam.operator.clusterPoolIPv4PodCIDRList={10.0.0.0/16}"))


def test_a_setting_that_every_later_release_has_on_is_left_out_without_loss():
    change = changes("1.15.19", "1.16.2", "remoteNodeIdentity=true")["left out"]
    assert not change.changes_behaviour
    assert changes("1.15.19", "1.16.2", "remoteNodeIdentity=false")["lost"].changes_behaviour


@pytest.mark.parametrize(
    ("old", "new", "before", "after"),
    [
        ("1.15.19", "1.20.0", "MTU=1500", {"MTU": 1500}),
        ("1.11.5", "1.12.19", "bandwidthManager=true", {"bandwidthManager": True}),
        ("1.11.5", "1.20.0", "bandwidthManager=true", {"bandwidthManager.enabled": True}),
        ("1.20.0", "1.11.5", "bandwidthManager.enabled=true", {"bandwidthManager": True}),
        ("1.12.0", "1.20.0", "bpf.hostRouting=true", {"bpf.hostLegacyRouting": True}),
        ("1.20.0", "1.20.0", "hostFirewall=true", {"hostFirewall.enabled": True}),
        ("1.15.0", "1.16.2", "encryption.secretName=keys", {"encryption.ipsec.secretName": "keys"}),
        ("1.19.6", "1.20.0", "encryption.strictMode.enabled=true", {"encryption.strictMode.egress.enabled": True}),
        ("1.13.18", "1.14.0", "ipam.operator.clusterPoolIPv4PodCIDR=10.0.0.0/16",
         {"ipam.operator.clusterPoolIPv4PodCIDRList": ["10.0.0.0/16"]}),
        ("1.20.0", "1.13.18", "tunnelProtocol=geneve", {"tunnel": "geneve"}),
        ("1.20.0", "1.13.18", "kubeProxyReplacement=true", {"kubeProxyReplacement": "strict"}),
        ("1.13.18", "1.20.0", "hubble.relay.enabled=true", {"hubble.relay.enabled": True}),
    ],
)  # fmt: skip
def test_a_setting_is_rewritten(old, new, before, after):
    assert carried(old, new, before) == after


def test_dsr_in_geneve_without_a_tunnel_gets_the_protocol_that_1_15_asks_for():
    words = ("tunnel=disabled", "ipv4NativeRoutingCIDR=10.0.0.0/8", "kubeProxyReplacement=strict")
    words += ("loadBalancer.mode=dsr", "loadBalancer.dsrDispatch=geneve")
    migrated = migrate(values(*words), "1.14.4", "1.20.0")
    assert migrated.values[("tunnelProtocol",)] == "geneve"
    assert all(finding.as_meant for finding in explain(migrated.values, "1.20.0"))


def test_a_key_that_no_chart_reads_is_left_out_and_named():
    change = changes("1.14.4", "1.20.0", "wholly.else=1")["left out"]
    assert change.before == (("wholly.else", "1"),)
    assert not change.changes_behaviour


def test_the_path_goes_through_every_minor_with_the_first_one_as_compatibility():
    steps = upgrade_path(values(*SEED_000), "1.14.4", "1.20.0")
    assert [step.release for step in steps] == ["1.15.19", "1.16.19", "1.17.18", "1.18.12", "1.19.6", "1.20.0"]
    assert {step.upgrade_compatibility for step in steps} == {"1.14"}
    for step in steps:
        assert all(finding.as_meant for finding in explain(step.migration.values, step.release))
    assert any("5.10" in note for note in steps[3].before)


def test_the_first_minor_that_a_cluster_ran_stays_the_first():
    steps = upgrade_path(values("upgradeCompatibility=1.11", "kubeProxyReplacement=true"), "1.16.1", "1.18.12")
    assert {step.migration.values[("upgradeCompatibility",)] for step in steps} == {"1.11"}


def test_a_default_that_compatibility_would_turn_into_a_failure_is_written_out():
    step = upgrade_path(values("hubble.enabled=true"), "1.12.19", "1.17.18")[-1]
    assert step.migration.values[("kubeProxyReplacement",)] == "false"
    assert [change.kind for change in step.migration.changes] == ["set"]
    assert all(finding.as_meant for finding in explain(step.migration.values, "1.17.18"))


def test_the_way_back_is_one_minor_at_a_time_too():
    steps = upgrade_path(values("routingMode=tunnel"), "1.20.0", "1.17.18")
    assert [step.release for step in steps] == ["1.19.6", "1.18.12", "1.17.18"]
    assert steps[0].upgrade_compatibility == ""
    assert [step.release for step in upgrade_path(values("MTU=1500"), "1.20.0", "1.20.0")] == ["1.20.0"]


def test_a_step_that_changes_the_pods_mtu_says_so():
    words = ("encryption.enabled=true", "encryption.type=wireguard")
    steps = upgrade_path(values(*words), "1.18.2", "1.20.0")
    assert any("links' MTU − 145" in note for step in steps for note in step.before)


def test_of_two_names_the_one_that_counted_is_carried():
    both = ("encryption.keyFile=ours", "encryption.ipsec.keyFile=")
    assert carried("1.14.4", "1.20.0", *both) == {"encryption.ipsec.keyFile": "ours"}
    cidrs = ("nativeRoutingCIDR=10.1.0.0/16", "ipv4NativeRoutingCIDR=10.2.0.0/16")
    assert carried("1.11.5", "1.20.0", *cidrs) == {"ipv4NativeRoutingCIDR": "10.1.0.0/16"}
    assert carried("1.12.0", "1.20.0", *cidrs) == {"ipv4NativeRoutingCIDR": "10.2.0.0/16"}


def test_a_feature_that_is_gone_and_was_off_is_no_loss():
    assert not changes("1.16.1", "1.17.0", "bgp.enabled=false")["left out"].changes_behaviour
    assert changes("1.16.1", "1.17.0", "bgp.enabled=true")["lost"].changes_behaviour
