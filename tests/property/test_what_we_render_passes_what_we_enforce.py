"""The law: everything that load() takes is rendered into objects that the pack and the CRDs take."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from components.core.manifests import Manifest
from components.gateway.model import GatewayContext, GatewaySpec
from components.gateway.render import gateway, gateway_class
from components.gateway.rules import gateway_problems
from components.pools.model import MetalLbSpec
from components.pools.render import metallb_manifests
from components.pools.rules import metallb_problems
from policies.engine import ENGINE_POLICIES
from tests.support.examples import examples
from tests.support.modules import GATEWAY_API, METALLB, pinned
from tests.support.policy import Resource, violations
from tests.support.schemas import crd_errors
from tests.support.stacks import stack

LAB = stack("lab")

names = st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
ports = st.integers(1, 65535)
hosts = st.builds(lambda star, name: f"{'*.' if star else ''}{name}.example.no", st.booleans(), names)


EXCUSED = {"until": "2027-12-31", "reason": "a property has no certificates"}


def resources(*manifests: Manifest) -> list[Resource]:
    found = []
    for number, made in enumerate(manifests):
        api = made["apiVersion"] if "/" in made["apiVersion"] else f"core/{made['apiVersion']}"
        found.append(Resource(f"kubernetes:{api}:{made['kind']}", made, name=f"r{number}"))
    return found


def nodes() -> list[Resource]:
    """The lab's nodes as the program shows them to the engine."""
    found = []
    for node in LAB.nodes:
        found.append(Resource("vds-platform:index:Node", {"country": node.country}, node.name, component=True))
        connection = {"connection": {"host": str(node.address), "hostKey": node.host_key}}
        found.append(Resource("command:remote:Command", connection, f"{node.name}-setup", node.name))
    return found


@st.composite
def blocks(draw: st.DrawFn) -> str:
    first, length = draw(st.integers(0, 255)), draw(st.integers(0, 20))
    if draw(st.booleans()):
        return f"192.0.2.{first}-192.0.2.{min(255, first + length)}"
    if draw(st.booleans()):
        return f"2001:db8:{draw(st.integers(0, 0xFFFF)):x}::/{draw(st.integers(100, 128))}"
    prefix = draw(st.integers(26, 32))
    return f"192.0.2.{first & ~(2 ** (32 - prefix) - 1)}/{prefix}"


@st.composite
def metallbs(draw: st.DrawFn) -> MetalLbSpec | None:
    advertisement = st.one_of(
        st.fixed_dictionaries({"kind": st.just("l2")}, optional={"interfaces": st.lists(names, max_size=2)}),
        st.just({"kind": "bgp", "peers": ["router"]}),
    )
    pool = st.fixed_dictionaries(
        {"name": names, "addresses": st.lists(blocks(), min_size=1, max_size=3), "advertisement": advertisement}
    )
    data = {
        "install": {"kind": "existing"},
        "pools": draw(st.lists(pool, min_size=1, max_size=3)),
        "peers": [
            {"name": "router", "address": "192.0.2.1", "peerAsn": 64512, "myAsn": draw(st.integers(1, 2**32 - 1))}
        ],
    }
    return MetalLbSpec.model_validate(data)


@st.composite
def gateways(draw: st.DrawFn) -> GatewaySpec:
    listener = st.one_of(
        st.fixed_dictionaries(
            {"name": names, "port": ports, "protocol": st.just("HTTP")}, optional={"plainText": st.just(EXCUSED)}
        ),
        st.fixed_dictionaries(
            {"name": names, "port": ports, "protocol": st.just("HTTPS"), "certificateSecret": names, "hostname": hosts}
        ),
    )
    data: dict[str, Any] = {
        "install": {"kind": "existing"},
        "listeners": draw(st.lists(listener, min_size=1, max_size=3, unique_by=lambda made: made["name"])),
    }
    return GatewaySpec.model_validate(data)


@examples(30)
@given(metallbs())
def test_pools_that_load_takes_pass_the_pack_and_pools_that_it_refuses_do_not(spec: MetalLbSpec) -> None:
    problems = metallb_problems(spec, LAB.network, LAB.nodes)
    manifests = metallb_manifests(spec)
    config = {
        "metallb-pool-addresses": {
            "nodeCidr": str(LAB.network.node_cidrs[0]),
            "nodes": {"the API server": LAB.network.api_server.host},
        }
    }
    found = [v for v in violations(ENGINE_POLICIES, [*nodes(), *resources(*manifests)], config) if v.mandatory]
    seen = {"metallb-pool-addresses", "metallb-pool-overlap"}
    assert bool(found) is any(problem.rule in seen for problem in problems)
    for made in manifests:
        assert crd_errors(made, METALLB, pinned("metallb")) == []


@examples(30)
@given(gateways())
def test_every_gateway_that_load_takes_passes_the_pack_and_the_crds(spec: GatewaySpec) -> None:
    judged = {"gateway-hostname-owner", "gateway-tls"}
    refused = {problem.rule for problem in gateway_problems(spec)} & judged
    around = GatewayContext()
    manifests = [gateway_class(spec, around), gateway(spec, around)]
    assert {violation.policy for violation in violations(ENGINE_POLICIES, resources(*manifests))} == refused
    for manifest in manifests:
        assert crd_errors(manifest, GATEWAY_API, pinned("gateway-api")) == []
