"""From a manifest or a chart to the Pulumi resource that applies it: the one place that maps kinds to classes."""

from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
from pydantic.alias_generators import to_snake

from components.charts import helm
from components.charts.reference import Chart
from components.charts.render import ChartError
from components.charts.verified import verified
from components.core.labels import WAITED_FOR
from components.core.manifests import Manifest

_CLASSES: dict[tuple[str, str], Any] = {
    ("apps/v1", "DaemonSet"): kubernetes.apps.v1.DaemonSet,
    ("apps/v1", "Deployment"): kubernetes.apps.v1.Deployment,
    ("apps/v1", "StatefulSet"): kubernetes.apps.v1.StatefulSet,
    ("policy/v1", "PodDisruptionBudget"): kubernetes.policy.v1.PodDisruptionBudget,
    ("rbac.authorization.k8s.io/v1", "ClusterRole"): kubernetes.rbac.v1.ClusterRole,
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"): kubernetes.rbac.v1.ClusterRoleBinding,
    ("v1", "ConfigMap"): kubernetes.core.v1.ConfigMap,
    ("v1", "LimitRange"): kubernetes.core.v1.LimitRange,
    ("v1", "Namespace"): kubernetes.core.v1.Namespace,
    ("v1", "PersistentVolumeClaim"): kubernetes.core.v1.PersistentVolumeClaim,
    ("v1", "ResourceQuota"): kubernetes.core.v1.ResourceQuota,
    ("v1", "Secret"): kubernetes.core.v1.Secret,
    ("v1", "Service"): kubernetes.core.v1.Service,
    ("v1", "ServiceAccount"): kubernetes.core.v1.ServiceAccount,
    (
        "admissionregistration.k8s.io/v1",
        "MutatingAdmissionPolicy",
    ): kubernetes.admissionregistration.v1.MutatingAdmissionPolicy,
    (
        "admissionregistration.k8s.io/v1",
        "MutatingAdmissionPolicyBinding",
    ): kubernetes.admissionregistration.v1.MutatingAdmissionPolicyBinding,
    (
        "admissionregistration.k8s.io/v1",
        "ValidatingAdmissionPolicy",
    ): kubernetes.admissionregistration.v1.ValidatingAdmissionPolicy,
    (
        "admissionregistration.k8s.io/v1",
        "ValidatingAdmissionPolicyBinding",
    ): kubernetes.admissionregistration.v1.ValidatingAdmissionPolicyBinding,
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"): kubernetes.apiextensions.v1.CustomResourceDefinition,
    ("networking.k8s.io/v1", "NetworkPolicy"): kubernetes.networking.v1.NetworkPolicy,
    ("rbac.authorization.k8s.io/v1", "Role"): kubernetes.rbac.v1.Role,
    ("rbac.authorization.k8s.io/v1", "RoleBinding"): kubernetes.rbac.v1.RoleBinding,
}
"""Kinds of Kubernetes itself. Anything else goes through CustomResource, which knows no kind."""

_PATCHES: dict[tuple[str, str], Any] = {
    ("apps/v1", "DaemonSet"): kubernetes.apps.v1.DaemonSetPatch,
    ("apps/v1", "Deployment"): kubernetes.apps.v1.DeploymentPatch,
    ("v1", "Node"): kubernetes.core.v1.NodePatch,
}
"""Kinds of which we set a field on an object that is somebody else's."""


def apply(name: str, manifest: Manifest, opts: pulumi.ResourceOptions) -> pulumi.CustomResource:
    """The resource `name` whose inputs are the manifest, and nothing that the manifest doesn't say.

    Raises ValueError for a kind of Kubernetes itself that no class is given for: as a CustomResource it
    would get another type in the state, and later another URN.
    """
    api_version, kind = manifest["apiVersion"], manifest["kind"]
    cls = _CLASSES.get((api_version, kind))
    if cls is None:
        if not _defined_by_crd(api_version):
            raise ValueError(f"no class for {api_version} {kind}: add it to components.apply")
        cls = kubernetes.apiextensions.CustomResource
    return _resource(cls, name, manifest, opts)


def apply_patch(name: str, manifest: Manifest, opts: pulumi.ResourceOptions) -> pulumi.CustomResource:
    """The manifest's fields on an object that is there already; raises KeyError for a kind without a class."""
    api_version, kind = manifest["apiVersion"], manifest["kind"]
    own = kubernetes.apiextensions.CustomResourcePatch if _defined_by_crd(api_version) else None
    return _resource(own or _PATCHES[api_version, kind], name, manifest, opts)


def apply_wait(
    name: str, manifest: Manifest, release: kubernetes.helm.v3.Release, opts: pulumi.ResourceOptions
) -> pulumi.CustomResource:
    """The annotation of `rollout_waits` with the number of the Release's revision: each of them is waited for.

    Values alone are not enough. After an update that failed, the values of before are what was waited for already.
    It is kept when it is no longer declared: the chart has removed the object then, and taking the annotation back
    would make it anew, which the API server refuses.
    """
    metadata, annotations = manifest["metadata"], manifest["metadata"]["annotations"]
    if values := annotations.get(WAITED_FOR):
        revision = release.status.apply(lambda status: f"{values}-{status.revision}")
        manifest = {**manifest, "metadata": {**metadata, "annotations": {**annotations, WAITED_FOR: revision}}}
    kept = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(retain_on_delete=True))
    return apply_patch(name, manifest, kept)


def apply_chart(
    name: str, chart: Chart, values: Mapping[str, object], opts: pulumi.ResourceOptions
) -> kubernetes.helm.v3.Release:
    """A pinned chart under its own name, with the bytes that `charts.lock.yaml` names. Raises RunError otherwise.

    Not `atomic`: a rollback takes away the pods that say why the chart is not up, and restarts those that are up. A
    DaemonSet stops at its first pod that fails, so the others run on as before.
    """
    try:
        found = verified(chart.name, chart.version, chart.repository, helm.project_folders()[0])
    except ChartError as error:
        raise pulumi.RunError(str(error)) from None
    return kubernetes.helm.v3.Release(
        name,
        name=chart.name,
        chart=found.chart,
        repository_opts={"repo": found.repository} if found.repository else None,
        version=chart.version,
        namespace=chart.namespace,
        values=values,
        timeout=chart.timeout_seconds,
        opts=opts,
    )


def _resource(cls: Any, name: str, manifest: Manifest, opts: pulumi.ResourceOptions) -> pulumi.CustomResource:
    inputs = {to_snake(key): value for key, value in manifest.items()}
    resource: pulumi.CustomResource = cls(name, **inputs, opts=opts)
    return resource


def _defined_by_crd(api_version: str) -> bool:
    """Whether the kind comes from a CustomResourceDefinition: Kubernetes' own groups have no dot, or end in .k8s.io."""
    group = api_version.rpartition("/")[0]
    return group == "gateway.networking.k8s.io" or ("." in group and not group.endswith(".k8s.io"))
