import pytest

from components.nodes.inventory_render import patch
from components.stackfile.parsing import parse
from tests.support.stacks import ROOT, problems, stack_data


def changed(index=0, **values):
    data = stack_data("oslo")
    data["nodes"][index].update(values)
    return problems(data)


def test_a_machine_outside_the_allowed_countries_is_refused():
    (problem,) = changed(country="DE")
    assert problem.startswith("node osl-cp-1: the machine is in DE, allowed: NO")


def test_a_provider_under_another_countrys_law_is_refused():
    (problem,) = changed(provider={"name": "Big Cloud Inc", "country": "US"})
    assert "its provider Big Cloud Inc is in US" in problem


def test_a_node_without_a_host_key_is_refused():
    (problem,) = changed(hostKey=None)
    assert "ssh-keyscan -t ed25519 198.51.100.11" in problem


def test_two_nodes_with_one_name_are_refused():
    assert any("occurs twice" in problem for problem in changed(name="osl-cp-2"))


def test_two_nodes_with_one_address_are_refused():
    (problem,) = changed(address="198.51.100.12")
    assert problem.startswith("node osl-cp-1 and node osl-cp-2: share the address 198.51.100.12")


def test_a_node_outside_the_nodes_network_is_refused():
    (problem,) = changed(address="203.0.113.5")
    assert "not in network.nodeCidr 198.51.100.0/24" in problem


def test_the_broadcast_address_is_no_node():
    assert any("network or broadcast" in problem for problem in changed(address="198.51.100.255"))


def test_an_even_number_of_control_planes_is_refused():
    (problem,) = changed(roles=["worker"])
    assert "2 control-plane nodes" in problem


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            {"labels": {"kubernetes.io/hostname": "a"}},
            "kubernetes.io/hostname is a label that Kubernetes",
        ),
        ({"labels": {"node-role.kubernetes.io/edge": ""}}, "node-role.kubernetes.io/edge is a label that Kubernetes"),
        ({"labels": {"vds-platform.no/edge": "false"}}, "vds-platform.no/edge is the platform's own label"),
        ({"taints": [{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}]}, "is a taint that Kubernetes"),
        ({"taints": [{"key": "a", "effect": "NoExecute"}] * 2}, "a has the effect NoExecute twice"),
        ({"labels": {"bad key": "a"}}, "use letters, digits"),
        ({"labels": {"rack": "two words"}}, "use at most 63 letters"),
        ({"labels": {"example.no/rack": "a1", "topology.kubernetes.io/zone": "oslo-1"}}, ""),
    ],
)
def test_labels_and_taints_of_kubernetes_and_of_the_platform_are_refused(values, said):
    found = changed(**values)
    assert len(found) == bool(said)
    assert said in "".join(found)


def test_the_patch_of_a_node_has_what_the_stack_file_says_and_no_more():
    def patch_of(index=0, **values):
        data = stack_data("oslo")
        data["nodes"][index] |= {"profiles": ["baseline"], **values}
        return patch(parse(data, base_dir=ROOT).nodes[index])

    assert set(patch_of()) == {"apiVersion", "kind", "metadata"}
    assert set(patch_of()["metadata"]) == {"name", "annotations"}
    edge = patch_of(profiles=["baseline", "edge"])
    assert edge["metadata"]["labels"] == {"vds-platform.no/edge": "true"}
    assert "spec" not in edge
    assert patch_of(3, taints=[])["spec"] == {"taints": []}
    own = [{"key": "example.no/only", "value": "x", "effect": "NoSchedule"}]
    taints = patch_of(taints=own)["spec"]["taints"]
    assert taints == [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}, *own]


def test_two_nodes_with_one_ssh_address_are_refused():
    data = stack_data("oslo")
    for index in (0, 1):
        data["nodes"][index]["sshAddress"] = "203.0.113.11"
    assert sum("203.0.113.11 is also the address of another node" in problem for problem in problems(data)) == 2
    data["nodes"][1]["sshPort"] = 2212
    assert problems(data) == []


def test_a_firewall_that_keeps_the_bastion_out_is_refused():
    data = stack_data("oslo")
    data["nodeFirewall"] = {"operators": ["203.0.113.0/24"]}
    data["ssh"] = {"bastion": {"host": "192.0.2.7", "hostKey": data["nodes"][0]["hostKey"]}}
    [problem] = problems(data)
    assert "the bastion 192.0.2.7 is in none of these networks" in problem
    data["nodeFirewall"]["operators"].append("192.0.2.7/32")
    assert problems(data) == []
