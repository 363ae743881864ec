"""What ran stays what runs, proved by rendering both releases; nothing is lost without a word."""

import pytest

from components.network.cilium.chart.command_line import merge_words
from components.network.cilium.chart.migrate import migrate
from components.network.cilium.chart.nested import dotted, flatten, keys, unflatten
from tests.support.cilium_trials import trial


def values(*words, strings=()):
    return flatten(merge_words({}, [*(("--set", word) for word in words), *(("--set-string", w) for w in strings)]))


def moved(old, new, *words, strings=(), **more):
    return migrate(values(*words, strings=strings), trial(old), trial(new), **more)


def carried(old, new, *words, **more):
    found = moved(old, new, *words, **more).values
    return {dotted(path): value for path, value in found.items() if dotted(path) != "upgradeCompatibility"}


def changes(old, new, *words, **more):
    return {change.kind: change for change in moved(old, new, *words, **more).changes}


SEED_000 = (
    "kubeProxyReplacement=strict",
    "k8sServiceHost=10.0.0.1",
    "nativeRoutingCIDR=10.0.0.0/8",
    "tunnel=disabled",
    "autoDirectNodeRoutes=true",
)


def test_a_published_configuration_of_1_14_comes_to_1_20_whole_and_works_there():
    migrated = moved("1.14.4", "1.20.0", *SEED_000)
    assert unflatten(migrated.values) == {
        "autoDirectNodeRoutes": True,
        "ipv4NativeRoutingCIDR": "10.0.0.0/8",
        "k8sServiceHost": "10.0.0.1",
        "kubeProxyReplacement": "true",
        "routingMode": "native",
        "upgradeCompatibility": "1.14",
    }
    assert migrated.left == ()
    assert migrated.never_ran  # native routing without a CIDR that takes effect: every agent exited
    assert not migrated.same


def test_values_that_did_what_they_said_are_the_same_data_path_there():
    migrated = moved("1.14.4", "1.20.0", "kubeProxyReplacement=strict", "tunnel=disabled",
                     "ipv4NativeRoutingCIDR=10.0.0.0/8")  # fmt: skip
    assert migrated.same
    assert [change.kind for change in migrated.changes] == ["rewritten", "rewritten"]
    assert [path.native_cidr for path in migrated.paths] == ["10.0.0.0/8", "10.0.0.0/8"]


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
    assert carried("1.12.19", "1.20.0", "MTU=1500", meant=True) == {"MTU": 1500}
    assert carried("1.12.19", "1.20.0", "MTU=1500") == {}


@pytest.mark.parametrize(
    ("old", "new", "word", "says"),
    [
        ("1.17.1", "1.18.2", "externalWorkloads.enabled=true", "nothing takes its place"),
        ("1.16.19", "1.17.1", "highScaleIPcache.enabled=true", ""),
    ],
)
def test_what_cannot_be_carried_is_never_lost_without_a_word(old, new, word, says):
    migrated = moved(old, new, word)
    key = word.split("=")[0]
    assert keys(key) in migrated.values or [says in change.why for change in migrated.changes if change.before] == [
        True
    ]
    assert not migrated.same or keys(key) in migrated.values


def test_node_ports_beside_kube_proxy_are_lost_on_1_19_and_said():
    migrated = moved("1.18.2", "1.19.6", "nodePort.enabled=true", "kubeProxyReplacement=false")
    assert not migrated.same
    assert any("node ports was on on 1.18.2, and is off on 1.19.6" in change.why for change in migrated.changes)


def test_a_setting_that_every_later_release_has_on_is_left_out_without_loss():
    assert moved("1.15.19", "1.16.19", "remoteNodeIdentity=true").same
    assert not moved("1.15.19", "1.16.19", "remoteNodeIdentity=false").same


@pytest.mark.parametrize(
    ("old", "new", "before", "after"),
    [
        ("1.15.19", "1.20.0", "MTU=1500", {"MTU": 1500}),
        ("1.11.5", "1.12.19", "bandwidthManager=true", {"bandwidthManager": True}),
        ("1.12.19", "1.20.0", "bandwidthManager=true", {"bandwidthManager.enabled": True}),
        ("1.20.0", "1.20.0", "hostFirewall=true", {"hostFirewall.enabled": True}),
        ("1.15.19", "1.16.19", "encryption.secretName=keys", {"encryption.ipsec.secretName": "keys"}),
        ("1.19.6", "1.20.0", "encryption.strictMode.enabled=true", {"encryption.strictMode.egress.enabled": True}),
        ("1.13.18", "1.14.19", "ipam.operator.clusterPoolIPv4PodCIDR=10.1.0.0/16",
         {"ipam.operator.clusterPoolIPv4PodCIDRList": ["10.1.0.0/16"]}),
        ("1.20.0", "1.13.18", "tunnelProtocol=geneve", {"tunnel": "geneve"}),
        ("1.20.0", "1.13.18", "kubeProxyReplacement=true", {"kubeProxyReplacement": "strict"}),
        ("1.13.18", "1.20.0", "hubble.relay.enabled=true", {"hubble.relay.enabled": True}),
    ],
)  # fmt: skip
def test_a_setting_is_rewritten(old, new, before, after):
    found = carried(old, new, before)
    assert {key: found.get(key) for key in after} == after
    assert set(found) - set(after) <= {"kubeProxyReplacement"}


def test_a_key_that_no_chart_reads_is_left_out_and_named():
    change = changes("1.14.4", "1.20.0", "wholly.else=1")["left out"]
    assert change.before == (("wholly.else", "1"),)
    assert not change.changes_behaviour


def test_the_first_minor_that_a_cluster_ran_stays_the_first():
    migrated = moved("1.16.1", "1.18.2", "kubeProxyReplacement=true", strings=["upgradeCompatibility=1.14"])
    assert migrated.values[keys("upgradeCompatibility")] == "1.14"


def test_a_default_that_compatibility_would_turn_into_a_failure_is_written_out():
    migrated = moved("1.12.19", "1.17.1", "hubble.enabled=true")
    assert migrated.values[keys("kubeProxyReplacement")] == "false"
    assert [change.kind for change in migrated.changes] == ["set"]
    assert migrated.same


def test_of_two_names_the_one_that_counted_is_carried():
    both = ("encryption.keyFile=ours", "encryption.ipsec.keyFile=")
    assert carried("1.14.4", "1.20.0", "encryption.enabled=true", *both)["encryption.ipsec.keyFile"] == "ours"
    cidrs = ("nativeRoutingCIDR=10.1.0.0/16", "ipv4NativeRoutingCIDR=10.2.0.0/16")
    assert carried("1.11.5", "1.20.0", *cidrs)["ipv4NativeRoutingCIDR"] == "10.1.0.0/16"
    assert carried("1.12.19", "1.20.0", *cidrs)["ipv4NativeRoutingCIDR"] == "10.2.0.0/16"


def test_a_migration_to_the_same_release_changes_nothing():
    words = ("routingMode=native", "ipv4NativeRoutingCIDR=10.0.0.0/8", "hubble.enabled=false", "MTU=1500")
    migrated = moved("1.18.2", "1.18.2", *words)
    assert (migrated.values, migrated.changes, migrated.same) == (values(*words), (), True)


def test_dsr_in_geneve_without_a_tunnel_keeps_the_protocol_that_1_15_asks_for():
    words = ("tunnel=disabled", "ipv4NativeRoutingCIDR=10.0.0.0/8", "kubeProxyReplacement=strict",
             "loadBalancer.mode=dsr", "loadBalancer.dsrDispatch=geneve")  # fmt: skip
    migrated = moved("1.14.4", "1.20.0", *words)
    assert migrated.values[keys("tunnelProtocol")] == "geneve"
    assert migrated.left == ()
