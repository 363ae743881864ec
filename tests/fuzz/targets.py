"""What is fuzzed: for each kind of input a function that must give findings or declared errors, and nothing else."""

import functools
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from hypothesis import strategies as st

from components.charts.releases import inside
from components.core.unknown import UNKNOWN
from components.core.untrusted import json_value, yaml_value
from components.nodes.known_hosts import KnownHostsError, known_hosts
from components.nodes.preflight.facts import FactsError, Survey, dump, load, parse
from components.nodes.preflight.verdict import findings
from components.nodes.settings import readback
from components.nodes.settings.drift import judge
from components.stackfile.parsing import check_file
from policies import offline
from policies.releases import versions
from tests.fuzz.mutations import EDITS, MUTATIONS, edited, mutated
from tests.support.charts import pack
from tests.support.stacks import stack
from tests.support.surveys import fit_facts
from vds.inspect import parse as inspect
from vds.shared.errors import OperationError

ROOT = Path(__file__).parents[2]


class Target(NamedTuple):
    """One kind of input."""

    name: str
    inputs: int
    """How many `make fuzz` tries."""
    strategy: st.SearchStrategy[Any]
    run: Callable[[Any], int]
    """Gets an input. Returns the number of findings and errors. Raises only for a fault of ours."""


# --- stack files ---------------------------------------------------------------------------------------------

STACK_FILES = ("Pulumi.oslo.yaml", "Pulumi.lab.yaml")


@functools.cache
def _stack_file(name: str) -> tuple[str, Any]:
    text = (ROOT / name).read_text(encoding="utf-8")
    return text, yaml_value(text)


def _stack_text(given: tuple[str, list[Any], list[Any]]) -> tuple[str, str]:
    name, mutations, edits = given
    text, data = _stack_file(name)
    spec = data["config"]["vds-platform:spec"]
    if mutations:
        config = {**data["config"], "vds-platform:spec": mutated(spec, mutations)}
        text = yaml.safe_dump({**data, "config": config}, allow_unicode=True, sort_keys=False)
    return name, edited(text, edits)


def stack_file(given: tuple[str, str]) -> int:
    """The text of a stack file, checked as `vds validate` does it."""
    name, text = given
    found = check_file(text, name, ROOT)
    return len(list(map(str, found.findings)))


# --- nodes' answers ------------------------------------------------------------------------------------------

NAMES = ["osl-cp-1", "osl-cp-2"]
READBACK: list[dict[str, Any]] = [
    {"node": "osl-cp-1", "kernel": "6.18.44", "container": "false", "at": "2026-11-20T22:41:07Z"},
    {"key": "net.ipv4.ip_forward", "how": "exact", "wanted": "1", "before": "0", "live": "0", "state": "drifted"},
    {"key": "net.ipv4.ip_forward", "before": "0", "live": "0", "state": "restored"},
    {"override": "/etc/sysctl.conf", "sysctl": "vm.swappiness", "value": "60", "state": "undoes"},
    {"module": "br_netfilter", "state": "loaded"},
    {"file": "/etc/sysctl.d/x.conf", "state": "missing"},
    {"service": "swap", "state": "drifted"},
]
ADDRESSES = [{"ifname": "eth0", "mtu": 1450, "operstate": "UP", "addr_info": [{"local": "10.0.0.1", "prefixlen": 32}]}]
ROUTES = [{"dst": "default", "gateway": "10.0.0.2", "dev": "eth0", "metrics": [{"mtu": 1450}], "flags": ["onlink"]}]
DROP = {
    "type": "drop",
    "reason": "Policy denied",
    "summary": {"l3": {"src": "10.0.0.1", "dst": "10.0.0.2"}, "l4": {"src": "1", "dst": "80"}, "tcp": "SYN"},
    "srcLabel": 5,
    "dstLabel": 7,
}
STATUS = {"cilium": {"state": "Ok"}, "kvstore": {"state": "Disabled"}}


def _facts() -> list[dict[str, Any]]:
    facts = {"node": {"name": NAMES[0]}, **fit_facts(NAMES[0], NAMES), "clock": {"seconds": 1000.5}}
    return [{"fact": name, **fact} for name, fact in facts.items()]


ANSWERS: dict[str, Any] = {
    "survey": _facts(),
    "readback": READBACK,
    "pod": [ADDRESSES, ROUTES, []],
    "drop": [DROP],
    "status": [STATUS],
    "facts file": json_value(dump([Survey(NAMES[0], fit_facts(NAMES[0], NAMES))], environment="oslo", made_at=0)),
    "known_hosts": [
        "192.0.2.11 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA==",
        "@revoked * ssh-rsa AAAA",
        "# a",
        "|1|a|b x y",
    ],
}


def _answer_text(given: tuple[str, list[Any], list[Any]]) -> tuple[str, str]:
    kind, mutations, edits = given
    value = mutated(ANSWERS[kind], mutations) if mutations else ANSWERS[kind]
    if kind in ("facts file", "status") or not isinstance(value, list):
        text = json.dumps(value)
    elif kind == "known_hosts":
        text = "\n".join(map(str, value))
    else:
        text = "\n".join(map(json.dumps, value)) + ("\ndrifted" if kind == "readback" else "")
    return kind, edited(text, edits)


def _judge_survey(text: str) -> int:
    oslo = stack("oslo")
    surveys = [parse(text, node=NAMES[0], received_at=0), Survey(NAMES[1], fit_facts(NAMES[1], NAMES))]
    found = findings(surveys, oslo.nodes, oslo.node_requirements)
    others = [str(one) for one in found if one.node == NAMES[1] and "not understood" in one.measured]
    if others:
        raise AssertionError(f"a node's answer reaches another node: {others[0]}")
    return len(list(map(str, found)))


def _judge_readback(text: str) -> int:
    judge(NAMES[0], readback.parse(text))
    return len(readback.summary(text))


def _pod(text: str) -> int:
    return len(list(inspect.pod_network(text).lines()))


def _drop(text: str) -> int:
    found = inspect.drop(text)
    return len(found.line()) if found else 1


def _facts_file(text: str) -> int:
    return len(load(text, environment="oslo", now=0, max_hours=24).surveys)


READERS: dict[str, Callable[[str], Any]] = {
    "survey": _judge_survey,
    "readback": _judge_readback,
    "pod": _pod,
    "drop": _drop,
    "status": lambda text: inspect.agent_status(text, True).text,
    "facts file": _facts_file,
    "known_hosts": known_hosts,
}
DECLARED = {
    "survey": ValueError,
    "readback": ValueError,
    "pod": OperationError,
    "facts file": FactsError,
    "known_hosts": KnownHostsError,
}


def node_answer(given: tuple[str, str]) -> int:
    """What a node prints, read by the reader of its kind."""
    kind, text = given
    try:
        READERS[kind](text)
    except DECLARED.get(kind, ()) as error:
        if "\x1b" in str(error):
            raise AssertionError("an escape sequence is in an error") from error
        return 1
    return 0


# --- charts' values --------------------------------------------------------------------------------------------

TEMPLATE = """apiVersion: apps/v1
kind: Deployment
metadata: { name: app, labels: {{ toJson .Values.labels }} }
spec:
  replicas: {{ .Values.replicas }}
  template:
    metadata: { labels: {{ toJson .Values.labels }} }
    spec:
      hostNetwork: {{ .Values.hostNetwork }}
      containers:
        - name: app
          image: {{ .Values.image.registry }}/{{ .Values.image.name }}:{{ .Values.image.tag }}
          env: {{ toJson .Values.env }}
---
apiVersion: v1
kind: Service
metadata: { name: app }
spec: {{ toJson .Values.service }}
---
{{ if .Values.route.enabled }}
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: app }
spec: {{ toJson .Values.route.spec }}
{{ end }}
---
apiVersion: {{ .Values.extra.api }}
kind: {{ .Values.extra.kind }}
metadata: { name: extra }
spec: {{ toJson .Values.extra.spec }}
"""
VALUES: dict[str, Any] = {
    "labels": {"app": "app"},
    "replicas": 2,
    "hostNetwork": False,
    "image": {"registry": "registry.example.no", "name": "app", "tag": "1.0.0"},
    "env": [{"name": "UPSTREAM", "value": "https://api.example.no"}],
    "service": {"type": "ClusterIP", "ports": [{"port": 80, "targetPort": 8080}], "externalIPs": []},
    "route": {
        "enabled": True,
        "spec": {
            "hostnames": ["app.example.no"],
            "rules": [{"backendRefs": [{"name": "app", "port": 80, "weight": 1}], "timeouts": {"request": "10s"}}],
        },
    },
    "extra": {
        "api": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "spec": {"podSelector": {}, "egress": [{"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]}]},
    },
}


@functools.cache
def _chart() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    return pack(folder, "app", "1.0.0", {"app.yaml": TEMPLATE}, yaml.safe_dump(VALUES))


def _release(given: tuple[list[Any], list[Any]]) -> dict[str, Any]:
    values, release = given
    props = {"chart": "CHART", "namespace": "agency", "values": mutated(VALUES, values) if values else VALUES}
    return mutated(props, release) if release else props


def chart_values(props: Any) -> int:
    """The inputs of a Helm Release, rendered and judged by every policy."""
    if not isinstance(props, dict):
        return 0
    props = {**props, "chart": str(_chart())} if props.get("chart") == "CHART" else props
    inside("app", _unknown(props), versions())
    urn = "urn:pulumi:test::foreign::kubernetes:helm.sh/v3:Release::app"
    resource = {"urn": urn, "type": "kubernetes:helm.sh/v3:Release", "custom": True, "inputs": props, "outputs": props}
    return len(list(map(str, offline.judge({"resources": [resource]}, {"all": {"today": "2026-11-21"}}))))


def _unknown(value: Any) -> Any:
    """The value, with UNKNOWN where a text says so."""
    if isinstance(value, dict):
        return {key: _unknown(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_unknown(item) for item in value]
    return UNKNOWN if value == "*" else value


SOME = st.just([]) | MUTATIONS
TARGETS = {
    target.name: target
    for target in (
        Target(
            "stack-files",
            10_000,
            st.tuples(st.sampled_from(STACK_FILES), SOME, EDITS).map(_stack_text),
            stack_file,
        ),
        Target(
            "node-answers",
            10_000,
            st.tuples(st.sampled_from(sorted(ANSWERS)), SOME, EDITS).map(_answer_text),
            node_answer,
        ),
        Target("chart-values", 2_000, st.tuples(MUTATIONS, st.just([]) | MUTATIONS).map(_release), chart_values),
    )
}
