"""Manifests → what decides who reaches whom. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from ipaddress import ip_address
from typing import Any

from components.core.manifests import DEFAULT_NAMESPACE, FieldError, Fields, Manifest, ManifestView
from components.core.names import CILIUM_CONFIG, KUBE_SYSTEM
from components.core.network_policies import grammar_of
from components.reach import services
from components.reach.grammars import admin, calico, cilium, kubernetes
from components.reach.grammars.parts import ADMIN, BASELINE, DEFAULT, network
from components.reach.model import (
    DIRECTIONS,
    BlockPeer,
    Clause,
    Cni,
    Endpoint,
    InBlocks,
    NamedPort,
    Network,
    PodPeer,
    Policy,
    Service,
    State,
    Tier,
)

_TIERS = (Tier(1, ADMIN, ambiguous=True), Tier(2, DEFAULT), Tier(3, BASELINE, ambiguous=True))
_SETS = ("NetworkSet", "GlobalNetworkSet")
_NOT_KNOWN = "(not known)"
"""In place of the namespace of a pod that is not known yet: which policies it has is not known either."""
_ENDED = ("Succeeded", "Failed")
_OTHER: dict[str, Cni] = {"cilium": "calico", "calico": "cilium"}


def read(
    manifests: Iterable[Manifest],
    *,
    cni: Cni = "",
    pod_networks: Sequence[Network] = (),
    addresses: Sequence[str] = (),
    gaps: Mapping[str, str] = {},
) -> State:
    """The state that manifests describe.

    `addresses`: outside the cluster, to ask about. `gaps`: by namespace, why it is not known which policies it has.

    `cni` empty: the one whose policies are among the manifests. Raises ValueError where there are some of two,
    and MalformedError for an object that no API server would take.
    """
    return _Reader(list(manifests), cni, tuple(pod_networks)).state(addresses, gaps)


class MalformedError(ValueError):
    """An object is not as Kubernetes would store it. The text names it."""

    def __init__(self, item: Manifest, why: str) -> None:
        super().__init__(f"{_name(item)}: {why}")
        self.item = item


def _each(items: Iterable[Manifest], work: Callable[[Manifest], None]) -> None:
    for item in items:
        try:
            work(item)
        except FieldError as error:
            raise MalformedError(item, str(error)) from None
        except (AttributeError, LookupError, TypeError, ValueError):
            raise MalformedError(item, "has a field that is not of the type that Kubernetes has") from None


def _name(item: Manifest) -> str:
    metadata = item.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    return f"{item.get('kind')} {name if isinstance(name, str) else 'without a name'}"


class _Reader:
    def __init__(self, manifests: list[Manifest], cni: Cni, pod_networks: tuple[Network, ...]) -> None:
        self.policies: list[tuple[str, Manifest]] = []
        self.pods: list[Manifest] = []
        self.namespaces: dict[str, Mapping[str, str]] = {}
        self.tiers: list[Manifest] = []
        self.sets: list[Manifest] = []
        self.api_servers: set[str] = set()
        self.services: list[Manifest] = []
        self.slices: dict[str, list[Manifest]] = {}
        self.settings: Mapping[str, Any] | None = None
        _each(manifests, self._sort)
        self.cni = cni or self._guess()
        self.in_blocks = {grammar: self._in_blocks(grammar) for grammar in ("kubernetes", "admin", "cilium")}
        self.pod_networks = pod_networks
        self.classes: dict[Any, int] = {}
        self.endpoints: list[Endpoint] = []
        self.workloads: dict[str, list[int]] = {}
        self.places: dict[str, int] = {}
        """Of the addresses that EndpointSlices name."""

    def _sort(self, item: Manifest) -> None:
        kind = item.get("kind")
        if not isinstance(item.get("metadata") or {}, Mapping):
            raise FieldError("metadata", "is not a group of fields")
        if kind == "Pod" or (isinstance(item.get("spec"), Mapping) and _template(item["spec"]) is not None):
            self.pods.append(item)
        elif kind == "NetworkPolicy" and item.get("apiVersion") == "networking.k8s.io/v1":  # most of them
            self.policies.append(("kubernetes", item))
        elif kind == "Namespace":
            metadata = item.get("metadata") or {}
            self.namespaces[str(metadata.get("name"))] = _texts(metadata.get("labels"))
        elif kind == "ConfigMap":
            metadata = item.get("metadata") or {}
            if (metadata.get("namespace"), metadata.get("name")) == (KUBE_SYSTEM, CILIUM_CONFIG):
                self.settings = dict(item.get("data") or {})
        elif kind == "EndpointSlice":
            self.api_servers |= set(_api_servers(item))
            self.slices.setdefault(services.slice_of(item), []).append(item)
        elif kind == "Service" and item.get("apiVersion") == "v1":
            self.services.append(item)
        elif kind == "Tier":
            self.tiers.append(item)
        elif kind in _SETS:
            self.sets.append(item)
        elif isinstance(kind, str) and (grammar := grammar_of(kind, item.get("apiVersion"))):
            self.policies.append((grammar, item))

    def _guess(self) -> Cni:
        found = {grammar for grammar, _ in self.policies} & set(_OTHER)
        if len(found) > 1:
            raise ValueError("there are policies of Cilium's and of Calico's: name the one that enforces them")
        return next((name for name in ("cilium", "calico") if name in found), "")

    def state(self, addresses: Sequence[str], gaps: Mapping[str, str]) -> State:
        tiers = {tier.name: tier for tier in (calico.TIERS if self.cni == "calico" else _TIERS)}
        passing = self._own_tiers(tiers)
        ignored: list[str] = []
        policies: list[Policy] = []
        enforced = cache(self._enforced)
        for grammar, item in self.policies:
            view = ManifestView(str(item["kind"]), item)
            doubt = enforced(grammar, view.kind)
            if doubt is None:
                ignored.append(_label(view))
            else:
                policies += self._unreadable(view, doubt) if doubt else self._read(grammar, view, tiers, passing)
        policies += self._always()
        if any(not isinstance((item.get("metadata") or {}).get("namespace") or "", str) for item in self.pods):
            gaps = {**gaps, _NOT_KNOWN: "which one it is is not known"}
        for namespace, why in gaps.items():
            label = f"namespace {namespace}" if namespace else "a namespace"
            policies += [Policy(label, way, DEFAULT, namespace=namespace, unreadable=why) for way in DIRECTIONS]
        blocks = _blocks(policies)
        _each(self.pods, lambda item: self._take(item, blocks))
        for address in addresses:
            self.workloads[address] = [len(self.endpoints)]
            self.endpoints.append(Endpoint("", {}, addresses=(address,)))
        found = dict(map(self._service, self.services))
        return State(
            tuple(self.endpoints),
            {name: tuple(dict.fromkeys(found)) for name, found in self.workloads.items()},
            self.namespaces,
            tuple(policies),
            tiers,
            self.cni,
            frozenset(self.api_servers) or None,
            self.pod_networks,
            tuple(ignored),
            found,
            gaps,
        )

    # --- what the CNI does ---------------------------------------------------------------------------------

    def _enforced(self, grammar: str, kind: str) -> str | None:
        """Why it is not known whether the CNI enforces a policy; empty: it does; None: it does not."""
        if grammar == _OTHER.get(self.cni) or (grammar in _OTHER and self.cni == "other"):
            return None
        if self.cni == "cilium" and self._setting("enable-policy") == "never":
            return None
        if grammar != "admin":
            return ""
        if kind != "ClusterNetworkPolicy":
            return {"cilium": None, "calico": "Calico enforces it before 3.32 only"}.get(self.cni, "")
        if self.cni == "cilium":
            if self.settings is None:
                return "Cilium enforces it with k8sClusterNetworkPolicy.enabled, and its ConfigMap was not read"
            return "" if self._setting("enable-k8s-cluster-network-policy") == "true" else None
        return ""

    def _setting(self, name: str) -> str:
        return str((self.settings or {}).get(name, ""))

    def _in_blocks(self, grammar: str) -> InBlocks:
        """Cilium knows pods by their labels, unless policyCIDRMatchMode has `pods`. Kubernetes leaves it open what an
        ipBlock holds; network-policy-api does not."""
        if self.cni == "cilium":
            return "address" if "pods" in self._setting("policy-cidr-match-mode") else "never"
        return "maybe" if grammar == "kubernetes" and not self.cni else "address"

    def _always(self) -> list[Policy]:
        """Cilium can deny what no policy allows, also for pods that no policy selects."""
        if self.cni != "cilium" or self._setting("enable-policy") != "always":
            return []
        return [Policy("Cilium's enable-policy: always", way, DEFAULT, isolates=True) for way in DIRECTIONS]

    def _unreadable(self, view: ManifestView, why: str) -> list[Policy]:
        namespace = "" if _is_clusterwide(view.kind) else _namespace(view)
        return [Policy(_label(view), way, DEFAULT, namespace=namespace, unreadable=why) for way in DIRECTIONS]

    # --- policies ----------------------------------------------------------------------------------------

    def _own_tiers(self, tiers: dict[str, Tier]) -> set[str]:
        """Calico's own tiers; the names of those that pass on what no rule matches."""
        passing = {ADMIN, BASELINE}
        for item in self.tiers if self.cni == "calico" else ():
            try:
                tier, denies = calico.tier(ManifestView("Tier", item))
            except FieldError:
                continue  # its policies have no place then, and are unreadable
            tiers[tier.name] = tier
            passing = passing - {tier.name} if denies else passing | {tier.name}
        return passing

    def _read(self, grammar: str, view: ManifestView, tiers: Mapping[str, Tier], passing: set[str]) -> list[Policy]:
        try:
            if view.text("apiVersion").startswith("k8s.cni.cncf.io/"):
                raise FieldError("apiVersion", "is of another network than the pods' own")
            if grammar == "kubernetes":
                return list(kubernetes.policies(view, self.in_blocks[grammar]))
            if grammar == "admin":
                return list(admin.policies(view, self.in_blocks[grammar]))
            if grammar == "cilium":
                return list(cilium.policies(view, self.in_blocks[grammar]))
            found = [self._of_calico(policy, tiers, passing) for policy in calico.policies(view)]
        except FieldError as error:
            return self._unreadable(view, str(error))
        return found

    def _of_calico(self, policy: Policy, tiers: Mapping[str, Tier], passing: set[str]) -> Policy:
        if policy.tier not in tiers:
            return policy._replace(tier=DEFAULT, unreadable=f"its tier {policy.tier} is not there")
        rules = policy.rules
        if self.sets:
            members = [peer for item in self.sets for peer in _members(item)]
            rules = tuple(rule._replace(peers=_with(rule.peers, members)) for rule in rules)
        return policy._replace(isolates=policy.tier not in passing, rules=rules)

    # --- pods --------------------------------------------------------------------------------------------

    def _take(self, item: Manifest, blocks: Sequence[BlockPeer]) -> None:
        metadata = item.get("metadata") or {}
        owned = _owner(metadata)
        if item["kind"] != "Pod" and owned:
            return  # a ReplicaSet of a Deployment, a Job of a CronJob
        namespace = metadata.get("namespace") or DEFAULT_NAMESPACE
        if not isinstance(namespace, str):
            namespace = _NOT_KNOWN
        status = item.get("status") or {}
        if item["kind"] == "Pod" and status.get("phase") in _ENDED:
            return
        pod = item if item["kind"] == "Pod" else _template(item["spec"]) or {}
        endpoint = _endpoint(namespace, pod, status)
        key = (
            namespace,
            tuple(sorted(endpoint.labels.items())),
            endpoint.ports,
            endpoint.account,
            endpoint.host_network,
            endpoint.unreadable,
            None if endpoint.addresses is None else _places(endpoint.addresses, blocks),
        )
        place = self.classes.setdefault(key, len(self.endpoints))
        if place == len(self.endpoints):
            self.endpoints.append(endpoint)
        if self.slices and not endpoint.host_network:  # its address is the node's
            self.places |= dict.fromkeys(endpoint.addresses or (), place)
        name = owned if item["kind"] == "Pod" and owned else str(metadata.get("name"))
        self.workloads.setdefault(f"{namespace}/{name}", []).append(place)

    def _service(self, item: Manifest) -> tuple[str, Service]:
        metadata = item.get("metadata") or {}
        name = f"{metadata.get('namespace') or DEFAULT_NAMESPACE}/{metadata.get('name')}"
        try:
            found = services.service(item)
            own = () if found.selector else self.slices.get(name, ())
            ends = [end for one in own for end in services.backends(one)]
        except FieldError as error:
            return name, Service((), None, unreadable=str(error))
        placed = tuple((self._address(address), port, called) for address, port, called in ends)
        return name, found._replace(backends=placed, sliced=name in self.slices)

    def _address(self, address: str) -> int:
        """The pod with an address, or a new endpoint outside the cluster."""
        if address not in self.places:
            self.places[address] = len(self.endpoints)
            self.endpoints.append(Endpoint("", {}, addresses=(address,)))
        return self.places[address]


def _is_clusterwide(kind: str) -> bool:
    return kind.startswith("Global") or "Cluster" in kind or "Admin" in kind


def _label(view: ManifestView) -> str:
    try:
        return view.cluster_label.replace("'", "") if _is_clusterwide(view.kind) else view.label
    except FieldError:
        return view.kind


def _namespace(view: ManifestView) -> str:
    try:
        return view.namespace
    except FieldError:
        return ""


def _api_servers(item: Mapping[str, Any]) -> Iterator[str]:
    """The addresses of a slice of the Service `default/kubernetes`, which the API servers write themselves."""
    metadata = item.get("metadata") or {}
    service = (metadata.get("labels") or {}).get("kubernetes.io/service-name")
    if (metadata.get("namespace"), service) == ("default", "kubernetes"):
        for endpoint in item.get("endpoints") or ():
            yield from map(str, endpoint.get("addresses") or ())


def _owner(metadata: Mapping[str, Any]) -> str:
    """The workload that a pod is of: its Deployment, and not the ReplicaSet between them."""
    for owner in metadata.get("ownerReferences") or ():
        if owner.get("controller"):
            name, own = str(owner.get("name")), (metadata.get("labels") or {}).get("pod-template-hash")
            return name.removesuffix(f"-{own}") if own and owner.get("kind") == "ReplicaSet" else name
    return ""


def _template(spec: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The pod of a workload."""
    job = spec.get("jobTemplate")
    if isinstance(job, Mapping) and isinstance(job.get("spec"), Mapping):
        spec = job["spec"]
    template = spec.get("template")
    inner = template.get("spec") if isinstance(template, Mapping) else None
    return template if isinstance(inner, Mapping) and "containers" in inner else None


def _endpoint(namespace: str, pod: Mapping[str, Any], status: Mapping[str, Any]) -> Endpoint:
    spec = pod.get("spec") or {}
    try:
        labels, ports, unreadable = _texts((pod.get("metadata") or {}).get("labels")), tuple(_ports(spec)), ""
    except FieldError as error:
        labels, ports, unreadable = {}, (), str(error)
    addresses = [str(one["ip"]) for one in status.get("podIPs") or ()]
    if not addresses and status.get("podIP"):
        addresses = [str(status["podIP"])]
    return Endpoint(
        namespace,
        labels,
        ports,
        str(spec.get("serviceAccountName") or "default"),
        bool(spec.get("hostNetwork")),
        tuple(addresses) or None,
        unreadable,
    )


def _ports(spec: Mapping[str, Any]) -> Iterator[NamedPort]:
    # Init containers have ended when the pod serves, but for those that start again: sidecars.
    sidecars = [one for one in spec.get("initContainers") or () if one.get("restartPolicy") == "Always"]
    for container in (*(spec.get("containers") or ()), *sidecars):
        for port in container.get("ports") or ():
            written = Fields(port, "ports")
            yield NamedPort(
                written.number("containerPort"), written.text("protocol", "TCP").upper(), written.text("name")
            )


def _texts(labels: Any) -> Mapping[str, str]:
    if not labels:
        return {}
    if isinstance(labels, dict) and all(type(value) is str for value in labels.values()):
        return labels
    written = Fields(labels, "metadata.labels")
    return {str(key): written.text(key) for key in written}


def _places(addresses: tuple[str, ...], blocks: Sequence[BlockPeer]) -> frozenset[int]:
    found = [ip_address(one) for one in addresses] if blocks else []
    return frozenset(
        index
        for index, block in enumerate(blocks)
        if any(one in block.network and not any(one in other for other in block.excepted) for one in found)
    )


def _blocks(policies: Iterable[Policy]) -> list[BlockPeer]:
    clauses = {
        clause for policy in policies for rule in policy.rules for clause in (*rule.peers, *rule.local) if clause.any_of
    }
    peers = {peer for clause in clauses for peer in clause.any_of if isinstance(peer, BlockPeer)}
    return sorted(peers, key=str)


def _members(item: Manifest) -> Iterator[BlockPeer]:
    """The networks of one of Calico's sets. Which rules select it is not looked at, so that they only may match."""
    for one in ManifestView(str(item["kind"]), item).spec.texts("nets"):
        yield BlockPeer(network(one, "spec.nets"), pods="maybe")


def _with(clauses: tuple[Clause, ...], members: Sequence[BlockPeer]) -> tuple[Clause, ...]:
    return tuple(
        clause._replace(any_of=(*clause.any_of, *members))
        if not clause.negated and any(isinstance(peer, PodPeer) for peer in clause.any_of)
        else clause
        for clause in clauses
    )
