"""Which connections and names work in a tenant's namespace, and which do not."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from components.agency.model import SERVICE_PORT, App
from lab.asking import Facts, ask, from_pod, service_address
from lab.cluster import Cluster
from lab.layout import Layout
from lab.processes import LabError
from lab.tenants.settings import NAMESPACE

# On a busy machine an allowed connection and a name may need a second try. A forbidden connection must never work.
_SECONDS = 10


def tenant_facts(layout: Layout, cluster: Cluster, apps: Mapping[str, App], there: list[Facts]) -> Facts:
    """Every call between two apps of the agency, against what it has written in `callers` and `calls`.

    Raises:
        LabError: an app has no pod.
    """
    pods = {pod["app"]: pod for pod in there if pod["namespace"] == NAMESPACE}
    if missing := sorted(apps.keys() - pods.keys()):
        raise LabError(f"{NAMESPACE} has no pod of {', '.join(missing)}; run: make up")
    addresses = {name: service_address(cluster, NAMESPACE, name) for name in apps}
    calls: Facts = {}
    with ThreadPoolExecutor(len(apps)) as pool:
        for rows in pool.map(lambda name: _calls(layout, pods[name], apps[name], apps, addresses), apps):
            calls |= rows
    names = _names(layout, cluster, next(iter(pods.values())), addresses)
    return {
        "ok": all(c["answered"] == c["allowed"] for c in calls.values()) and all(row["ok"] for row in names.values()),
        "tenant": NAMESPACE,
        "calls": calls,
        "names": names,
    }


def _names(layout: Layout, cluster: Cluster, pod: Facts, addresses: Mapping[str, str]) -> Facts:
    """The tenant's Services by name, asked of the cluster's own name server from a pod of the tenant."""
    server = service_address(cluster, "kube-system", "kube-dns")
    wanted = {f"{service}.{NAMESPACE}.svc.cluster.local": address for service, address in addresses.items()}
    questions = [{"ask": "resolve", "server": server, "name": name, "within_seconds": _SECONDS} for name in wanted]
    answers = ask(from_pod(pod, layout), questions)
    return {
        name: {"ok": answer["address"] == address, **answer}
        for (name, address), answer in zip(wanted.items(), answers, strict=True)
    }


def _calls(layout: Layout, pod: Facts, source: App, apps: Mapping[str, App], addresses: Mapping[str, str]) -> Facts:
    targets = [app for app in apps.values() if app.name != source.name]
    allowed = {
        app.name: source.name in app.callers
        and any((one.app, one.port) == (app.name, app.port) for one in source.calls)
        for app in targets
    }
    questions = [
        {
            "ask": "call",
            "host": addresses[app.name],
            "port": SERVICE_PORT,
            "within_seconds": _SECONDS if allowed[app.name] else 0,
        }
        for app in targets
    ]
    answers = ask(from_pod(pod, layout), questions)
    return {
        f"{source.name} → {app.name}": {"allowed": allowed[app.name], **answer}
        for app, answer in zip(targets, answers, strict=True)
    }
