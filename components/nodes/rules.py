"""What is wrong with nodes."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from ipaddress import IPv4Address

from components.core.duplicates import duplicates
from components.core.finding import Finding
from components.core.labels import PREFIX
from components.core.types import Network
from components.nodes.model import AcceptedCheck, NodeFirewall, NodeSpec, SshSpec
from components.nodes.settings.profiles import PROFILES, RESERVED_PORTS, asked, conflicts

CNI_OWNED = ("rp_filter",)
"""Last parts of keys that Cilium sets in a file of its own, which sorts before ours: our value would win."""


def country_problem(
    item: str, country: str, allowed: Collection[str], *, what: str, field: str = ""
) -> Iterator[Finding]:
    """A country that is not allowed; `what` is what is in it or under its law."""
    if country not in allowed:
        yield Finding(
            "nodes-residency",
            item,
            f"{what} is in {country}, allowed: {', '.join(sorted(allowed)) or 'none'}",
            "choose another server, or allow the country in residency.allowedCountries",
            value=country,
            fields=(field,) if field else (),
        )


def residency_problems(node: NodeSpec, allowed: Collection[str]) -> Iterator[Finding]:
    """Data is in the machine's country and under the law of its provider's: both must be allowed."""
    item = f"node {node.name}"
    path = f"nodes[{node.name}]"
    yield from country_problem(item, node.country, allowed, what="the machine", field=f"{path}.country")
    what, field = f"its provider {node.provider.name}", f"{path}.provider.country"
    yield from country_problem(item, node.provider.country, allowed, what=what, field=field)


def setting_problems(node: NodeSpec) -> Iterator[Finding]:
    """Settings that contradict each other, or that belong to the CNI."""
    item = f"node {node.name}"
    for key, values in conflicts(asked(node)).items():
        yield Finding(
            "nodes-sysctl-conflict",
            item,
            f"{key} is wanted as {' and as '.join(values)}",
            f"leave out one of them ({_sources(node, key)})",
        )
    for setting in node.sysctls:
        if setting.key.rsplit(".", 1)[-1] in CNI_OWNED:
            yield Finding(
                "nodes-sysctl-owner",
                item,
                f"{setting.key} is set by the CNI, and works only with its value",
                "leave it out",
            )
    for setting in node.sysctls:
        if setting.key == RESERVED_PORTS:
            yield Finding(
                "nodes-sysctl-owner",
                item,
                f"{setting.key} is set from the ports of the cluster, and added to what the node reserves already",
                "leave it out; reserve ports of your own in a file of the node's /etc/sysctl.d before it is set up",
            )


_KUBERNETES_DOMAINS = ("kubernetes.io", "k8s.io")
_OPEN_PREFIXES = ("kubelet.kubernetes.io", "node.kubernetes.io", "node-restriction.kubernetes.io")
_OPEN_LABELS = ("topology.kubernetes.io/region", "topology.kubernetes.io/zone")
"""What of Kubernetes' own labels an operator may set (kubernetes.io/docs/reference/labels-annotations-taints)."""


def _is_within(key: str, domains: Iterable[str]) -> bool:
    prefix = key.rpartition("/")[0]
    return any(prefix == domain or prefix.endswith(f".{domain}") for domain in domains)


def placement_problems(node: NodeSpec) -> Iterator[Finding]:
    """Labels and taints that are Kubernetes' or ours to set."""
    item, path = f"node {node.name}", f"nodes[{node.name}]"
    for key in node.labels:
        said = ""
        if key.startswith(PREFIX):
            said, remedy = "is the platform's own label", "leave it out; the profile edge sets vds-platform.no/edge"
        elif _is_within(key, _KUBERNETES_DOMAINS) and not _is_within(key, _OPEN_PREFIXES) and key not in _OPEN_LABELS:
            said = "is a label that Kubernetes sets by itself"
            remedy = f"leave it out, or write a prefix of your own; open are {', '.join(_OPEN_LABELS)} and those of "
            remedy += ", ".join(_OPEN_PREFIXES)
        if said:
            yield Finding("nodes-labels", item, f"{key} {said}", remedy, fields=(f"{path}.labels.{key}",))
    own, here = node.taints or (), f"{path}.taints"
    for taint in own:
        if _is_within(taint.key, _KUBERNETES_DOMAINS):
            yield Finding(
                "nodes-taints",
                item,
                f"{taint.key} is a taint that Kubernetes sets by itself",
                "leave it out; `roles: [control-plane]` keeps other pods off a control plane",
                fields=(here,),
            )
    for key, effect in duplicates((taint.key, taint.effect) for taint in own):
        yield Finding(
            "nodes-taints", item, f"{key} has the effect {effect} twice", "leave one out", fields=(f"{path}.taints",)
        )


def _sources(node: NodeSpec, key: str) -> str:
    named = [name for name in node.profiles if any(setting.key == key for setting in PROFILES[name])]
    own = ["its own sysctls"] if any(setting.key == key for setting in node.sysctls) else []
    return ", ".join([f"profile {name}" for name in named] + own)


def node_problems(node: NodeSpec, allowed: Collection[str], segments: Sequence[Network]) -> Iterator[Finding]:
    """Everything that is wrong with one node; `segments` are the nodes' networks."""
    item = f"node {node.name}"
    yield from residency_problems(node, allowed)
    yield from setting_problems(node)
    yield from placement_problems(node)
    if node.host_key is None:
        yield Finding(
            "nodes-host-key",
            item,
            f"{node.ssh_host} has no ed25519 host key",
            f"add what `ssh-keyscan -t ed25519 {node.ssh_host}` prints, compared with the provider's console, "
            "to ssh.knownHostsFile or as hostKey",
        )
    here = (f"nodes[{node.name}].address",)
    if node.address.is_loopback:
        said = f"{node.address} is a loopback address"
        remedy = "write the one by which the other nodes reach it"
        yield Finding("nodes-address", item, said, remedy, value=str(node.address), fields=here)
        return
    segment = next((one for one in segments if node.address in one), None)
    if segment is None:
        said = f"{node.address} is not in network.nodeCidr {', '.join(map(str, segments))}"
        remedy = f"correct one of them, or write every network of nodes: nodeCidr: [{segments[0]}, …]"
        yield Finding("nodes-address", item, said, remedy, fields=here)
    elif segment.prefixlen < 31 and node.address in (segment.network_address, segment.broadcast_address):
        said = f"{node.address} is the network or broadcast address of {segment}"
        yield Finding("nodes-address", item, said, "write the node's own")


def segment_problems(nodes: Sequence[NodeSpec], segments: Sequence[Network], needed_by: str) -> Iterator[Finding]:
    """Nodes in several networks, where the data path needs them in one layer-2 segment."""
    found = [segment for segment in segments if any(node.address in segment for node in nodes)]
    if not needed_by or len(found) < 2:
        return
    said = f"nodes are in {' and '.join(map(str, found))}, and {needed_by} needs all of them in one layer-2 segment"
    yield Finding(
        "nodes-segment",
        "network.nodeCidr",
        said,
        "write a tunnel in cni.routing (Calico: encapsulation), or use servers of one network",
    )


def accept_problems(accept: Sequence[AcceptedCheck], nodes: Sequence[NodeSpec]) -> Iterator[Finding]:
    """Accepted checks of nodes that do not exist."""
    names = {node.name for node in nodes}
    for number, one in enumerate(accept, 1):
        for name in one.nodes:
            if name not in names:
                yield Finding(
                    "nodes-accept",
                    f"preflight.accept[{number}].nodes",
                    f"{name} is no node",
                    f"write one of {', '.join(sorted(names))}, or remove it",
                    value=name,
                )


def firewall_problems(firewall: NodeFirewall | None, ssh: SshSpec, networks: Iterable[Network]) -> Iterator[Finding]:
    """A firewall that keeps out the bastion, by which every node is reached."""
    try:
        address = IPv4Address(ssh.bastion.host) if firewall and ssh.bastion else None
    except ValueError:
        return
    if address is None or firewall is None or any(address in network for network in (*firewall.operators, *networks)):
        return
    yield Finding(
        "nodes-firewall",
        "nodeFirewall.operators",
        f"the bastion {address} is in none of these networks, so SSH would reach no node",
        f"add {address}/32",
        value=", ".join(map(str, firewall.operators)),
    )


def fleet_problems(nodes: Sequence[NodeSpec]) -> Iterator[Finding]:
    """What is wrong with the nodes together."""
    for name in duplicates(node.name for node in nodes):
        yield Finding(
            "nodes-unique",
            f"node {name}",
            "occurs twice",
            "give each node its own name, and never reuse one",
            value=name,
            fields=(f"nodes[{name}].name",),
        )
    for address in duplicates(node.address for node in nodes):
        yield Finding(
            "nodes-unique",
            " and ".join(f"node {node.name}" for node in nodes if node.address == address),
            f"share the address {address}",
            "correct one of them",
            value=str(address),
            fields=tuple(f"nodes[{node.name}].address" for node in nodes if node.address == address),
        )
    for node in nodes:
        if node.ssh_address and any(
            (other.ssh_host, other.ssh_port) == (node.ssh_host, node.ssh_port) for other in nodes if other != node
        ):
            yield Finding(
                "nodes-unique",
                f"node {node.name}",
                f"{node.ssh_host} is also the address of another node, which SSH would change instead",
                "write its own sshAddress, or an sshPort that leads to it",
                value=node.ssh_host,
                fields=(f"nodes[{node.name}].sshAddress",),
            )
    control_planes = sum("control-plane" in node.roles for node in nodes)
    if control_planes and control_planes % 2 == 0:
        yield Finding(
            "nodes-quorum",
            "nodes",
            f"{control_planes} control-plane nodes: etcd survives no more failures than with "
            f"{control_planes - 1}, and one more machine can fail",
            f"write an odd number, {control_planes - 1} or {control_planes + 1}",
            value=f"{control_planes} control-plane nodes",
        )
