"""Asks the API server of this control plane for APIs that a later release removes. It changes nothing.

It runs on a node, with the Python of its operating system (3.9 or newer); `reading.question` has its text. It prints a
line `removed` and JSON for each API that a client has requested since the API server started, or that objects have
which no API that stays can read:
    api, resource, release (that removes it), clients (user and program, of the audit log), stored (number of objects)
It prints `asked` at the end, or `unasked` and a reason. The API server says itself which release removes an API: in the
metric `apiserver_requested_deprecated_apis`, and in a warning with each answer.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any

MANIFEST = Path("/etc/kubernetes/manifests/kube-apiserver.yaml")
AUDIT_LOG = Path("/var/log/kubernetes/audit/audit.log")
KUBECTL = ["kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf", "--request-timeout", "5s"]
MARK = "vds-platform=asks"  # a query that no API server reads: our own requests are told from others by it
METRIC = re.compile(r"^apiserver_requested_deprecated_apis\{(.*)\} 1$", re.MULTILINE)
LABEL = re.compile(r'(\w+)="([^"]*)"')
WARNING = re.compile(r"unavailable in v(\d+)\.(\d+)\+")
STABLE = re.compile(r"v\d+")
LATER = (1000, 0)  # than each release that removes something


def get(path: str) -> tuple[str, str]:
    """What the API server of this node answers, and what it warns of."""
    flags = dict(re.findall(r"^ *- --(advertise-address|secure-port)=(\S+)$", MANIFEST.read_text(), re.MULTILINE))
    address, port = flags["advertise-address"], flags["secure-port"]
    server = f"https://[{address}]:{port}" if ":" in address else f"https://{address}:{port}"
    done = subprocess.run(
        [*KUBECTL, "--server", server, "get", "--raw", path], capture_output=True, text=True, check=True
    )
    return done.stdout, done.stderr


def requested() -> dict[tuple[str, str], str]:
    """(API, resource) → the release that removes it."""
    found = {}
    for text in METRIC.findall(get("/metrics")[0]):
        labels = dict(LABEL.findall(text))
        if labels["removed_release"]:
            api = "/".join(part for part in (labels["group"], labels["version"]) if part)
            found[api, labels["resource"]] = labels["removed_release"]
    return found


def stored() -> dict[tuple[str, str], tuple[str, int]]:
    """(API, resource) → the release that removes it, and how many objects have no other API that stays."""
    items = json.loads(get("/apis/apiregistration.k8s.io/v1/apiservices")[0])["items"]
    served: dict[str, set[str]] = defaultdict(
        set
    )  # group → versions; those of CustomResourceDefinitions have another label
    for item in items:
        if item["metadata"].get("labels", {}).get("kube-aggregator.kubernetes.io/automanaged") == "onstart":
            served[item["spec"].get("group", "")].add(item["spec"]["version"])
    found = {}
    for group, versions in served.items():
        if all(map(STABLE.fullmatch, versions)):
            continue
        of_resource: dict[str, list[str]] = defaultdict(list)
        for version in versions:
            for resource in json.loads(get(f"/apis/{group}/{version}")[0])["resources"]:
                if "list" in resource["verbs"]:
                    of_resource[resource["name"]].append(version)
        for resource, among in of_resource.items():
            if any(map(STABLE.fullmatch, among)):
                continue
            ends = [(*ending(f"{group}/{version}", resource), version) for version in among]
            release, number, version = max(ends, key=lambda end: end[0] or LATER)
            if release and number:
                found[f"{group}/{version}", resource] = ".".join(map(str, release)), number
    return found


def ending(api: str, resource: str) -> tuple[Any, int]:
    """The release that removes it, if its answer says one, and how many objects it shows."""
    text, warning = get(f"/apis/{api}/{resource}?limit=1&{MARK}")
    listed, removed = json.loads(text), WARNING.search(warning)
    number = len(listed["items"]) + listed["metadata"].get("remainingItemCount", 0)
    return (int(removed[1]), int(removed[2])) if removed else None, number


def clients() -> dict[tuple[str, str], set[tuple[str, str]]]:
    """(API, resource) → who asked for it, by the audit log that is written now. Our own requests have no client."""
    found: dict[tuple[str, str], set[tuple[str, str]]] = defaultdict(set)
    if AUDIT_LOG.exists():
        with AUDIT_LOG.open(errors="replace") as lines:
            for line in lines:
                if '"k8s.io/removed-release"' not in line:
                    continue
                try:
                    event = json.loads(line)
                    ref = event["objectRef"]
                    api = "/".join(part for part in (ref.get("apiGroup"), ref["apiVersion"]) if part)
                    asked = found[api, ref["resource"]]
                    if MARK not in event["requestURI"]:
                        asked.add((event["user"]["username"], event.get("userAgent", "").partition(" ")[0]))
                except (ValueError, KeyError):  # a line that is written at this moment
                    continue
    return found


def main() -> None:
    now, known = requested(), clients()
    kept = stored()
    for key in sorted({*now, *kept}):
        if key not in kept and key in known and not known[key]:
            continue  # the metric counts our own requests of an earlier reading
        release, number = kept.get(key, (now.get(key), 0))
        asked = [f"{user} ({program})" if program else user for user, program in sorted(known.get(key, ()))]
        said = {"api": key[0], "resource": key[1], "release": release, "clients": asked[:5], "stored": number}
        print("removed", json.dumps(said))
    print("asked")


try:
    main()
except subprocess.CalledProcessError as error:
    print("unasked", " ".join(error.stderr.split())[-500:])
except (OSError, ValueError, KeyError) as error:
    print("unasked", type(error).__name__, " ".join(str(error).split())[-500:])
