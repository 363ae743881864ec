"""The rules for upgrades, for every combination of versions."""

from hypothesis import given
from hypothesis import strategies as st

from components.kubeadm.upgrade.rules import KUBELET_MINORS, Running, skew_problems

VERSIONS = st.tuples(st.integers(28, 40), st.integers(0, 9))
NODES = st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), VERSIONS, max_size=4)


def text(version: tuple[int, int]) -> str:
    return f"1.{version[0]}.{version[1]}"


@given(VERSIONS, NODES, NODES)
def test_an_upgrade_is_allowed_if_and_only_if_the_skew_policy_allows_it(wanted, servers, kubelets):
    now = Running({k: text(v) for k, v in servers.items()}, {k: text(v) for k, v in kubelets.items()})
    minors = [minor for minor, _ in servers.values()]
    allowed = (
        all(version <= wanted for version in (*servers.values(), *kubelets.values()))
        and all(wanted[0] - minor <= 1 for minor in minors)
        and all(wanted[0] - minor <= KUBELET_MINORS for minor, _ in kubelets.values())
    )
    found = skew_problems(text(wanted), now)
    assert (not found) == allowed
    assert all(one.remedy and one.value == text(wanted) for one in found)
    assert skew_problems(text(wanted), Running({"a": text(wanted)}, {"a": text(wanted)})) == []
