"""What a tenant may write in a registered namespace: expressions (CEL) with the contract as parameter. Pure.

The API server evaluates them (`admission_policies.py`), and so does this project, before anything is applied
(`admission_check.py`).
"""

from collections.abc import Mapping
from typing import NamedTuple

from components.core import labels
from components.core.names import CANARY_RECORD
from components.tenancy.namespaces import PLATFORM_NAMESPACES, UNCLAIMED_NAMESPACES
from components.tenancy.registration.contract import GROUP, PLURAL

GATEWAY_API = "gateway.networking.k8s.io"


class Kind(NamedTuple):
    """A kind of objects."""

    group: str
    resource: str
    """Its name in URLs; `*` is every kind of the group."""
    kind: str = ""


class Rule(NamedTuple):
    """One rule."""

    id: str
    subject: str
    """Key of `KINDS`."""
    holds: str
    """What is true of an object that keeps it. Has `object`, `request`, `params` (the contract) and `variables`."""
    message: str
    remedy: str
    of_spec: bool = True
    """Of pods: it reads their spec, so that an update which leaves that as it is keeps it. False: it reads metadata."""


KINDS: Mapping[str, tuple[Kind, ...]] = {
    "service": (Kind("", "services", "Service"),),
    "secret": (Kind("", "secrets", "Secret"),),
    "volume": (Kind("", "persistentvolumeclaims", "PersistentVolumeClaim"),),
    "route": (
        Kind(GATEWAY_API, "grpcroutes", "GRPCRoute"),
        Kind(GATEWAY_API, "httproutes", "HTTPRoute"),
        Kind(GATEWAY_API, "tlsroutes", "TLSRoute"),
    ),
    "pod": (
        Kind("", "pods", "Pod"),
        Kind("", "podtemplates", "PodTemplate"),
        Kind("", "replicationcontrollers", "ReplicationController"),
        Kind("apps", "daemonsets", "DaemonSet"),
        Kind("apps", "deployments", "Deployment"),
        Kind("apps", "replicasets", "ReplicaSet"),
        Kind("apps", "statefulsets", "StatefulSet"),
        Kind("batch", "cronjobs", "CronJob"),
        Kind("batch", "jobs", "Job"),
    ),
    "budget": (Kind("policy", "poddisruptionbudgets", "PodDisruptionBudget"),),
    "policy": (Kind("networking.k8s.io", "networkpolicies", "NetworkPolicy"),),
    "lease": (Kind("coordination.k8s.io", "leases", "Lease"),),
    "refused": (
        Kind("", "endpoints", "Endpoints"),
        Kind("", "limitranges", "LimitRange"),
        Kind("", "resourcequotas", "ResourceQuota"),
        Kind("cert-manager.io", "*"),
        Kind("cilium.io", "ciliumenvoyconfigs", "CiliumEnvoyConfig"),
        Kind("cilium.io", "ciliumlocalredirectpolicies", "CiliumLocalRedirectPolicy"),
        Kind("cilium.io", "ciliumnetworkpolicies", "CiliumNetworkPolicy"),
        Kind("crd.projectcalico.org", "*"),
        Kind("discovery.k8s.io", "endpointslices", "EndpointSlice"),
        Kind(GATEWAY_API, "gateways", "Gateway"),
        Kind(GATEWAY_API, "listenersets", "ListenerSet"),
        Kind(GATEWAY_API, "referencegrants", "ReferenceGrant"),
        Kind(GATEWAY_API, "tcproutes", "TCPRoute"),
        Kind(GATEWAY_API, "udproutes", "UDPRoute"),
        Kind("gateway.networking.x-k8s.io", "*"),
        Kind("metallb.io", "*"),
        Kind("networking.k8s.io", "ingresses", "Ingress"),
        Kind("projectcalico.org", "*"),
        Kind("rbac.authorization.k8s.io", "rolebindings", "RoleBinding"),
        Kind("rbac.authorization.k8s.io", "roles", "Role"),
        Kind("traefik.io", "*"),
    ),
}
"""What each rule is about. Only the platform writes what is refused: it takes traffic of others, or changes what
isolates the tenant."""

_SYSTEM = sorted(PLATFORM_NAMESPACES - UNCLAIMED_NAMESPACES)
_GROUPS = ", ".join(f"'system:serviceaccounts:{name}'" for name in _SYSTEM)
PLATFORM = (
    "request.userInfo.username == 'system:kube-controller-manager' || "
    f"request.userInfo.groups.exists(g, g in [{_GROUPS}]) || "
    f"authorizer.group('{GROUP}').resource('{PLURAL}').namespace(request.namespace).check('update').allowed()"
)
"""Whether the platform writes: its own ServiceAccounts, and who may change the contract."""

POD = (
    "(request.resource.resource == 'pods' ? {0}.?spec.orValue({{}}) : "
    "request.resource.resource == 'podtemplates' ? {0}.?template.?spec.orValue({{}}) : "
    "request.resource.resource == 'cronjobs' ? {0}.?spec.?jobTemplate.?spec.?template.?spec.orValue({{}}) : "
    "{0}.?spec.?template.?spec.orValue({{}}))"
)
"""The spec of the pods that an object is or makes."""
_ABOUT = (
    "(request.resource.resource == 'pods' ? {0}.metadata : "
    "request.resource.resource == 'podtemplates' ? {0}.?template.?metadata.orValue({{}}) : "
    "request.resource.resource == 'cronjobs' ? {0}.?spec.?jobTemplate.?spec.?template.?metadata.orValue({{}}) : "
    "{0}.?spec.?template.?metadata.orValue({{}}))"
)
"""The metadata of the pods that an object is or makes."""
VARIABLES: Mapping[str, tuple[str, str]] = {
    "pod": ("pod", POD.format("object")),
    "containers": (
        "pod",
        " + ".join(
            f"variables.pod.?{field}.orValue([])" for field in ("containers", "initContainers", "ephemeralContainers")
        ),
    ),
    "images": (
        "pod",
        "variables.containers.filter(c, has(c.image)).map(c, string(c.image)) + "
        "variables.pod.?volumes.orValue([]).filter(v, has(v.image)).map(v, string(v.image.?reference.orValue('')))",
    ),
    "affinity": (
        "pod",
        " + ".join(
            f"variables.pod.?affinity.?{kind}.?requiredDuringSchedulingIgnoredDuringExecution.orValue([]) + "
            f"variables.pod.?affinity.?{kind}.?preferredDuringSchedulingIgnoredDuringExecution.orValue([])"
            ".map(t, t.podAffinityTerm)"
            for kind in ("podAffinity", "podAntiAffinity")
        ),
    ),
    "nodes": (
        "pod",
        "variables.pod.?affinity.?nodeAffinity.?requiredDuringSchedulingIgnoredDuringExecution"
        ".?nodeSelectorTerms.orValue([]) + "
        "variables.pod.?affinity.?nodeAffinity.?preferredDuringSchedulingIgnoredDuringExecution.orValue([])"
        ".map(t, t.preference)",
    ),
    "about": ("pod", _ABOUT.format("object")),
    "marks": (
        "pod",
        "variables.about.?annotations.orValue({}).map(k, k) + variables.about.?labels.orValue({}).map(k, k)",
    ),
    "kept": (
        "pod",
        "oldObject == null ? [] : "
        f"{_ABOUT.format('oldObject')}.?annotations.orValue({{}}).map(k, k) + "
        f"{_ABOUT.format('oldObject')}.?labels.orValue({{}}).map(k, k)",
    ),
    "senders": (
        "policy",
        "params.spec.namespaces + (params.spec.gateway.dataPlaneNamespace == '' ? [] : "
        "[params.spec.gateway.dataPlaneNamespace])",
    ),
}
"""By name: the subject that it is for, and its expression. One may use those before it."""

# --- parts of expressions --------------------------------------------------------------------------------

_RULES = "object.?spec.?rules.orValue([])"
_OWN_SERVICE = (
    "({0}.?kind.orValue('Service') == 'Service' && {0}.?group.orValue('') == '' && "
    "{0}.?namespace.orValue(request.namespace) == request.namespace)"
)
_FILTERS = (
    "{0}.?filters.orValue([]).all(f, !(f.?type.orValue('') in ['ExtensionRef', 'ExternalAuth']) && "
    f"(!has(f.requestMirror) || {_OWN_SERVICE.format('f.requestMirror.backendRef')}))"
)
_HAS = (
    "{0}.?filters.orValue([]).all(f, f.?type.orValue('') in (object.?kind.orValue('') == 'GRPCRoute' ? "
    "['RequestHeaderModifier', 'ExtensionRef'] : ['RequestHeaderModifier', 'ResponseHeaderModifier', "
    "'RequestRedirect', 'URLRewrite', 'ExtensionRef', 'ExternalAuth']))"
)
"""Filters that Traefik has (3.7.9: loadMiddlewares, loadGRPCMiddlewares), or that another rule refuses. It answers all
requests of a route that has others with 500, and says in the status that the route is accepted."""
_NAMED = f"object.metadata.?annotations[?'{labels.CANARY}'].orValue('')"
_IS_NAMED = f"b.name == {_NAMED}"
_ON_TRIAL = f"({_IS_NAMED} || b.name.contains('canary'))"
_WEIGHT = "int({0}.?weight.orValue(1))"
_SUM = "r.backendRefs{0}.map(b, " + _WEIGHT.format("b") + ").sum()"
_ALL, _TRIAL, _SAID = (_SUM.format(part) for part in ("", f".filter(b, {_ON_TRIAL})", f".filter(b, {_IS_NAMED})"))
_FIRST = "r.backendRefs[0]"
_SHARE = (
    f"(size(r.backendRefs) == 1 ? ({_FIRST}.name == {_NAMED} ? {_WEIGHT.format(_FIRST)} : 0) : "
    f"!r.backendRefs.all(b, {_ON_TRIAL}) ? {_TRIAL} : "
    f"r.backendRefs.exists(b, {_IS_NAMED}) && !r.backendRefs.all(b, {_IS_NAMED}) ? {_SAID} : "
    f"{_ALL} - {_WEIGHT.format(_FIRST)})"
)
"""Weight of a rule's canaries, read as the policy gateway-canary reads it."""
_STEPS = f"object.metadata.?annotations[?'{labels.CANARY_STEPS}'].orValue('')"
_ENDS_WITH_ALL = f"{_STEPS}.endsWith(',100')"
_CEILING = "int(params.spec.canaryCeilingPercent)"
_STEPS_KEEP_IT = (
    f"({_STEPS} == '' || ({_ENDS_WITH_ALL} ? {_STEPS}.substring(0, size({_STEPS}) - 4) : {_STEPS}).split(',')"
    f".all(s, s.matches('^[0-9]{{1,3}}$') && int(s) <= {_CEILING}))"
)
"""The steps before a last one of 100 are not over the ceiling."""
_SHARE_KEEPS_IT = f"({_SHARE} * 100 <= {_ALL} * {_CEILING} || ({_ENDS_WITH_ALL} && {_SHARE} == {_ALL}))"
_ASKED_FOR = (
    "(size(r.?matches.orValue([])) > 0 && r.matches.all(m, size(m.?headers.orValue([])) > 0 || "
    "size(m.?queryParams.orValue([])) > 0))"
)
_NARROW = (
    f"({{0}}.?matchLabels[?'{labels.NAMESPACE_NAME}'].orValue('') in {{1}} || "
    f"{{0}}.?matchLabels[?'{labels.TENANT}'].orValue('') == params.spec.tenant || "
    f"{{0}}.?matchExpressions.orValue([]).exists(e, e.key == '{labels.NAMESPACE_NAME}' && e.operator == 'In' && "
    "e.values.all(v, v in {1})))"
)
_PEER = f"(!has(p.ipBlock) && (!has(p.namespaceSelector) || {_NARROW.format('p.namespaceSelector', '{2}')}))"
_SIDE = "object.?spec.?{0}.orValue([]).all(r, size(r.?{1}.orValue([])) > 0 && r.{1}.all(p, " + _PEER + "))"
_SENT = _SIDE.format("ingress", "from", "variables.senders")
_CALLED = _SIDE.format("egress", "to", "params.spec.namespaces")
"""Pods answer the gateway and do not call it: its pods have ports beside the listeners'."""
PRIORITY = "tenancy-priority"
_PLACES = "['topology.kubernetes.io/zone', 'topology.kubernetes.io/region', 'kubernetes.io/arch', 'kubernetes.io/os']"
_TOLERATED = "['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable']"
"""The API server itself gives every pod tolerations of these (DefaultTolerationSeconds)."""
_READ_BY_OTHERS = (
    "metallb.io/",
    "metallb.universe.tf/",
    "lbipam.cilium.io/",
    "io.cilium/",
    "service.cilium.io/",
    "external-dns.alpha.kubernetes.io/",
    "service.kubernetes.io/",
    "service.beta.kubernetes.io/",
)
_NAME = "object.spec.externalName"
_DNS_OF_THE_WORLD = "external-dns.alpha.kubernetes.io/"
_READ_BY_NETWORKS = (
    "cni.cilium.io/",
    "cni.projectcalico.org/",
    "io.cilium.",
    "io.kubernetes.",
    "ipam.cilium.io/",
    "k8s.v1.cni.cncf.io/",
    "network.cilium.io/",
    "pcns.",
    "pcsa.",
    "policy.cilium.io/",
    "v1.multus-cni.io/",
    _DNS_OF_THE_WORLD,
)
"""Prefixes of what CNIs and ExternalDNS read of pods: addresses, networks, labels that stand for a namespace's."""
_NODE = "volume.kubernetes.io/selected-node"
_ASKS = ("livenessProbe", "readinessProbe", "startupProbe", "lifecycle.?postStart", "lifecycle.?preStop")
_JOB = "batch.kubernetes.io/job-tracking"
"""The finalizer that the Job controller gives its pods (KEP-2307)."""
_LONGEST_STOP = 600
"""Seconds. A drain waits so long for each pod."""

RULES: tuple[Rule, ...] = (
    Rule(
        "tenancy-service-type",
        "service",
        "object.?spec.?type.orValue('ClusterIP') in ['ClusterIP', 'ExternalName']",
        "spec.type opens a port on every node, or takes an address of a load balancer",
        "write type: ClusterIP, and a route through the gateway",
    ),
    Rule(
        "tenancy-external-ips",
        "service",
        "size(object.?spec.?externalIPs.orValue([])) == 0 && object.?spec.?loadBalancerIP.orValue('') == ''",
        "spec.externalIPs or loadBalancerIP takes addresses that may be of others (CVE-2020-8554)",
        "remove it",
    ),
    Rule(
        "tenancy-external-name",
        "service",
        "object.?spec.?type.orValue('') != 'ExternalName' || params.spec.egress.exists(e, e.hosts.exists(h, "
        f"{_NAME} == h || (h.startsWith('*.') && {_NAME}.endsWith(h.substring(1))))) || "
        rf"{_NAME}.matches('^[^.]+[.]' + request.namespace + '[.]svc([.]cluster[.]local)?$')",
        "spec.externalName is neither a Service of this namespace nor a host of a registered egress",
        "call the Service by its name, or have the host registered",
    ),
    Rule(
        "tenancy-service-annotations",
        "service",
        "!object.?metadata.?annotations.orValue({}).exists(k, "
        + " || ".join(f"k.startsWith('{prefix}')" for prefix in _READ_BY_OTHERS)
        + ")",
        "metadata.annotations speaks to load balancers, DNS or other clusters",
        "remove the annotation",
    ),
    Rule(
        "tenancy-volume-name",
        "volume",
        "request.operation != 'CREATE' || (object.?spec.?volumeName.orValue('') == '' && !has(object.spec.selector) && "
        "object.?spec.?dataSourceRef.?namespace.orValue('') == '')",
        "spec.volumeName, selector or dataSourceRef.namespace chooses a volume, which may hold the data of others",
        "remove it: the storage class makes a new volume",
    ),
    Rule(
        "tenancy-volume-node",
        "volume",
        # The scheduler writes it, and a provisioner takes it away.
        f"object.metadata.?annotations[?'{_NODE}'].orValue('') in ['', "
        f"oldObject == null ? '' : oldObject.metadata.?annotations[?'{_NODE}'].orValue('')] || "
        "request.userInfo.username == 'system:kube-scheduler'",
        f"the annotation {_NODE} makes a volume on a node that the scheduler did not choose",
        "remove it",
    ),
    Rule(
        "tenancy-token",
        "secret",
        "object.?type.orValue('') != 'kubernetes.io/service-account-token'",
        "this type is a token that never ends",
        "use kubectl create token, or a projected volume",
    ),
    Rule(
        "tenancy-disruption",
        "budget",
        "!(has(object.spec.maxUnavailable) && string(object.spec.maxUnavailable) in ['0', '0%'])",
        "spec.maxUnavailable lets no pod go, so no node can be drained",
        "write maxUnavailable: 1",
    ),
    Rule(
        "tenancy-budget",
        "budget",
        "!has(object.spec.minAvailable)",
        "spec.minAvailable keeps a node from being drained if it is as much as there are pods",
        "write maxUnavailable: 1",
    ),
    Rule(
        "gateway-annotations",
        "route",
        f"!object.metadata.?annotations.orValue({{}}).exists(k, k.startsWith('{_DNS_OF_THE_WORLD}'))",
        "metadata.annotations asks ExternalDNS for names, which may be of others",
        "remove the annotation: the name servers of your domains have the gateway's address",
    ),
    Rule(
        "gateway-hostname",
        "route",
        "size(object.?spec.?hostnames.orValue([])) > 0 && object.spec.hostnames.all(h, "
        "params.spec.domains.exists(d, h == d || h.endsWith('.' + d)))",
        "spec.hostnames is empty or has names that are not below the registered domains",
        "write host names of domains in the contract",
    ),
    Rule(
        "gateway-parent",
        "route",
        "size(object.?spec.?parentRefs.orValue([])) > 0 && object.spec.parentRefs.all(p, "
        f"p.?group.orValue('{GATEWAY_API}') == '{GATEWAY_API}' && "
        "p.?namespace.orValue(request.namespace) == params.spec.gateway.namespace && "
        "(p.?sectionName.orValue('') in params.spec.gateway.listenerSet ? "
        "p.?kind.orValue('Gateway') == 'ListenerSet' && p.name == params.spec.tenant : "
        "p.?kind.orValue('Gateway') == 'Gateway' && p.name == params.spec.gateway.name && "
        "p.?sectionName.orValue('') in params.spec.gateway.listeners))",
        "spec.parentRefs has something else than the contract's gateway and its listeners",
        "write the gateway of the contract, and one of its listeners as sectionName",
    ),
    Rule(
        "gateway-backend",
        "route",
        f"{_RULES}.all(r, {_FILTERS.format('r')} && r.?backendRefs.orValue([]).all(b, {_OWN_SERVICE.format('b')} && "
        f"{_FILTERS.format('b')}))",
        "a backend or filter is no Service of this namespace (CVE-2026-44774, CVE-2026-54761)",
        "write backendRefs with the name of a Service of this namespace, and no extensionRef",
    ),
    Rule(
        "gateway-capability",
        "route",
        f"params.spec.gateway.dataPlaneNamespace == '' || {_RULES}.all(r, !has(r.timeouts) && {_HAS.format('r')} && "
        f"r.?backendRefs.orValue([]).all(b, {_HAS.format('b')}))",
        "a rule has timeouts or a filter that this gateway does not have: that of Cilium has timeouts and mirrors",
        "remove it; gateway.limits of the stack file are for all routes",
    ),
    Rule(
        "gateway-canary",
        "route",
        f"{_RULES}.all(r, {_ASKED_FOR} || size(r.?backendRefs.orValue([])) == 0 || "
        f"({_STEPS_KEEP_IT} && {_SHARE_KEEPS_IT}))",
        "a canary gets more of the requests than the contract's canaryCeilingPercent, or has steps above it",
        "lower its weight, or remove these steps; the last step may be 100",
    ),
    Rule(
        "tenancy-registry",
        "pod",
        "variables.images.all(i, params.spec.registries.exists(r, i.startsWith(r.endsWith('/') ? r : r + '/')))",
        "an image comes from a registry that the contract has not",
        "copy it to a registry of the contract",
    ),
    Rule(
        "tenancy-images",
        "pod",
        "variables.images.all(i, i.matches('[^/]@sha256:[0-9a-f]{64}$'))",
        "an image has no digest, so that what runs can change without a review",
        "write it as registry/name@sha256:…, as docker push prints it",
    ),
    Rule(
        "tenancy-pod-metadata",
        "pod",
        "variables.marks.all(m, m in variables.kept || !("
        + " || ".join(f"m.startsWith('{prefix}')" for prefix in _READ_BY_NETWORKS)
        + "))",
        "an annotation or label of its pods speaks to the CNI or ExternalDNS: it chooses addresses, networks or names",
        "remove it",
        of_spec=False,
    ),
    Rule(
        "tenancy-finalizers",
        "pod",
        f"variables.about.?finalizers.orValue([]).all(f, f == '{_JOB}')",
        "a finalizer keeps its pods when they are deleted, so that a node is never drained",
        "remove metadata.finalizers",
        of_spec=False,
    ),
    Rule(
        "tenancy-grace-period",
        "pod",
        f"variables.pod.?terminationGracePeriodSeconds.orValue(30) <= {_LONGEST_STOP}",
        f"terminationGracePeriodSeconds is more than {_LONGEST_STOP}: a drain waits so long",
        f"write {_LONGEST_STOP} or less",
    ),
    Rule(
        "tenancy-volume-kind",
        "pod",
        "variables.pod.?volumes.orValue([]).all(v, !has(v.csi))",
        "a volume of kind csi asks a driver on the node for something that no claim and no quota has",
        "write a claim (persistentVolumeClaim or ephemeral)",
    ),
    Rule(
        "tenancy-probe-host",
        "pod",
        "variables.containers.all(c, "
        + " && ".join(f"c.?{ask}.?{way}.?host.orValue('') == ''" for ask in _ASKS for way in ("httpGet", "tcpSocket"))
        + ")",
        "a probe or lifecycle handler has a host, which the kubelet calls from the node, past every network policy",
        "remove host: the kubelet asks the pod itself",
    ),
    Rule(
        PRIORITY,
        "pod",
        # The API server writes the class that is the cluster's default into every pod.
        "request.resource.resource == 'pods' ? !variables.pod.?priorityClassName.orValue('').startsWith('system-') : "
        "variables.pod.?priorityClassName.orValue('') == ''",
        "priorityClassName lets its pods evict others",
        "remove it",
    ),
    Rule(
        "tenancy-node-name",
        "pod",
        # The scheduler writes it with another request, and an update of a running pod still has it.
        "(request.resource.resource == 'pods' && request.operation == 'UPDATE') || "
        "variables.pod.?nodeName.orValue('') == ''",
        "nodeName passes by the scheduler and the node's taints",
        "remove it",
    ),
    Rule(
        "tenancy-tolerations",
        "pod",
        f"variables.pod.?tolerations.orValue([]).all(t, t.?key.orValue('') in {_TOLERATED})",
        "tolerations bring its pods to nodes that are not for tenants",
        "remove them",
    ),
    Rule(
        "tenancy-node-selector",
        "pod",
        f"variables.pod.?nodeSelector.orValue({{}}).all(k, k in {_PLACES}) && variables.nodes.all(n, "
        f"!has(n.matchFields) && n.?matchExpressions.orValue([]).all(e, e.key in {_PLACES}))",
        "it chooses nodes by other labels than zone, region, architecture and operating system",
        "remove nodeSelector or nodeAffinity",
    ),
    Rule(
        "tenancy-affinity",
        "pod",
        "variables.affinity.all(t, !has(t.namespaceSelector) && "
        "t.?namespaces.orValue([]).all(n, n in params.spec.namespaces))",
        "podAffinity or podAntiAffinity names pods of other tenants, and so moves or blocks them",
        "write terms without namespaceSelector, and only namespaces of the contract",
    ),
    Rule(
        "tenancy-network-policy",
        "policy",
        f"variables.platform || ({_SENT} && {_CALLED})",
        "a rule has no peers, addresses, or namespaces that are neither the tenant's nor, for ingress, the gateway's",
        "write podSelector, or namespaceSelector with kubernetes.io/metadata.name of a namespace in the contract; for "
        "destinations outside, set the label egress.vds-platform.no/<name> on the pods",
    ),
    Rule(
        "tenancy-lease",
        "lease",
        f"variables.platform || object.metadata.name.startsWith('{CANARY_RECORD}')",
        "a Lease of a tenant is the record of a canary",
        f"name it {CANARY_RECORD} and the name of the route",
    ),
    Rule(
        "tenancy-refused-kind",
        "refused",
        "variables.platform",
        "this kind takes traffic of others, or changes what isolates the tenant",
        "remove it",
    ),
)
PROTECTED = Rule(
    "tenancy-protected",
    "protected",
    f"variables.platform || [object, oldObject].all(o, o == null || "
    f"!('{labels.REGISTERED}' in o.metadata.?labels.orValue({{}})))",
    f"the platform made this object, or it has the label {labels.REGISTERED} of such objects",
    "leave it, and write another one without the label",
)
"""What a registration made stays as it is. There is no exception."""
TOKEN_SECONDS = 86_400
TOKENS = Rule(
    "tenancy-token-lifetime",
    "token",
    f"object.spec.?expirationSeconds.orValue(3600) <= {TOKEN_SECONDS} || "
    "object.spec.?boundObjectRef.?kind.orValue('') == 'Pod'",
    f"a token of a ServiceAccount is asked for more than {TOKEN_SECONDS} seconds, and works after its owner has left",
    "ask for a shorter one, and again before it ends",
)
"""A token that is bound to a pod ends with the pod."""
PROTECTED_KINDS = (
    Kind("", "serviceaccounts", "ServiceAccount"),
    Kind("networking.k8s.io", "networkpolicies", "NetworkPolicy"),
)
"""Kinds of its objects that tenants have the right to write."""
IDS = frozenset(rule.id for rule in RULES)
"""Rules that a registration's exceptions may name."""
