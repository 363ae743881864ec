"""What files of values look like in the wild, and what is refused with its name."""

import pytest

from vds.cilium_values.inputs import read_text
from vds.shared.errors import OperationError

FLUX = """
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
metadata: {name: cilium}
---
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: cilium}
spec:
  chart: {spec: {chart: cilium, version: 1.17.1}}
  values: {routingMode: native, cluster: {id: "${CLUSTER_ID}"}}
"""
ARGO = """
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: network}
spec:
  sources:
    - {repoURL: "https://git.example.no/x", ref: values}
    - repoURL: https://helm.cilium.io/
      chart: cilium
      targetRevision: 1.18.2
      helm:
        values: |
          routingMode: native
        valuesObject: {MTU: 1500}
        parameters:
          - {name: bpf.masquerade, value: "true"}
          - {name: k8sServicePort, value: "6443", forceString: true}
"""
RKE2 = """
apiVersion: helm.cattle.io/v1
kind: HelmChartConfig
metadata: {name: rke2-cilium, namespace: kube-system}
spec:
  valuesContent: |-
    kubeProxyReplacement: true
    k8sServiceHost: {{ api_server }}
"""


@pytest.mark.parametrize(
    ("text", "values", "version", "form"),
    [
        (FLUX, {"routingMode": "native", "cluster": {"id": "${CLUSTER_ID}"}}, "1.17.1", "HelmRelease cilium"),
        (
            ARGO,
            {"routingMode": "native", "MTU": 1500, "bpf": {"masquerade": True}, "k8sServicePort": "6443"},
            "1.18.2",
            "Application network",
        ),
        (
            RKE2,
            {"kubeProxyReplacement": True, "k8sServiceHost": "{{ api_server }}"},
            "",
            "HelmChartConfig rke2-cilium",
        ),
        ("cilium: {MTU: 1500}\n", {"MTU": 1500}, "", "values file of an umbrella chart"),
        ("id: {{ x }}\nname: 'a-{{ b }}'\n", {"id": "{{ x }}", "name": "a-{{ b }}"}, "", "values file"),
        ("", {}, "", "values file"),
    ],
)
def test_values_are_read_where_people_keep_them(text, values, version, form):
    found = read_text(text, "x.yaml")
    assert (found.values, found.version) == (values, version)
    assert found.form.startswith(form)


@pytest.mark.parametrize("span", [">=1.17.0 <1.18.0", "1.17.x", "~1.17"])
def test_a_span_of_versions_is_no_version(span):
    assert read_text(FLUX.replace("1.17.1", f'"{span}"'), "x.yaml").version == ""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("apiVersion: v1\nkind: ConfigMap\ndata: {a: b}\n", "is a Kubernetes manifest (ConfigMap) without values"),
        (FLUX.replace("chart: cilium,", "chart: traefik,"), "(HelmRepository, HelmRelease) without values"),
        (FLUX + "---" + FLUX, "has values of Cilium's chart 2 times"),
        (FLUX.replace("  values:", "  valuesFrom: [{kind: Secret, name: x}]\n  values:"), "takes values from other"),
        (ARGO.replace("      helm:", "      helm:\n        valueFiles: [a.yaml]"), "takes values from other"),
        ("{{- if .Values.x }}\nMTU: 1\n{{- end }}\n", "is a template"),
        ("a: 1\n---\nb: 2\n", "has 2 YAML documents"),
        (RKE2.replace("    kubeProxyReplacement: true", "    - a"), "is not YAML"),
    ],
)
def test_what_cannot_be_read_is_named_for_what_it_is(text, says):
    with pytest.raises(OperationError, match=r"^x\.yaml: ") as caught:
        read_text(text, "x.yaml")
    assert says in str(caught.value)


def test_values_are_read_as_helm_reads_them():
    """PyYAML alone takes `y` and `1.4e3` for text and a day for a date."""
    text = "ipv6: {enabled: y}\nMTU: 1.4e3\npodAnnotations: {since: 2020-01-02, at: 12:30}\n1: x\ntrue: y\n"
    assert read_text(text, "x").values == {
        "ipv6": {"enabled": True},
        "MTU": 1400,
        "podAnnotations": {"since": "2020-01-02", "at": "12:30"},
        "1": "x",
        "true": True,
    }
