"""Laws of migration: what runs stays, nothing is invented, and the way back is the way."""

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from components.core.versions import between
from components.network.cilium.chart.explain import explain
from components.network.cilium.chart.history import RENAMED, Verdict
from components.network.cilium.chart.keys import has, releases
from components.network.cilium.chart.migrate import migrate
from components.network.cilium.chart.nested import Leaves, dotted, flatten, keys, unflatten
from components.network.cilium.chart.set_syntax import merge_words
from components.network.cilium.chart.settings import proxy_value, routing_values
from components.network.cilium.chart.upgrade_path import upgrade_path
from components.network.cilium.data_path import from_values

patient = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
"""A busy machine is slow to read the key table the first time; that is no finding."""
release = st.sampled_from(releases())
SAME_EVERYWHERE = ["operator.replicas", "hubble.relay.enabled", "ipv4.enabled", "cluster.name"]


_SUITABLE = {"keyFile": "keys", "mountPath": "/etc/ipsec", "secretName": "keys", "interface": "eth0"}
_SUITABLE |= {"cidr": "10.0.0.0/8", "fileMaxBackups": 5, "fileMaxSizeMb": 10}
_SUITABLE |= {f"clusterPoolIPv{family}PodCIDRList": ["10.9.0.0/16"] for family in (4, 6)}


@st.composite
def settings_of(draw) -> dict:
    """What an author may mean, before it has a spelling."""
    return {
        "routing": draw(st.sampled_from(["native", "vxlan", "geneve"])),
        "replaces": draw(st.booleans()),
        "renamed": draw(st.sets(st.integers(0, len(RENAMED) - 1))),
        "more": draw(st.sets(st.sampled_from(SAME_EVERYWHERE))),
    }


def spelled(meaning, version) -> Leaves:
    """The values that say it on a release, each in the newest words that the release honours."""
    found = {
        **routing_values(meaning["routing"], version),
        keys("kubeProxyReplacement"): proxy_value(meaning["replaces"], version),
    }
    if meaning["routing"] == "native":
        found[keys("ipv4NativeRoutingCIDR")] = "10.244.0.0/16"
    for index in meaning["renamed"]:
        row = RENAMED[index]
        value = _SUITABLE.get(row.new[-1], False)
        if row.new[0] != "ipv4NativeRoutingCIDR" and (has(row.old, version) or has(row.new, version)):
            new = between(version, row.new_since, "")
            found[row.new if new else row.old] = value if new or row.convert == "same" else value[0]
    return found | {
        keys(name): {"cluster.name": "oslo", "operator.replicas": 1}.get(name, True) for name in meaning["more"]
    }


@patient
@given(settings_of(), release, release)
def test_there_and_back_is_where_one_was_if_nothing_was_lost(meaning, here, there):
    values = spelled(meaning, here)
    out = migrate(values, here, there)
    assume(not any(change.kind in ("lost", "left out") for change in out.changes))
    back = migrate(out.values, there, here)
    assume(not any(change.kind in ("lost", "left out") for change in back.changes))
    assert from_values(back.values, here) == from_values(values, here)
    newest_words = migrate(spelled(meaning, there), there, here).values
    assert unflatten(back.values) in (unflatten(values), unflatten(newest_words))


@patient
@given(settings_of(), release, release)
def test_what_runs_there_is_what_ran_here(meaning, here, there):
    values = spelled(meaning, here)
    out = migrate(values, here, there)
    before, after = from_values(values, here), from_values(out.values, there)
    assert (before.native, before.replaces_proxy, before.native_cidr) == (
        after.native,
        after.replaces_proxy,
        after.native_cidr,
    )
    assert before.native or before.protocol == after.protocol


@patient
@given(settings_of(), release, release)
def test_everything_that_is_written_has_an_effect_there_and_everything_that_went_is_said(meaning, here, there):
    values = spelled(meaning, here)
    out = migrate(values, here, there)
    silent = {
        finding.key for finding in explain(out.values, there) if finding.verdict in (Verdict.IGNORED, Verdict.FAILS)
    }
    assert silent == set()
    assert all(has(path, there) for path in out.values)
    said = {key for change in out.changes for key, _ in change.before}
    assert {dotted(path) for path in values.keys() - out.values.keys()} <= said


@patient
@given(settings_of(), release, release)
def test_every_step_of_the_way_renders(meaning, here, there):
    for step in upgrade_path(spelled(meaning, here), here, there):
        findings = explain(step.migration.values, step.release)
        assert not any(finding.verdict is Verdict.FAILS for finding in findings)
    assert step.release == there


@patient
@given(settings_of(), release)
def test_a_migration_to_the_same_release_changes_nothing(meaning, here):
    values = spelled(meaning, here)
    assert unflatten(migrate(values, here, here).values) == unflatten(values)


names = st.text("abcdXYZ./-", min_size=1, max_size=6)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-10, 10**6) | st.text("abc $:é", max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)


@patient
@given(st.dictionaries(names, plain, max_size=4))
def test_leaves_and_tree_are_inverse(values):
    assert unflatten(flatten(values)) == values


@patient
@given(
    st.dictionaries(
        names | st.sampled_from(["tunnel", "MTU", "kubeProxyReplacement", "bpf", "hubble"]), plain, max_size=4
    ),
    release,
    release,
)
def test_no_values_however_strange_stop_the_commands(values, here, there):
    found = flatten(values)
    assert len(explain(found, here)) == len(found)
    for step in upgrade_path(found, here, there):
        assert isinstance(unflatten(step.migration.values), dict)


word = st.one_of(st.booleans(), st.integers(1, 10**9), st.text("abcXYZ./:-_", min_size=1, max_size=8))


@patient
@given(st.dictionaries(st.text("abcDEF", min_size=1, max_size=5), word, max_size=5))
def test_values_written_as_set_words_are_read_back_as_they_were(values):
    text = ",".join(
        f"{key}={str(value).lower() if isinstance(value, bool) else value}" for key, value in values.items()
    )
    assume(not any(value in ("true", "false", "null") for value in values.values() if isinstance(value, str)))
    assert merge_words({}, [("--set", text)]) == values
