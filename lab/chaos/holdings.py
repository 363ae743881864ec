"""What the platform has: in the engine's state, in the cluster, on the machines, and what belongs to tenants.

Two questions are asked of it. Is it whole in itself: does the state name exactly what exists? And is it as it was
before the fault?
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from components.kubernetes_api import ApiError
from lab.asking import Facts, ssh
from lab.cluster import Cluster, condition
from lab.layout import MACHINES, Layout
from lab.machines import machine
from lab.tenants.settings import NAMESPACES

Key = tuple[str, str, str]
"""API group, kind, and `namespace/name` of an object."""

_OURS = re.compile(r"pulumi-kubernetes-[0-9a-f]{8}")  # the provider's field manager, one for each resource
_RELEASE = "kubernetes:helm.sh/v3:Release"
_TENANTS_KINDS = ("configmaps", "persistentvolumeclaims", "secrets", "services")
# What one node has of us, one fact a line.
_ON_NODE = r"""
for part in started joined; do
	[ ! -e /var/lib/vds-platform-cluster/$part ] || echo "$part"
done
[ ! -e /etc/kubernetes/kubelet.conf ] || echo member
[ ! -e /var/lib/vds-platform ] || echo set-up
for path in $(find /var/lib/vds-platform /var/lib/vds-platform-cluster /etc/sysctl.d /etc/modules-load.d \
	/etc/kubernetes /etc/containerd -name '*.new' 2>/dev/null) /run/vds-platform-cluster; do
	[ ! -e "$path" ] || echo "left $path"
done
"""
_MEMBER = {"started", "joined", "member", "set-up"}


@dataclass(frozen=True)
class Holdings:
    """What the platform has at one moment."""

    urns: Sequence[str] = ()
    """Of every resource in the engine's state."""
    pending: Sequence[str] = ()
    """Operations of which the state does not know how they ended."""
    stated: frozenset[Key] = frozenset()
    """Kubernetes objects that the state names."""
    live: frozenset[Key] = frozenset()
    """Kubernetes objects that the engine has made and that exist."""
    releases: frozenset[str] = frozenset()
    """Helm releases that the state names."""
    helm: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Release in the cluster → the status of each of its revisions that is not superseded."""
    owned: frozenset[str] = frozenset()
    """Releases that objects in the cluster say they are of."""
    wanted_nodes: frozenset[str] = frozenset()
    """Nodes of the stack file."""
    nodes: Mapping[str, str] = field(default_factory=dict)
    """Node object → `ready`, or what is wrong with it."""
    machines: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Machine that is on → what of us is on it."""
    outputs: Mapping[str, str] = field(default_factory=dict)
    """Output of the stack → digest of its value."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    """Secret of the stack's configuration → digest of its value."""
    tenants: Mapping[str, str] = field(default_factory=dict)
    """What tenants have → its UID and the digest of its content."""


def wrong(now: Holdings) -> list[str]:
    """Duplicates, orphans, half-done operations, and what the state names and is not there."""
    found = [f"duplicate in the state: {urn}" for urn, times in Counter(now.urns).items() if times > 1]
    found += [f"half done: {operation}" for operation in now.pending]
    found += [f"orphan: {_text(key)} is in no state" for key in sorted(now.live - now.stated)]
    found += [f"lost: {_text(key)} is in the state and not in the cluster" for key in sorted(now.stated - now.live)]
    for release in sorted(now.releases | set(now.helm) | now.owned):
        status = list(now.helm.get(release, ()))
        if release not in now.releases:
            found.append(f"orphan: Helm release {release} is in no state")
        elif status != ["deployed"]:
            found.append(f"Helm release {release} is {', '.join(status) or 'gone'}, not deployed")
    for node in sorted(now.wanted_nodes | set(now.nodes)):
        if node not in now.wanted_nodes:
            found.append(f"orphan: Node {node} is not in the stack file")
        elif (state := now.nodes.get(node, "gone")) != "ready":
            found.append(f"Node {node} is {state}")
    for name, facts in sorted(now.machines.items()):
        wanted = _MEMBER if name in now.wanted_nodes else set()
        found += [f"machine {name}: {fact}" for fact in sorted(facts - wanted)]
        found += [f"machine {name} lacks: {fact}" for fact in sorted(wanted - facts)]
    return found


def lost(before: Holdings, after: Holdings, changed: Sequence[str] = ()) -> list[str]:
    """What is not as it was; `changed` are outputs and secrets that the repair makes anew."""
    found = [f"resource {urn} is gone" for urn in sorted(set(before.urns) - set(after.urns))]
    found += [f"resource {urn} is new" for urn in sorted(set(after.urns) - set(before.urns))]
    for what, old, new in (
        ("output", _without(before.outputs, changed), _without(after.outputs, changed)),
        ("secret", _without(before.secrets, changed), _without(after.secrets, changed)),
        ("of a tenant:", before.tenants, after.tenants),
    ):
        found += [f"{what} {name} is gone" for name in sorted(old.keys() - new.keys())]
        found += [f"{what} {name} is new" for name in sorted(new.keys() - old.keys())]
        found += [f"{what} {name} has changed" for name in sorted(old.keys() & new.keys()) if old[name] != new[name]]
    return found


def read(
    layout: Layout, cluster: Cluster, exported: Sequence[Facts], outputs: Facts, config: Facts, spec: Facts
) -> Holdings:
    """Ask the states (`pulumi stack export` of every stack), the environment's outputs and configuration, the cluster
    and every machine that is on."""
    states = [one["deployment"] for one in exported]
    resources = [resource for state in states for resource in state.get("resources") or ()]
    pending = [one for state in states for one in state.get("pending_operations") or ()]
    live, owned = _live(cluster)
    return Holdings(
        urns=[resource["urn"] for resource in resources],
        pending=[f"{one['type']} {one['resource']['urn']}" for one in pending]
        + [f"to delete {one['urn']}" for one in resources if one.get("delete")],
        stated=frozenset(key for resource in resources if (key := _key(resource))),
        live=live,
        releases=frozenset(one["id"] for one in resources if one["type"] == _RELEASE and one.get("id")),
        helm=_helm(cluster),
        owned=owned,
        wanted_nodes=frozenset(node["name"] for node in spec["nodes"]),
        nodes={item["metadata"]["name"]: _node(item) for item in cluster.request("GET", "/api/v1/nodes")["items"]},
        machines={host.name: _on(layout, host.address) for host in MACHINES if machine.is_running(layout, host)},
        outputs={name: digest(value) for name, value in outputs.items()},
        secrets={name: digest(value.get("value")) for name, value in config.items() if value.get("secret")},
        tenants=_tenants(cluster, NAMESPACES),
    )


def digest(value: Any) -> str:
    """Of any JSON value: what is compared and printed must not be a secret."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def _key(resource: Facts) -> Key | None:
    provider, _, rest = str(resource["type"]).partition(":")
    if provider != "kubernetes" or resource["type"] == _RELEASE or not resource.get("id"):
        return None
    version, _, kind = rest.partition(":")
    group = version.partition("/")[0] if "/" in version else ""
    return "" if group == "core" else group, kind.removesuffix("Patch"), str(resource["id"])


def _live(cluster: Cluster) -> tuple[frozenset[Key], frozenset[str]]:
    groups = cluster.request("GET", "/apis")["groups"]
    # All versions: a kind need not be in the one that its group prefers.
    versions = ["/api/v1", *(f"/apis/{one['groupVersion']}" for group in groups for one in group["versions"])]
    keys: set[Key] = set()
    owned: set[str] = set()
    for path in versions:
        group = path.removeprefix("/apis/").partition("/")[0] if path != "/api/v1" else ""
        for kind in cluster.request("GET", path)["resources"]:
            if "/" in kind["name"] or "list" not in kind["verbs"] or kind["kind"] == "Event":
                continue
            try:
                items = cluster.request("GET", f"{path}/{kind['name']}")["items"]
            except ApiError:  # listed, and not served
                continue
            for item in items:
                meta = item["metadata"]
                where = f"{meta['namespace']}/{meta['name']}" if meta.get("namespace") else meta["name"]
                if any(_OURS.fullmatch(entry.get("manager", "")) for entry in meta.get("managedFields") or ()):
                    keys.add((group, kind["kind"], where))
                notes = meta.get("annotations") or {}
                if name := notes.get("meta.helm.sh/release-name"):
                    owned.add(f"{notes.get('meta.helm.sh/release-namespace')}/{name}")
    return frozenset(keys), frozenset(owned)


def _helm(cluster: Cluster) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for item in cluster.request("GET", "/api/v1/secrets", query=[("labelSelector", "owner=helm")])["items"]:
        labels = item["metadata"]["labels"]
        statuses = found.setdefault(f"{item['metadata']['namespace']}/{labels['name']}", [])
        if labels["status"] != "superseded":
            statuses.append(labels["status"])
    return found


def _node(item: Facts) -> str:
    if item["spec"].get("unschedulable"):
        return "cordoned"
    return "ready" if condition(item, "Ready") == "True" else "not Ready"


def _on(layout: Layout, address: str) -> frozenset[str]:
    done = ssh(layout, address, _ON_NODE)
    return frozenset(done.stdout.split("\n")) - {""} if done.returncode == 0 else frozenset({"can't be asked over SSH"})


def _tenants(cluster: Cluster, names: Iterable[str]) -> dict[str, str]:
    found = {}
    for name in names:
        namespace = cluster.request("GET", f"/api/v1/namespaces/{name}")
        found[f"namespace {name}"] = namespace["metadata"]["uid"]
        for kind in _TENANTS_KINDS:
            for item in cluster.request("GET", f"/api/v1/namespaces/{name}/{kind}")["items"]:
                content = [item.get("data"), item.get("spec"), (item.get("status") or {}).get("phase")]
                found[f"{kind} {name}/{item['metadata']['name']}"] = f"{item['metadata']['uid']} {digest(content)}"
    return found


def _without(values: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    return {name: value for name, value in values.items() if name not in set(names)}


def _text(key: Key) -> str:
    return f"{key[1]} {key[2]}"
