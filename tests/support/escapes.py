"""What people have tried to leave their namespace with: each must fail in the API server."""

from typing import Any, NamedTuple

GATEWAY_API = "gateway.networking.k8s.io/v1"
NAMESPACE = "butikk-prod"
_DIGEST = f"@sha256:{'a' * 64}"
IMAGE = f"registry.example.no/butikk/web{_DIGEST}"
CONTAINER = {
    "name": "web",
    "image": IMAGE,
    "securityContext": {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    },
}
REQUESTS = {name: "1Gi" if "-" in name or name == "memory" else "1" for name in ("cpu", "memory", "ephemeral-storage")}


def pod(**spec: Any) -> dict[str, Any]:
    """The spec of a pod that keeps Pod Security `restricted`."""
    container = {**CONTAINER, "resources": {"limits": REQUESTS, "requests": REQUESTS}}
    return {"containers": [container], "automountServiceAccountToken": False, **spec}


def deployment(**spec: Any) -> dict[str, Any]:
    labels = {"app": "web"}
    return obj(
        "apps/v1",
        "Deployment",
        spec={"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod(**spec)}},
    )


def with_pods(metadata: dict[str, Any]) -> dict[str, Any]:
    """A Deployment whose pods have more metadata."""
    made = deployment()
    own = made["spec"]["template"]["metadata"]
    own.update({**metadata, "labels": {**own["labels"], **metadata.get("labels", {})}})
    return made


def claim(*, metadata: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    asked = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return obj("v1", "PersistentVolumeClaim", metadata=metadata or {}, spec={**asked, **spec})


def obj(api: str, kind: str, *, name: str = "x", namespace: str | None = NAMESPACE, **body: Any) -> dict[str, Any]:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {}), **body.pop("metadata", {})}
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **body}


def service(**spec: Any) -> dict[str, Any]:
    metadata = spec.pop("metadata", {})
    return obj("v1", "Service", metadata=metadata, spec={"ports": [{"port": 80}], **spec})


def route(kind: str = "HTTPRoute", *, metadata: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    parent = {"name": "public", "namespace": "gateway-system", "sectionName": "https"}
    said = {
        "hostnames": ["butikk.example.no"],
        "parentRefs": [parent],
        "rules": [{"backendRefs": [backend("web")]}],
        **spec,
    }
    return obj(
        GATEWAY_API,
        kind,
        metadata=metadata or {},
        spec={key: value for key, value in said.items() if value is not None},
    )


def backend(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "port": 80, **fields}


def stepped(steps: str, percent: int) -> dict[str, Any]:
    annotations = {"vds-platform.no/canary": "next", "vds-platform.no/canary-steps": steps}
    backends = [backend("web", weight=100 - percent), backend("next", weight=percent)]
    return route(metadata={"annotations": annotations}, rules=[{"backendRefs": backends}])


def policy(**spec: Any) -> dict[str, Any]:
    metadata = spec.pop("metadata", {})
    return obj("networking.k8s.io/v1", "NetworkPolicy", metadata=metadata, spec={"podSelector": {}, **spec})


def from_namespaces(**selector: Any) -> dict[str, Any]:
    return policy(ingress=[{"from": [{"namespaceSelector": selector}]}])


def other(api: str, kind: str, **body: Any) -> dict[str, Any]:
    """An object of a kind that the server of the tests has without its schema."""
    return obj(api, kind, **body)


def affinity(kind: str, term: dict[str, Any]) -> dict[str, Any]:
    term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {}, **term}
    return {"affinity": {kind: {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}}


NAME = "kubernetes.io/metadata.name"
TENANT = "vds-platform.no/tenant"


class Attempt(NamedTuple):
    """One attempt."""

    source: str
    manifest: dict[str, Any]
    rule: str
    """Id of the rule that refuses it; another word that the API server's answer has where it is no rule of ours."""


ALLOWED = [
    service(),
    service(clusterIP="None"),
    service(type="ExternalName", externalName="api.vipps.no"),
    route(),
    route("GRPCRoute"),
    route(hostnames=["butikk.example.no", "*.butikk.example.no", "www.butikk.example.no"]),
    route(
        metadata={"annotations": {"vds-platform.no/canary": "next"}},
        rules=[{"backendRefs": [backend("web", weight=50), backend("next", weight=50)]}],
    ),
    stepped("5,50", 50),
    stepped("5,50,100", 100),
    obj("coordination.k8s.io/v1", "Lease", name="canary.web", spec={"holderIdentity": "ci/1"}),
    route(
        rules=[
            {
                "matches": [{"headers": [{"name": "X-Canary", "value": "1"}]}],
                "backendRefs": [backend("web-canary", weight=1), backend("web", weight=0)],
            }
        ]
    ),
    route(rules=[{"filters": [{"type": "URLRewrite", "urlRewrite": {"hostname": "web.example.no"}}]}]),
    deployment(),
    deployment(nodeSelector={"kubernetes.io/arch": "amd64"}),
    deployment(terminationGracePeriodSeconds=600),
    deployment(containers=[{**pod()["containers"][0], "livenessProbe": {"httpGet": {"path": "/", "port": 8080}}}]),
    with_pods({"annotations": {"prometheus.io/scrape": "true"}, "labels": {"app.kubernetes.io/name": "web"}}),
    deployment(**affinity("podAntiAffinity", {"namespaces": ["butikk-staging"]})),
    policy(ingress=[{"from": [{"podSelector": {"matchLabels": {"app": "web"}}}]}]),
    policy(egress=[{"to": [{"podSelector": {}}]}]),
    from_namespaces(matchLabels={NAME: "butikk-staging"}),
    from_namespaces(matchLabels={NAME: "gateway-system"}),
    from_namespaces(matchLabels={TENANT: "butikk"}),
    from_namespaces(matchExpressions=[{"key": NAME, "operator": "In", "values": ["butikk-staging"]}]),
    obj("v1", "ConfigMap", data={"a": "b"}),
    obj("v1", "Secret", type="Opaque"),
    obj("v1", "ServiceAccount"),
    obj(
        "v1",
        "PersistentVolumeClaim",
        spec={"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    ),
    obj("policy/v1", "PodDisruptionBudget", spec={"selector": {}, "maxUnavailable": 1}),
]

_OWN = "own"
_METADATA = "tenancy-pod-metadata"

ATTEMPTS = [
    # Found in this project before.
    Attempt("CVE-2020-8554", service(externalIPs=["192.0.2.10"]), "tenancy-external-ips"),
    Attempt("CVE-2020-8554", service(loadBalancerIP="192.0.2.200"), "tenancy-external-ips"),
    Attempt("NSA hardening guide", service(type="NodePort"), "tenancy-service-type"),
    Attempt("NSA hardening guide", service(type="LoadBalancer"), "tenancy-service-type"),
    Attempt(
        "metallb/metallb#1397", service(type="LoadBalancer", loadBalancerClass="example.no/x"), "tenancy-service-type"
    ),
    Attempt(
        "Kubernetes, ExternalName",
        service(type="ExternalName", externalName="db.bank-prod.svc.cluster.local"),
        "tenancy-external-name",
    ),
    Attempt("XenitAB/terraform-modules#216", deployment(priorityClassName="system-node-critical"), "tenancy-priority"),
    Attempt(
        "XenitAB/terraform-modules#216",
        obj("v1", "Pod", spec=pod(priorityClassName="system-cluster-critical")),
        "tenancy-priority",
    ),
    Attempt("CIS 5.7", deployment(tolerations=[{"operator": "Exists"}]), "tenancy-tolerations"),
    Attempt("CIS 5.7", deployment(nodeName="cp-1"), "tenancy-node-name"),
    Attempt(
        "CIS 5.1.6",
        obj(
            "v1",
            "Secret",
            type="kubernetes.io/service-account-token",
            metadata={"annotations": {"kubernetes.io/service-account.name": "ci"}},
        ),
        "tenancy-token",
    ),
    Attempt(
        "a drain that never ends",
        obj("policy/v1", "PodDisruptionBudget", spec={"selector": {}, "maxUnavailable": 0}),
        "tenancy-disruption",
    ),
    Attempt(
        "CVE-2021-25740",
        obj("v1", "Endpoints", subsets=[{"addresses": [{"ip": "10.244.9.9"}], "ports": [{"port": 80}]}]),
        "tenancy-refused-kind",
    ),
    Attempt(
        "CVE-2021-25740",
        obj("discovery.k8s.io/v1", "EndpointSlice", addressType="IPv4", endpoints=[{"addresses": ["10.244.9.9"]}]),
        "tenancy-refused-kind",
    ),
    Attempt("CIS 5.3.2", policy(ingress=[{}]), "tenancy-network-policy"),
    Attempt("CIS 5.3.2", policy(egress=[{}]), "tenancy-network-policy"),
    Attempt("CIS 5.3.2", from_namespaces(), "tenancy-network-policy"),
    Attempt("every address", policy(egress=[{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}]), "tenancy-network-policy"),
    Attempt(
        "every address in halves",
        policy(ingress=[{"from": [{"ipBlock": {"cidr": "0.0.0.0/1"}}, {"ipBlock": {"cidr": "128.0.0.0/1"}}]}]),
        "tenancy-network-policy",
    ),
    Attempt(
        "a label that every tenant has",
        from_namespaces(matchLabels={"app.kubernetes.io/managed-by": "vds-platform"}),
        "tenancy-network-policy",
    ),
    Attempt(
        "namespaces without a label",
        from_namespaces(matchExpressions=[{"key": "x", "operator": "DoesNotExist"}]),
        "tenancy-network-policy",
    ),
    Attempt("another tenant by name", from_namespaces(matchLabels={NAME: "bank-prod"}), "tenancy-network-policy"),
    Attempt(
        "artifact-keeper-iac#268",
        policy(ingress=[{"from": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "web"}}}]}]),
        "tenancy-network-policy",
    ),
    Attempt(
        "redirects the traffic of others",
        other("cilium.io/v2", "CiliumLocalRedirectPolicy", spec={}),
        "tenancy-refused-kind",
    ),
    Attempt("policies of the CNI", other("cilium.io/v2", "CiliumNetworkPolicy", spec={}), "tenancy-refused-kind"),
    Attempt("policies of the CNI", other("projectcalico.org/v3", "NetworkPolicy", spec={}), "tenancy-refused-kind"),
    # Published incidents of Cozystack, Capsule and data planes of Gateway API.
    Attempt("cozystack/cozystack#2470", route(hostnames=["bank.example.no"]), "gateway-hostname"),
    Attempt("cozystack/cozystack#3868", route("GRPCRoute", hostnames=["bank.example.no"]), "gateway-hostname"),
    Attempt("cozystack/cozystack#3868", route(hostnames=None), "gateway-hostname"),
    Attempt("cozystack/cozystack#3868", route(hostnames=[]), "gateway-hostname"),
    Attempt(
        "GHSA-gjw4-3v3v-rqxg (Capsule)",
        service(metadata={"annotations": {"metallb.io/loadBalancerIPs": "192.0.2.200"}}),
        "tenancy-service-annotations",
    ),
    Attempt(
        "GHSA-gjw4-3v3v-rqxg (Capsule)",
        service(metadata={"annotations": {"external-dns.alpha.kubernetes.io/hostname": "bank.example.no"}}),
        "tenancy-service-annotations",
    ),
    Attempt(
        "CVE-2026-44774 (Traefik)",
        route(rules=[{"backendRefs": [{"group": "traefik.io", "kind": "TraefikService", "name": "rest@internal"}]}]),
        "gateway-backend",
    ),
    Attempt(
        "CVE-2026-54761 (Traefik)",
        route(rules=[{"backendRefs": [backend("web"), backend("api@internal", namespace="trusted")]}]),
        "gateway-backend",
    ),
    Attempt(
        "CVE-2026-54761 (Traefik)",
        obj(
            "gateway.networking.k8s.io/v1beta1",
            "ReferenceGrant",
            spec={
                "from": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": "bank-prod"}],
                "to": [{"group": "", "kind": "Service"}],
            },
        ),
        "tenancy-refused-kind",
    ),
    Attempt(
        "cilium/cilium#46359",
        route(parentRefs=[{"name": "public", "namespace": "gateway-system", "sectionName": "http"}]),
        "gateway-parent",
    ),
    Attempt(
        "cilium/cilium#46359",
        route(parentRefs=[{"name": "public", "namespace": "gateway-system"}]),
        "gateway-parent",
    ),
    Attempt(
        "envoyproxy/gateway#9105",
        obj(
            GATEWAY_API,
            "ListenerSet",
            spec={
                "parentRef": {"name": "public", "namespace": "gateway-system"},
                "listeners": [{"name": "https", "port": 443, "protocol": "HTTPS", "hostname": "bank.example.no"}],
            },
        ),
        "tenancy-refused-kind",
    ),
    Attempt(
        "kubernetes-sigs/gateway-api#4219",
        obj(
            GATEWAY_API,
            "Gateway",
            spec={
                "gatewayClassName": "public",
                "listeners": [{"name": "http", "port": 80, "protocol": "HTTP", "hostname": "bank.example.no"}],
            },
        ),
        "tenancy-refused-kind",
    ),
    Attempt(
        "Istio, VirtualService of the mesh; in Gateway API a route of a Service",
        route(parentRefs=[{"group": "", "kind": "Service", "name": "db", "namespace": "bank-prod"}]),
        "gateway-parent",
    ),
    Attempt(
        "CVE-2025-1974 (ingress-nginx)",
        obj(
            "networking.k8s.io/v1",
            "Ingress",
            metadata={"annotations": {"nginx.ingress.kubernetes.io/auth-url": "http://example.com/#;load_module x;"}},
            spec={"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}},
        ),
        "tenancy-refused-kind",
    ),
    Attempt(
        "Traefik's own routes",
        other("traefik.io/v1alpha1", "IngressRoute", spec={"routes": [{"match": "Host(`bank.example.no`)"}]}),
        "tenancy-refused-kind",
    ),
    Attempt(
        "GHSA-fcrp-7gc2-93g7 (Envoy Gateway)",
        route(
            rules=[
                {
                    "backendRefs": [
                        {
                            "group": "gateway.envoyproxy.io",
                            "kind": "Backend",
                            "name": "db",
                            "namespace": "bank-prod",
                        }
                    ]
                }
            ]
        ),
        "gateway-backend",
    ),
    *(
        Attempt("CVE-2021-32783 (Contour)", service(type="ExternalName", externalName=name), "tenancy-external-name")
        for name in ("localhost", "127.0.0.1", "localhost.localdomain")
    ),
    Attempt("cozystack/cozystack#3868", route("TLSRoute", hostnames=["bank.example.no"]), "gateway-hostname"),
    # Ways through network policies that policies of others have had.
    *(
        Attempt("one half of every address, and the other in a second policy", policy(ingress=[{"from": [peer]}]), rule)
        for rule, peer in (
            ("tenancy-network-policy", {"ipBlock": {"cidr": "0.0.0.0/1"}}),
            ("tenancy-network-policy", {"ipBlock": {"cidr": "128.0.0.0/1"}}),
        )
    ),
    *(
        Attempt("the pods' own network", policy(ingress=[{"from": [{"ipBlock": {"cidr": cidr}}]}]), rule)
        for rule, cidr in (("tenancy-network-policy", "10.0.0.0/8"), ("tenancy-network-policy", "10.244.0.0/16"))
    ),
    Attempt(
        "a label that every tenant has",
        from_namespaces(matchLabels={"pod-security.kubernetes.io/enforce": "restricted"}),
        "tenancy-network-policy",
    ),
    Attempt(
        "a range that is every port",
        policy(egress=[{"to": [{"namespaceSelector": {}}], "ports": [{"port": 1, "endPort": 65535}]}]),
        "tenancy-network-policy",
    ),
    Attempt(
        "what only looks like a digest",
        deployment(containers=[{**CONTAINER, "image": "registry.example.no/butikk/web@sha256:/x:latest"}]),
        "tenancy-images",
    ),
    # Our own.
    Attempt(_OWN, route(hostnames=["evilbutikk.example.no"]), "gateway-hostname"),
    Attempt(_OWN, route(hostnames=["butikk.example.no", "*.example.no"]), "gateway-hostname"),
    Attempt(
        _OWN,
        route(
            rules=[
                {
                    "filters": [
                        {"type": "RequestMirror", "requestMirror": {"backendRef": backend("x", namespace="bank-prod")}}
                    ]
                }
            ]
        ),
        "gateway-backend",
    ),
    Attempt(
        _OWN,
        route(
            rules=[
                {
                    "filters": [
                        {
                            "type": "ExtensionRef",
                            "extensionRef": {"group": "traefik.io", "kind": "Middleware", "name": "x"},
                        }
                    ]
                }
            ]
        ),
        "gateway-backend",
    ),
    Attempt(_OWN, route(rules=[{"timeouts": {"request": "5s"}}]), "gateway-capability"),
    Attempt(
        _OWN,
        route(rules=[{"filters": [{"type": "RequestMirror", "requestMirror": {"backendRef": backend("shadow")}}]}]),
        "gateway-capability",
    ),
    Attempt(
        _OWN,
        route(rules=[{"backendRefs": [{**backend("web"), "filters": [{"type": "CORS", "cors": {}}]}]}]),
        "gateway-capability",
    ),
    Attempt(
        _OWN,
        route(
            "GRPCRoute",
            rules=[{"filters": [{"type": "ResponseHeaderModifier", "responseHeaderModifier": {"remove": ["X-A"]}}]}],
        ),
        "gateway-capability",
    ),
    Attempt(
        _OWN,
        route(
            rules=[{"backendRefs": [backend("web", weight=49), backend("web-canary", weight=51)]}],
        ),
        "gateway-canary",
    ),
    Attempt(
        _OWN,
        route(
            metadata={"annotations": {"vds-platform.no/canary": "next"}},
            rules=[{"backendRefs": [backend("web", weight=1), backend("next", weight=99)]}],
        ),
        "gateway-canary",
    ),
    *(
        Attempt(_OWN, stepped(steps, percent), "gateway-canary")
        for steps, percent in (
            ("5,60,100", 0),
            ("5,50,100", 60),
            ("5,50", 100),
            ("100", 100),
            (",100", 100),
            ("5,100,100", 0),
            ("5,x,100", 5),
            ("", 100),
        )
    ),
    Attempt(_OWN, obj("coordination.k8s.io/v1", "Lease", name="leader"), "tenancy-lease"),
    Attempt(_OWN, deployment(nodeSelector={"kubernetes.io/hostname": "osl-edge-1"}), "tenancy-node-selector"),
    Attempt(
        _OWN,
        deployment(
            affinity={
                "nodeAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": {
                        "nodeSelectorTerms": [
                            {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["cp-1"]}]}
                        ]
                    }
                }
            }
        ),
        "tenancy-node-selector",
    ),
    Attempt(
        "no other tenant's pod is scheduled on its nodes",
        deployment(**affinity("podAntiAffinity", {"namespaceSelector": {}})),
        "tenancy-affinity",
    ),
    Attempt(
        "a pod beside another tenant's",
        deployment(**affinity("podAffinity", {"namespaces": ["bank-prod"]})),
        "tenancy-affinity",
    ),
    Attempt(
        _OWN,
        deployment(containers=[{**CONTAINER, "image": f"registry.example.no/butikk-evil/web{_DIGEST}"}]),
        "tenancy-registry",
    ),
    Attempt(
        _OWN,
        deployment(containers=[{**CONTAINER, "image": f"registry.example.no/bank/web@sha256:{'0' * 64}"}]),
        "tenancy-registry",
    ),
    Attempt(
        _OWN,
        deployment(initContainers=[{**CONTAINER, "name": "first", "image": "docker.io/library/busybox"}]),
        "tenancy-registry",
    ),
    Attempt(
        _OWN,
        deployment(volumes=[{"name": "v", "image": {"reference": "docker.io/library/busybox"}}]),
        "tenancy-registry",
    ),
    Attempt(
        _OWN,
        obj(
            "batch/v1",
            "CronJob",
            spec={
                "schedule": "@daily",
                "jobTemplate": {
                    "spec": {
                        "template": {"spec": pod(restartPolicy="Never", priorityClassName="system-cluster-critical")}
                    }
                },
            },
        ),
        "tenancy-priority",
    ),
    Attempt(
        _OWN,
        obj(
            "v1",
            "PersistentVolumeClaim",
            spec={
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1Gi"}},
                "volumeName": "pv-of-bank",
            },
        ),
        "tenancy-volume-name",
    ),
    Attempt(_OWN, service(type="ExternalName", externalName="10-96-0-1.nip.io"), "tenancy-external-name"),
    Attempt(_OWN, service(type="ExternalName", externalName="kubernetes.default"), "tenancy-external-name"),
    Attempt(
        _OWN,
        service(metadata={"annotations": {"service.cilium.io/global": "true"}}),
        "tenancy-service-annotations",
    ),
    Attempt(
        _OWN,
        policy(egress=[{"to": [{"ipBlock": {"cidr": "169.254.169.254/32"}}]}]),
        "tenancy-network-policy",
    ),
    Attempt(_OWN, from_namespaces(matchLabels={TENANT: "bank"}), "tenancy-network-policy"),
    Attempt(
        _OWN,
        from_namespaces(matchExpressions=[{"key": NAME, "operator": "NotIn", "values": ["butikk-prod"]}]),
        "tenancy-network-policy",
    ),
    Attempt(
        "looks like the platform's own",
        policy(metadata={"labels": {"vds-platform.no/registered": "true"}}),
        "tenancy-protected",
    ),
    Attempt("CVE-2023-39347 (Cilium)", with_pods({"labels": {"io.kubernetes.pod.namespace": "x"}}), _METADATA),
    Attempt(
        "CVE-2023-39347 (Cilium)",
        with_pods({"labels": {"io.cilium.k8s.namespace.labels.vds-platform.no/tenant": "bank"}}),
        _METADATA,
    ),
    Attempt(
        "the labels of a namespace, as Calico has them", with_pods({"labels": {f"pcns.{TENANT}": "bank"}}), _METADATA
    ),
    Attempt(
        "an address of others (Calico)",
        with_pods({"annotations": {"cni.projectcalico.org/ipAddrs": '["10.244.9.9"]'}}),
        _METADATA,
    ),
    Attempt(
        "a pool of others, which a firewall outside trusts (Cilium)",
        with_pods({"annotations": {"ipam.cilium.io/ip-pool": "bank"}}),
        _METADATA,
    ),
    Attempt(
        "a second network, which has no policies (Multus)",
        with_pods({"annotations": {"k8s.v1.cni.cncf.io/networks": "kube-system/host"}}),
        _METADATA,
    ),
    Attempt(
        "a name of others in DNS, by a route",
        route(metadata={"annotations": {"external-dns.alpha.kubernetes.io/hostname": "bank.example.no"}}),
        "gateway-annotations",
    ),
    Attempt(
        "an inline volume of a driver on the node",
        deployment(volumes=[{"name": "v", "csi": {"driver": "secrets-store.csi.k8s.io"}}]),
        "tenancy-volume-kind",
    ),
    *(
        Attempt(
            "KEP-4940: the kubelet calls what no pod may call",
            deployment(containers=[{**pod()["containers"][0], **asks}]),
            "tenancy-probe-host",
        )
        for asks in (
            {"livenessProbe": {"httpGet": {"host": "169.254.169.254", "path": "/", "port": 80}}},
            {"readinessProbe": {"tcpSocket": {"host": "10.244.9.9", "port": 5432}}},
            {"lifecycle": {"postStart": {"httpGet": {"host": "10.96.0.1", "path": "/", "port": 443}}}},
        )
    ),
    Attempt(
        "a drain that never ends",
        obj("policy/v1", "PodDisruptionBudget", spec={"selector": {}, "minAvailable": 100}),
        "tenancy-budget",
    ),
    Attempt(
        "a drain that never ends",
        obj("policy/v1", "PodDisruptionBudget", spec={"selector": {}, "minAvailable": "99%"}),
        "tenancy-budget",
    ),
    Attempt("a drain that never ends", with_pods({"finalizers": ["example.no/stays"]}), "tenancy-finalizers"),
    Attempt("a drain that never ends", deployment(terminationGracePeriodSeconds=10**9), "tenancy-grace-period"),
    Attempt(
        "the gateway's own ports",
        policy(egress=[{"to": [{"namespaceSelector": {"matchLabels": {NAME: "gateway-system"}}}]}]),
        "tenancy-network-policy",
    ),
    Attempt(
        "a volume on a control plane",
        claim(metadata={"annotations": {"volume.kubernetes.io/selected-node": "cp-1"}}),
        "tenancy-volume-node",
    ),
    Attempt(
        "a tag that its owner moves after the review",
        deployment(containers=[{**pod()["containers"][0], "image": "registry.example.no/butikk/web:1"}]),
        "tenancy-images",
    ),
    Attempt("Pod Security", obj("v1", "Pod", spec=pod(hostNetwork=True)), "PodSecurity"),
    Attempt(
        "Pod Security",
        obj("v1", "Pod", spec=pod(volumes=[{"name": "v", "hostPath": {"path": "/"}}])),
        "PodSecurity",
    ),
]
