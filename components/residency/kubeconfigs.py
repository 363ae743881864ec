"""The servers of clusters that kubeconfigs name, by context.

A provider of Kubernetes without a kubeconfig takes that of the engine's environment: the files of KUBECONFIG, else
~/.kube/config (client-go's loading rules). No credential is kept.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from components.core.endpoints import url_hosts
from components.core.untrusted import YamlError, yaml_value

Servers = dict[str, list[str]]
"""Public hosts of a context's server and of the proxy to it, by the context's name; "" is the current one."""


class UnreadableKubeconfigError(Exception):
    """It is no kubeconfig. The text repeats nothing of it."""


def all_hosts(kubeconfig: str) -> list[tuple[str, str]]:
    """Field and public host of every cluster. Raises UnreadableKubeconfigError."""
    clusters = _clusters([_parsed(kubeconfig)])
    return [found for name in clusters for found in _hosts(clusters[name])]


def servers(texts: Iterable[str]) -> Servers:
    """Of several files, merged: the first that says something of a name counts. Raises UnreadableKubeconfigError."""
    files = [_parsed(text) for text in texts]
    clusters, contexts = _clusters(files), _named(files, "contexts", "context")
    found = {name: _hosts(clusters.get(str(body.get("cluster")), {})) for name, body in contexts.items()}
    current = next((str(file["current-context"]) for file in files if file.get("current-context")), "")
    by_name = {name: [host for _, host in hosts] for name, hosts in found.items()}
    return {**by_name, "": by_name[current]} if current in by_name else by_name


def seen_clusters(environment: Mapping[str, str]) -> Servers | None:
    """Those of the environment of this process; nothing if it has no kubeconfig, None if it can't be read."""
    home = environment.get("HOME") or "/nonexistent"
    listed = environment.get("KUBECONFIG") or f"{home}/.kube/config"
    files = [Path(name) for name in listed.split(os.pathsep) if name]
    try:
        return servers([file.read_text(encoding="utf-8") for file in files if file.exists()])
    except (OSError, ValueError, UnreadableKubeconfigError):
        return None


def _parsed(text: str) -> Mapping[str, Any]:
    try:
        found = yaml_value(text)
    except YamlError:
        raise UnreadableKubeconfigError from None
    if not isinstance(found, Mapping):
        raise UnreadableKubeconfigError
    return found


def _clusters(files: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    return _named(files, "clusters", "cluster")


def _named(files: Iterable[Mapping[str, Any]], group: str, inner: str) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for file in files:
        for number, entry in enumerate(file.get(group) or ()):
            body = entry.get(inner) if isinstance(entry, Mapping) else None
            if isinstance(body, Mapping):
                found.setdefault(str(entry.get("name", number)), body)
    return found


def _hosts(cluster: Mapping[str, Any]) -> list[tuple[str, str]]:
    urls = ((field, cluster.get(field)) for field in ("server", "proxy-url"))
    return [(field, host) for field, url in urls if isinstance(url, str) for host in url_hosts(url)]
