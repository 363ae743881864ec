"""Services: where a call to one goes, and whether the pods there let the caller in. Pure.

The API server's controllers send a call to the pods that the Service selects, at its target port. A target port with a
name is a different number in each pod, and a pod without that name gets no calls. CNIs apply policies to the pod that a
call goes to, not to the Service's own address.
"""

from collections.abc import Iterator, Mapping
from typing import Literal

from components.core.manifests import Fields, Manifest
from components.reach.evaluate import Reach, holds
from components.reach.model import (
    Answer,
    BlockPeer,
    Endpoint,
    Port,
    Reason,
    Rule,
    Service,
    ServicePort,
    State,
    Verdict,
)
from components.reach.questions import RANK, Answers

PREFIX = "service/"
"""Of a Service's name on the command line: `service/bank/db`."""
_SLICE_OF = "kubernetes.io/service-name"


def service(item: Manifest) -> Service:
    """A Service's manifest. Raises FieldError for a field that is of another type, or not known yet."""
    spec = Fields(item.get("spec"), "spec")
    status = Fields(item.get("status"), "status").group("loadBalancer")
    cluster = [one for one in (spec.texts("clusterIPs") or [spec.text("clusterIP")]) if one]
    outside = [*spec.texts("externalIPs"), spec.text("loadBalancerIP")]
    outside += [one.text("ip") for one in status.groups("ingress")]
    ports = tuple(
        ServicePort(
            Port(one.number("port"), one.text("protocol", "TCP").upper()),
            one.text("targetPort", str(one.number("port"))),
            one.text("name"),
        )
        for one in spec.groups("ports")
    )
    chosen = spec.group("selector")
    return Service(
        ports,
        {key: chosen.text(key) for key in chosen} or None,
        headless=cluster == ["None"],
        outside=tuple(one for one in dict.fromkeys(outside) if one),
        addresses=tuple(one for one in cluster if one != "None"),
        same_node=spec.text("internalTrafficPolicy") == "Local",
        keeps_caller=spec.text("externalTrafficPolicy") == "Local",
        unreadable="it is the name of a host (ExternalName)" if spec.text("type") == "ExternalName" else "",
    )


def slice_of(item: Manifest) -> str:
    """`namespace/name` of the Service that an EndpointSlice is of; empty where it names none."""
    metadata = item.get("metadata") or {}
    name = (metadata.get("labels") or {}).get(_SLICE_OF)
    return f"{metadata.get('namespace')}/{name}" if name else ""


def backends(item: Manifest) -> Iterator[tuple[str, Port, str]]:
    """Address, port and the port's name of each endpoint in an EndpointSlice."""
    view = Fields(item)
    for endpoint in view.groups("endpoints"):
        for address in endpoint.texts("addresses"):
            for port in view.groups("ports"):
                yield address, Port(port.number("port"), port.text("protocol", "TCP").upper()), port.text("name")


def named(state: State, text: str) -> str:
    """The Service that a name or an address on the command line means; empty where it means none."""
    if text.removeprefix(PREFIX) in state.services and text.startswith(PREFIX):
        return text.removeprefix(PREFIX)
    return next((name for name, one in state.services.items() if text in (*one.addresses, *one.outside)), "")


def ports_of(answers: Answers, name: str) -> list[Port]:
    """The ports at which a Service can be called: its own, or for one without an address those of the pods."""
    own = answers.reach.state.services[name]
    return [span.port for span in answers.reach.spans()] if own.headless else [one.port for one in own.ports]


def verdict(answers: Answers, source: str, name: str, port: Port) -> Verdict:
    """Whether a workload, or an address, reaches a Service at a port.

    It does if it reaches one of the pods that the call may go to. Raises KeyError for a name that is not there.
    """
    state = answers.reach.state
    own = state.services[name]
    if own.unreadable:
        return _said(Answer.UNDECIDED, own.unreadable)
    if not own.headless and port not in [one.port for one in own.ports]:
        return _said(Answer.NO, f"Service {name} has no port {port}")
    targets = dict.fromkeys(_targets(answers.reach, name, own, port))
    found = [
        (_through(answers, own, caller, place, at), place, at)
        for caller in state.workloads[source]
        for place, at in targets
    ]
    best, place, at = min(found, key=lambda one: RANK[one[0].answer], default=(None, 0, port))
    if (best is None or best.answer is Answer.NO) and (why := _may_have_more(answers.reach, name, own)):
        return _said(Answer.UNDECIDED, why)
    if best is None:
        return _said(Answer.NO, f"Service {name} has no pod for this port")
    text = f"Service {name} sends it to {_where(state.endpoints[place])} at {at}"
    if best.answer is Answer.YES and (others := sum(one.answer is not Answer.YES for one, *_ in found)):
        text += f"; {others} of {len(found)} ways to its endpoints are denied or undecided"
    return Verdict(best.answer, (Reason("service", _ACTIONS[best.answer], "", "", text), *best.reasons))


_ACTIONS: Mapping[Answer, Literal["allow", "deny", "undecided"]] = {
    Answer.YES: "allow",
    Answer.NO: "deny",
    Answer.UNDECIDED: "undecided",
}


def _said(answer: Answer, text: str) -> Verdict:
    return Verdict(answer, (Reason("service", _ACTIONS[answer], "", "", text),))


def _where(endpoint: Endpoint) -> str:
    if not endpoint.namespace:
        return ", ".join(endpoint.addresses or ())
    labels = ",".join(f"{key}={value}" for key, value in sorted(endpoint.labels.items()))
    return f"pods of {endpoint.namespace} with {labels}"


def _targets(reach: Reach, name: str, own: Service, port: Port) -> Iterator[tuple[int, Port]]:
    """Endpoints that a call at this port may go to, each with the port that it gets there."""
    [asked, *_] = [one for one in own.ports if one.port == port] or [ServicePort(port, str(port.number), "")]
    if own.selector is None:
        yield from ((place, at) for place, at, called in own.backends if called == asked.name)
        return
    for place in reach.places_of(name.partition("/")[0]):
        endpoint = reach.state.endpoints[place]
        if endpoint.unreadable or not own.selector.items() <= endpoint.labels.items():
            continue
        if own.headless or asked.target.isdecimal():
            yield place, port if own.headless else Port(int(asked.target), port.protocol)
        else:
            named_so = (one for one in endpoint.ports if (one.name, one.protocol) == (asked.target, port.protocol))
            yield from ((place, Port(one.number, port.protocol)) for one in list(named_so)[:1])


def _may_have_more(reach: Reach, name: str, own: Service) -> str:
    """Why a Service may have endpoints that are not known."""
    namespace = name.partition("/")[0]
    if own.selector is None:
        return "" if own.sliced else "it has no selector, and its EndpointSlices were not read"
    if why := reach.state.gaps.get(namespace) or reach.state.gaps.get(""):
        return why
    odd = [reach.state.endpoints[place].unreadable for place in reach.places_of(namespace)]
    return next((f"a pod that it may select: {why}" for why in odd if why), "")


def _through(answers: Answers, own: Service, caller: int, place: int, at: Port) -> Verdict:
    """The answer for one pod behind the Service."""
    found = answers.pair(caller, place, at)
    why = _doubt(answers.reach, own, found.answer, caller, place)
    return _said(Answer.UNDECIDED, why) if why else found


def _doubt(reach: Reach, own: Service, answer: Answer, caller: int, place: int) -> str:
    """Why the answer for a pod may not be the answer for the Service."""
    if own.same_node and answer is Answer.YES:
        return "internalTrafficPolicy Local: only pods on the caller's own node answer"
    if not reach.state.endpoints[caller].namespace:
        if not own.outside:
            return "it has no address for callers outside the cluster"
        if not own.keeps_caller and reach.governed(place, "ingress"):
            return "externalTrafficPolicy Cluster: the pod may see a node's address in place of the caller's"
    if reach.state.cni in ("", "other"):
        for policy in reach.governed(caller, "egress"):
            for rule in policy.rules:
                if rule.action in _OPPOSITE[answer] and _names(rule, own):
                    return (
                        f"{policy.label}, {rule.where}, has a network with the Service's address, and it is not known "
                        "whether the CNI compares that or the pod's address"
                    )
    return ""


_OPPOSITE: Mapping[Answer, tuple[str, ...]] = {Answer.YES: ("deny",), Answer.NO: ("allow",), Answer.UNDECIDED: ()}


def _names(rule: Rule, own: Service) -> bool:
    """Whether a rule has a network that holds an address of the Service, or may: it can have one that is not known."""
    blocks = [peer for clause in rule.peers for peer in clause.any_of if isinstance(peer, BlockPeer)]
    known = (*own.addresses, *own.outside)
    if own.headless or not blocks:
        return False
    return not own.addresses or any(holds(peer, address) for peer in blocks for address in known)
