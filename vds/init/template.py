"""The text of a first stack file. Pure."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple


class Server(NamedTuple):
    """A node, as the answers have it."""

    name: str
    address: str
    role: str


class MadeCluster(NamedTuple):
    """What kubeadm's cluster is made of."""

    package: str
    containerd: str
    """The servers' package of containerd, and its version."""
    signing_key: str
    """The armoured public key of the package repository."""
    fingerprint: str
    ca_certificate: str
    """PEM."""


class Bundle(NamedTuple):
    """A file with the CRDs of Gateway API."""

    path: str
    sha256: str


class Answers(NamedTuple):
    """What a first stack file is made of."""

    environment: str
    country: str
    provider: str
    provider_country: str
    servers: Sequence[Server]
    node_cidr: str
    api_server: str
    pool: str
    domain: str
    known_hosts: str
    state: str
    """The host that keeps Pulumi's state."""
    until: str
    """The last day of the exceptions for places abroad."""
    kubernetes: str
    """The cluster's minor version, or the whole version that kubeadm installs."""
    made: MadeCluster | None
    """None: the cluster exists."""
    gateway_crds: Bundle | None
    """None: somebody else installs the CRDs of Gateway API."""
    authority: str | None
    """PEM, of the authority that signs the gateway's certificates. None: the operator brings the certificates."""
    today: str


CILIUM, METALLB, TRAEFIK = "1.20.2", "0.16.1", "3.7.16"
CRI_TOOLS, KUBERNETES_CNI, PAUSE = "1.36.0-1.1", "1.9.1-1.1", "3.10.2"
"""Versions that the committed stack files have."""
_PLACES = (
    ("charts", "GitHub Inc.", ("helm.cilium.io", "metallb.github.io"), "chart-repository"),
    ("quay", "Red Hat Inc.", ("quay.io",), "image-registry"),
    ("kubernetes", "Google LLC", ("registry.k8s.io",), "image-registry"),
    ("docker-hub", "Docker Inc.", ("docker.io",), "image-registry"),
)
"""Where charts and images come from without a mirror: all in the United States."""


def stack_file(answers: Answers) -> str:
    """`Pulumi.<stack>.yaml`. Every answer is quoted, so that it is text whatever it looks like."""
    quoted: dict[str, Any] = {name: _quoted(one) for name, one in answers._asdict().items() if isinstance(one, str)}
    a = answers._replace(**quoted)
    abroad = [place for place in _PLACES if answers.country != "US"]
    exceptions = [f"        - {_exception(name, a.until)}\n" for name, *_ in abroad]
    workers = {server.name for server in answers.servers if server.role == "worker"}
    nodes = "".join(_node(server, a, edge=not workers or server.name in workers) for server in answers.servers)
    return f"""\
# yaml-language-server: $schema=schemas/stack.schema.json
#
# Made by `vds init`. Pulumi.oslo.yaml has every setting with a comment; `vds validate` checks this file.
config:
  pulumi:disable-default-providers: [kubernetes, command]
  vds-platform:readNodes: true
  vds-platform:spec:
    environment: {a.environment}
    residency:
      allowedCountries: [{a.country}]
      places: # where bytes go
        - name: servers # with the provider's resolvers and time servers; add a place for others
          networks: [{a.node_cidr}]
          country: {a.country}
          entity: {a.provider}
          entityCountry: {a.provider_country}
          purposes: [addresses, dns, time]
        - name: state # of Pulumi: write the company that runs it
          hosts: [{a.state}]
          country: {a.country}
          entity: {a.provider}
          entityCountry: {a.provider_country}
          purposes: [state]
{"".join(_place(*place) for place in _PLACES)}\
      exceptions:{"" if exceptions else " []"}
{"".join(exceptions)}\
    ssh:
      knownHostsFile: {a.known_hosts}
{_cluster(a)}\
    network:
      nodeCidr: {a.node_cidr}
      podCidr: 10.244.0.0/16
      serviceCidr: 10.96.0.0/16
      apiServer: {{ host: {a.api_server} }}
    nodes:
{nodes}\
    cni:
      kind: cilium
      version: {CILIUM}
      install: {{ kind: helm }}
      routing: {{ mode: tunnel, protocol: vxlan }}
    metallb:
      install: {{ kind: helm, version: {METALLB} }}
      pools:
        - name: public
          addresses: [{a.pool}]
          advertisement: {{ kind: l2 }}
    gateway:
      install: {{ kind: traefik, version: {TRAEFIK} }}
{_crds(a.gateway_crds)}\
{_issuer(answers)}\
      listeners:
        - {{ name: http, port: 80, protocol: HTTP, redirect: https }}
        - name: https
          port: 443
          protocol: HTTPS
          hostname: {_quoted(f"*.{answers.domain}")}
          certificateSecret: wildcard # `issuer` says who makes it; the default is the stack's secret `certificates`
    # Tenants have registrations of their own: run `vds tenant new`. docs/howto/register-a-tenant.md
"""


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _cluster(a: Answers) -> str:
    if a.made is None:
        return f"""\
    cluster: # it exists, without kube-proxy and without a CNI
      kind: existing
      kubernetesVersion: {a.kubernetes}
"""
    return f"""\
    cluster:
      kind: kubeadm
      kubernetesVersion: {a.kubernetes}
      packages: # of https://pkgs.k8s.io
        country: US
        signingKey:
          fingerprint: {_quoted(a.made.fingerprint)}
          armoured: |
{_indented(a.made.signing_key, 12)}\
        criTools: {CRI_TOOLS}
        kubernetesCni: {KUBERNETES_CNI}
      containerd: {{ package: {a.made.package}, version: {_quoted(a.made.containerd)} }}
      images: {{ country: US, pause: {PAUSE} }} # of registry.k8s.io
      sourceCountries: [US] # software may come from there; no data is sent there
      # Security settings are on: docs/howto/bootstrap-a-cluster.md. Users come from an identity provider:
      # security: {{ identityProviders: [{{ issuer: https://id.example.no, audiences: [kubernetes] }}] }}
      caCertificate: |
{_indented(a.made.ca_certificate, 10)}\
"""


def _indented(text: str, blanks: int) -> str:
    return "".join(f"{' ' * blanks}{line}".rstrip() + "\n" for line in text.strip().splitlines())


def _crds(bundle: Bundle | None) -> str:
    if bundle is None:
        return ""
    return f"      crds: {{ kind: bundle, path: {_quoted(bundle.path)}, sha256: {_quoted(bundle.sha256)} }}\n"


def _issuer(answers: Answers) -> str:
    if answers.authority is None:
        return ""
    return f"""\
      issuer: # its key is the stack's secret `issuerKey`
        kind: private-ca
        validFrom: {_quoted(answers.today)}
        caCertificate: |
{_indented(answers.authority, 10)}\
"""


def _node(server: Server, answers: Answers, *, edge: bool) -> str:
    profiles = "[baseline, edge]" if edge else "[baseline]"
    return f"""\
      - name: {_quoted(server.name)}
        address: {_quoted(server.address)}
        country: {answers.country}
        provider: {{ name: {answers.provider}, country: {answers.provider_country} }}
        roles: [{server.role}]
        profiles: {profiles}
"""


def _place(name: str, entity: str, hosts: Sequence[str], purpose: str) -> str:
    return f"""\
        - name: {name}
          hosts: [{", ".join(hosts)}]
          country: US
          entity: {entity}
          entityCountry: US
          purposes: [{purpose}]
"""


def _exception(place: str, until: str) -> str:
    reason = _quoted("public software is read and no personal data is sent; a mirror is planned")
    return f"{{ name: {place}, place: {place}, until: {until}, reason: {reason} }}"
