"""A chart in an agency's namespace, whose pods are on the nodes' own network: no value says so."""

from pulumi_kubernetes.helm.v3 import Release

Release(
    "announcer",
    name="announcer",
    chart="oci://registry.lab.example.no/charts/metallb",
    version="0.16.1",
    namespace="agency",
    values={"frrk8s": {"enabled": False}},
)
