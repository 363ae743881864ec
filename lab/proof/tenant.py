"""Which connections and names work in a tenant, and which do not."""

from concurrent.futures import ThreadPoolExecutor

from components.stackfile.spec import PlatformSpec
from lab.asking import Facts, ask, from_pod, service_address
from lab.cluster import Cluster
from lab.layout import Layout

# On a busy machine an allowed connection and a name may need a second try. A forbidden connection must never work.
_SECONDS = 10


def tenant_facts(layout: Layout, cluster: Cluster, spec: PlatformSpec, there: list[Facts]) -> Facts:
    """Every call between two tiers of the first tenant, against what its tiers' `allowFrom` says."""
    tenant = spec.tenants[0]
    by_app = {p["app"]: p for p in there if p["namespace"] == tenant.name}
    tiers = {t.name: t for t in tenant.tiers}
    entry = {name: by_app.get(name) or by_app[f"{name}-stable"] for name in tiers}
    services = {name: service_address(cluster, tenant.name, entry[name]["app"]) for name in tiers}
    calls: Facts = {}
    with ThreadPoolExecutor(len(tiers)) as pool:
        asked = pool.map(lambda name: _tier_calls(layout, entry[name], name, tiers, services), tiers)
        for rows in asked:
            calls |= rows
    by_service = {entry[name]["app"]: address for name, address in services.items()}
    names = _names(layout, cluster, next(iter(entry.values())), tenant.name, by_service)
    return {
        "ok": all(c["answered"] == c["allowed"] for c in calls.values()) and all(row["ok"] for row in names.values()),
        "tenant": tenant.name,
        "calls": calls,
        "names": names,
    }


def _names(layout: Layout, cluster: Cluster, pod: Facts, tenant: str, addresses: dict[str, str]) -> Facts:
    """The tenant's Services by name, asked of the cluster's own name server from a pod of the tenant."""
    server = service_address(cluster, "kube-system", "kube-dns")
    wanted = {f"{service}.{tenant}.svc.cluster.local": address for service, address in addresses.items()}
    questions = [{"ask": "resolve", "server": server, "name": name, "within_seconds": _SECONDS} for name in wanted]
    answers = ask(from_pod(pod, layout), questions)
    return {
        name: {"ok": answer["address"] == address, **answer}
        for (name, address), answer in zip(wanted.items(), answers, strict=True)
    }


def _tier_calls(layout: Layout, pod: Facts, source: str, tiers: Facts, addresses: dict[str, str]) -> Facts:
    targets = [name for name in tiers if name != source]
    seconds = {t: _SECONDS if source in tiers[t].allow_from else 0 for t in targets}
    questions = [
        {"ask": "call", "host": addresses[t], "port": tiers[t].port, "within_seconds": seconds[t]} for t in targets
    ]
    rows: Facts = {}
    for target, answer in zip(targets, ask(from_pod(pod, layout), questions), strict=True):
        rows[f"{source} → {target}"] = {"allowed": source in tiers[target].allow_from, **answer}
    return rows
