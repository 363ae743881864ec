from tests.support.stacks import problems, stack_data


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
