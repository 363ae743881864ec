"""What network policies deny every pod of a namespace, and whether it may ask for names, in every grammar. Pure."""

from collections.abc import Mapping

from components.core.manifests import Fields, ManifestView
from components.core.network_policies import TYPES, allows, grammar_of
from components.reach.grammars import calico, cilium, kubernetes
from components.reach.isolation import SIDES, Side, permissive_rules, selects_everything, specs
from components.reach.model import PortMatch
from components.tenancy import selectors
from components.tenancy.selectors import IsTenant

_DNS_PORTS = ("dns", "dns-udp", "domain")
"""As CoreDNS' Deployment and the Service kube-dns name them."""


def denied(policy: ManifestView, namespace: str, labels: Mapping[str, str], is_tenant: IsTenant) -> set[Side]:
    """The directions that a policy shuts for every pod of a namespace, but for what its rules name."""
    grammar = grammar_of(policy.kind, policy.text("apiVersion")) or ""
    shut = {
        side
        for spec in specs(policy)
        if _selects_all(policy, spec, grammar, namespace, labels)
        for side in SIDES
        if _shuts(spec, grammar, side)
    }
    return shut - {side for side, _ in permissive_rules(policy, is_tenant)} if shut else shut


def lets_ask_for_names(policy: ManifestView, namespace: str, labels: Mapping[str, str]) -> bool:
    """Whether a policy lets every pod of a namespace reach a name server."""
    grammar = grammar_of(policy.kind, policy.text("apiVersion")) or ""
    return any(
        _selects_all(policy, spec, grammar, namespace, labels) and _to_name_servers(rule, grammar)
        for spec in specs(policy)
        for rule in spec.groups("egress")
    )


def _selects_all(policy: ManifestView, spec: Fields, grammar: str, namespace: str, labels: Mapping[str, str]) -> bool:
    """Whether it is about every pod of the namespace; a policy of another namespace never is."""
    if policy.kind in ("NetworkPolicy", "CiliumNetworkPolicy") and policy.namespace != namespace:
        return False
    if grammar == "kubernetes":
        return selects_everything(spec.group("podSelector"))
    if grammar == "cilium":
        return "endpointSelector" in spec and selectors.selects(
            selectors.cilium(spec.group("endpointSelector")), namespace, labels
        )
    if grammar == "calico":
        return any(selectors.selects(one, namespace, labels) for one in selectors.calico_selectors(spec))
    subject = spec.group("subject")
    chosen = (
        subject.group("pods") if "pods" in subject else Fields({"namespaceSelector": subject.raw.get("namespaces")})
    )
    return selects_everything(chosen.group("podSelector")) and selectors.selects(
        selectors.kubernetes(chosen.group("namespaceSelector")), namespace, labels
    )


def _shuts(spec: Fields, grammar: str, side: Side) -> bool:
    """Whether a policy of this grammar denies what its rules do not allow."""
    if grammar == "cilium":
        said = spec.group("enableDefaultDeny").text(side, "true")
        return said == "true" and bool(spec.items(side) or spec.items(f"{side}Deny"))
    if grammar == "admin":  # it denies what a rule says and nothing else
        return any(_refuses_everybody(rule, side) for rule in spec.groups(side))
    if types := spec.texts(TYPES[grammar]):
        return side in [said.lower() for said in types]
    written = [other for other in SIDES if spec.items(other)]  # an empty list is as none: defaults of both APIs
    if grammar == "calico":
        return side in (written or ["ingress"])
    return side == "ingress" or side in written


def _refuses_everybody(rule: Fields, side: Side) -> bool:
    peers = rule.groups("from" if side == "ingress" else "to")
    everybody = any("namespaces" in peer and not selectors.kubernetes(peer.group("namespaces")) for peer in peers)
    return rule.text("action") == "Deny" and everybody and "ports" not in rule and "protocols" not in rule


def _to_name_servers(rule: Fields, grammar: str) -> bool:
    if grammar == "kubernetes":
        peers = rule.groups("to")
        elsewhere = not peers or any("namespaceSelector" in peer or "ipBlock" in peer for peer in peers)
        return elsewhere and _is_dns(kubernetes.ports(rule), unlimited=bool(peers))
    if grammar == "cilium":
        named = any(key in rule for key in ("toEndpoints", "toEntities", "toServices"))
        return _is_dns(cilium.ports(rule), unlimited=named)
    if grammar == "calico" and allows("calico", rule.raw):
        return _is_dns(calico.ports(rule), unlimited="namespaceSelector" in rule.group("destination"))
    return False


def _is_dns(ports: list[PortMatch], *, unlimited: bool) -> bool:
    """Whether ports have DNS by UDP among them; `unlimited`: what no ports at all mean."""
    if not ports:
        return unlimited
    by_udp = [port for port in ports if port.protocol in ("", "UDP", "17")]
    return any(port.name in _DNS_PORTS if port.name else port.first <= 53 <= port.last for port in by_udp)
