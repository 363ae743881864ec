"""An image from one country and logs to another, in a program that says nothing of either."""

import pulumi
from pulumi_kubernetes.apps.v1 import Deployment
from pulumi_kubernetes.core.v1 import ConfigMap


class Record(pulumi.ComponentResource):
    """Somebody's own record of where bytes go: a list of `places` is what the pack looks for."""

    def __init__(self, name: str) -> None:
        places = [
            {
                "name": "home",
                "hosts": ["registry.example.no", "resolver.example.no"],
                "country": "NO",
                "entity": "Agency of Norway",
                "entityCountry": "NO",
                "purposes": ["image-registry", "dns", "time"],
            },
            {
                "name": "abroad",
                "hosts": ["registry.example.com"],
                "country": "NO",
                "entity": "Cloud Inc.",
                "entityCountry": "US",
                "purposes": ["image-registry"],
            },
        ]
        super().__init__("agency:index:Record", name, {"places": places})
        self.register_outputs({"places": places})


Record("record")
ConfigMap(
    "agent",
    metadata={"name": "agent", "namespace": "kube-system"},
    data={"config.yaml": "# see https://docs.example.org\nsinks:\n  - url: https://logs.example.com/push\n"},
)
Deployment(
    "agent",
    metadata={"name": "agent", "namespace": "kube-system"},
    spec={
        "selector": {"match_labels": {"app": "agent"}},
        "template": {
            "metadata": {"labels": {"app": "agent"}},
            "spec": {"containers": [{"name": "agent", "image": "registry.example.com/agent:1"}]},
        },
    },
)
