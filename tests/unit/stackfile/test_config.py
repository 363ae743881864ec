"""A stack file with problems: all of them at once, each with item, value and remedy, and never a secret."""

import json
from datetime import date
from hashlib import sha256

import pytest

from components.stackfile.parsing import SpecError, check_file, parse
from tests.support.stacks import ROOT, host_key, problems, stack, stack_data


def test_the_committed_stacks_have_no_problems():
    assert problems(stack_data("lab")) == problems(stack_data("oslo")) == []


def test_every_problem_is_said_at_once_in_the_order_of_the_file():
    data = stack_data("oslo")
    data["environment"] = "Oslo!"
    data["residency"]["allowedCountries"] = [False]
    data["network"]["podCidr"] = "10.244.0.1/16"
    data["nodes"][0]["addres"] = "198.51.100.11"
    data["cni"]["serviceProxy"] = "userspace"
    data["gateway"]["replicas"] = 2
    found = problems(data)
    assert [problem.split(": ")[0] for problem in found] == [
        "environment",
        "residency.allowedCountries[1]",
        "network.podCidr",
        "nodes[osl-cp-1].addres",
        "cni.serviceProxy",
        "gateway.replicas",
    ]


def test_a_typo_hides_no_problem_between_other_parts():
    data = stack_data("oslo")
    data["environment"] = "Oslo!"
    data["nodes"][0]["country"] = "DE"
    data["cni"]["podMtu"] = 1450
    assert len(problems(data)) == 3


def test_a_typo_in_one_node_hides_no_problem_of_another():
    data = stack_data("oslo")
    data["nodes"][0]["addres"] = "192.0.2.99"
    data["nodes"][1]["country"] = "DE"
    found = "\n".join(problems(data))
    for said in ("nodes[osl-cp-1].addres", "is in DE"):
        assert said in found


def test_a_typo_in_one_node_brings_no_problem_that_is_none():
    data = stack_data("oslo")
    data["nodes"][0]["addres"] = "192.0.2.99"
    assert len(problems(data)) == 1, "no quorum is counted among those that are left"


def test_a_problem_names_item_value_and_remedy():
    data = stack_data("oslo")
    data["network"]["underlayMtu"] = 100
    assert problems(data) == ["network.underlayMtu: '100' is out of range: write a number from 1280 to 9216"]


def in_cni(**changes):
    return {"cni": stack_data("oslo")["cni"] | changes}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"cluster": {"kind": "existing"}}, "cluster.kubernetesVersion: is missing: add it"),
        ({"cluster": "existing"}, "cluster: 'existing' is not a group of settings"),
        ({"nodes": "osl-cp-1"}, "nodes: 'osl-cp-1' is not a list"),
        ({"nodes": []}, "nodes: '[]' is empty: write at least one"),
        (
            {"metallb": {"install": {"kind": "yum"}, "pools": []}},
            "metallb.install.kind: 'yum' is not one of the choices",
        ),
        ({"metallb": {"install": {}, "pools": []}}, "metallb.install: has no 'kind': add it"),
        ({"cni": {"kind": "flanel"}}, "cni.kind: 'flanel' is not one of the kinds: write kind: cilium or kind: calico"),
        ({"cni": {"version": "1.20.2"}}, "cni: has no kind: write kind: cilium"),
        (in_cni(routing={"mode": "nativ"}), "cni.routing.mode: 'nativ' is not one of the routings: write mode: native"),
        (in_cni(routing={"mode": "tunnel", "protocol": "gre"}), "cni.routing.protocol: 'gre' is not one of the"),
        (in_cni(loadBalancing={"mode": "DSR"}), "cni.loadBalancing.mode: 'DSR' is not one of the choices: write mode:"),
        (in_cni(loadBalancing={"mode": "dsr", "dispatch": "ipip"}), "cni.loadBalancing.dispatch: 'ipip' is not one"),
        ({"cni": {"kind": "flannel"}}, "cni.kind: flannel enforces no NetworkPolicy"),
    ],
)
def test_a_wrong_shape_is_said_in_the_authors_words(change, said):
    data = {**stack_data("oslo"), **change}
    assert any(problem.startswith(said) for problem in problems(data)), problems(data)


@pytest.mark.parametrize("jargon", ["pydantic", "Input should", "validation error", "Traceback", "type=", "errors."])
def test_no_message_speaks_the_librarys_language(jargon):
    data = stack_data("oslo")
    data["network"] = {"nodeCidr": 7, "podCidr": None, "serviceCidr": "x", "apiServer": [], "underlayMtu": "big"}
    data["nodes"][0] = {"name": "X", "roles": ["king"], "profiles": "baseline", "hostKey": "ssh-rsa x"}
    data["registrations"] = "butikk"
    assert jargon not in "\n".join(problems(data))


def test_a_secret_in_the_wrong_place_is_never_repeated():
    data = stack_data("oslo")
    secret = "hunter2"
    data["sshPassword"] = secret
    data["nodes"][0]["hostKey"] = "-----BEGIN OPENSSH PRIVATE KEY-----\n" + "A" * 100
    text = "\n".join(problems(data))
    assert secret not in text
    assert "PRIVATE KEY" not in text


def test_a_spec_that_is_no_mapping_is_one_problem():
    assert problems([]) == [
        "vds-platform:spec: '[]' is a list and not a group of settings: write settings as keys, without '-' in front "
        "(environment, residency, ssh, …)"
    ]


def test_host_keys_come_from_the_known_hosts_file(tmp_path):
    data = stack_data("lab")
    data["ssh"]["knownHostsFile"] = "hosts"
    data["nodes"][0].pop("hostKey")
    (tmp_path / "hosts").write_text(f"192.0.2.11 {host_key('from the file')}\n192.0.2.21 {host_key('not this')}\n")
    first, second, _ = parse(data, base_dir=tmp_path).nodes
    assert first.host_key == host_key("from the file")
    assert second.host_key == host_key("osl-w-1"), "a key at the node stands before the file"


def test_a_known_hosts_file_that_is_not_there_is_said_beside_everything_else(tmp_path):
    data = stack_data("lab")
    data["ssh"]["knownHostsFile"] = "nowhere"
    data["nodes"][0]["country"] = "DE"
    with pytest.raises(SpecError) as caught:
        parse(data, base_dir=tmp_path)
    assert "ssh.knownHostsFile: 'nowhere' can't be read (No such file or directory)" in str(caught.value)
    assert "is in DE" in str(caught.value)


def test_a_pool_that_contains_a_node_is_refused():
    data = stack_data("lab")
    data["metallb"]["pools"][0]["addresses"] = ["192.0.2.10-192.0.2.21"]
    text = "\n".join(problems(data))
    assert "192.0.2.10-192.0.2.21 contains node osl-w-1 (192.0.2.21): MetalLB would cut off SSH to it" in text
    assert "the API server" in text


def test_a_pool_with_the_broadcast_address_is_refused():
    data = stack_data("lab")
    data["metallb"]["pools"][0]["addresses"] = ["192.0.2.250-192.0.2.255"]
    assert any("the broadcast address" in problem for problem in problems(data))


@pytest.mark.parametrize("place", ["tenants", "gateway.routes", "gateway.grpcRoutes"])
def test_tenants_and_routes_have_another_place(place):
    """What an environment of an earlier version has: a line, and the command that writes it anew."""
    lines = (ROOT / "Pulumi.oslo.yaml").read_text().splitlines()
    group, _, key = place.rpartition(".")
    before = "    gateway:" if group else "    cni:"
    at = lines.index(before) + (1 if group else 0)
    lines.insert(at, f"{'      ' if group else '    '}{key}: [{{ name: butikk }}]")
    found = check_file("\n".join(lines), "Pulumi.oslo.yaml", ROOT, date(2026, 11, 26)).findings
    [found] = [one for one in found if not one.advice]
    assert str(found).startswith(f"Pulumi.oslo.yaml:{at + 1} {place}: is not in a stack file")
    assert "`vds tenant new TENANT" in found.remedy


def test_the_stack_file_may_ask_for_a_newer_kernel_but_not_for_an_older_one():
    data = stack_data("lab")
    data["cluster"]["kernelFloor"] = "6.1"
    assert parse(data, base_dir=None).node_requirements[1:3] == ("6.1", "cluster.kernelFloor of the stack file")
    data["cluster"]["kernelFloor"] = "4.9"
    assert parse(data, base_dir=None).node_requirements == stack("lab").node_requirements


@pytest.mark.parametrize("key", [None, b"a", ("a",), 1, True])
def test_a_key_that_is_no_text_is_a_problem_like_any_other(key):
    with pytest.raises(SpecError):
        parse({**stack_data("oslo"), key: 1}, base_dir=ROOT)
    with pytest.raises(SpecError):
        parse({key: 1}, base_dir=ROOT)


@pytest.mark.parametrize(
    ("section", "setting", "field"),
    [
        ("ssh", {"knownHostsFile": "NAME"}, "ssh.knownHostsFile"),
        ("gateway", {"crds": {"kind": "bundle", "path": "NAME", "sha256": "0" * 64}}, "gateway.crds.path"),
    ],
)
@pytest.mark.parametrize("name", ["a\0b", "no-text"])
def test_a_file_that_cannot_be_read_is_a_problem_and_no_traceback(tmp_path, section, setting, field, name):
    content = b"\xff\xfe"
    (tmp_path / "no-text").write_bytes(content)
    data = stack_data("oslo")
    filled = json.dumps(setting).replace("NAME", json.dumps(name)[1:-1]).replace("0" * 64, sha256(content).hexdigest())
    data[section] = {**data[section], **json.loads(filled)}
    with pytest.raises(SpecError) as caught:
        parse(data, base_dir=tmp_path)
    (problem,) = caught.value.problems
    assert problem.subject == field
    assert "\0" not in str(problem)
    assert any(said in str(problem) for said in ("correct it", "remove it")) or "is no text" in problem.message


def test_an_environments_name_is_as_long_as_ciliums_clusters_may_be():
    for name, wrong in (("o" * 32, False), ("o" * 33, True), ("Oslo", True)):
        found = problems({**stack_data("oslo"), "environment": name})
        assert bool(found) is wrong
        assert all("at most 32" in text for text in found)
