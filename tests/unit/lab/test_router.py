"""The router's configuration, and the stack file of a lab with it."""

from components.stackfile.parsing import parse
from lab import router
from lab.layout import CUSTOMER, ROUTER
from tests.support.stacks import ROOT, stack_data


def test_a_lab_with_the_router_is_a_valid_stack() -> None:
    spec = stack_data("lab")
    router.announce(spec)
    platform = parse(spec, base_dir=ROOT)
    [peer] = platform.metallb.peers
    assert str(peer.address) == ROUTER.address
    assert peer.password_secret == router.secret("x")["metadata"]["name"]


def test_the_router_has_a_session_with_each_worker_and_a_password() -> None:
    text = router.configuration("geheim")
    assert " neighbor nodes password geheim\n" in text
    assert [line for line in text.splitlines() if "peer-group nodes" in line] == [
        f" neighbor {node.address} peer-group nodes" for node in router.NODES
    ]
    assert CUSTOMER.address not in text
