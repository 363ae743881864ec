"""Chart repositories of the tests: what Helm would download is packed from the charts' Go modules instead."""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from components.charts import helm, render
from components.charts.reference import chart_name
from components.charts.render import ChartSource
from tests.support.charts import pack
from tests.support.modules import CILIUM, METALLB, pinned, source, versions

APP = {
    "app.yaml": """\
apiVersion: apps/v1
kind: Deployment
metadata: { name: app }
spec:
  replicas: {{ .Values.replicaCount }}
  template:
    spec:
      hostNetwork: {{ .Values.hostNetwork }}
      containers:
        - name: app
          image: {{ .Values.image }}
          securityContext: {{ toJson .Values.securityContext }}
---
apiVersion: v1
kind: Service
metadata: { name: app }
spec: {{ toJson .Values.service }}
---
apiVersion: batch/v1
kind: Job
metadata: { name: migrate, annotations: { helm.sh/hook: pre-install } }
spec:
  template: { spec: { containers: [{ name: migrate, image: {{ .Values.migration }} }] } }
""",
}
APP_VALUES = """\
replicaCount: 1
hostNetwork: false
image: registry.example.no/app@sha256:0000000000000000000000000000000000000000000000000000000000000000
migration: registry.example.no/app@sha256:0000000000000000000000000000000000000000000000000000000000000000
securityContext: {}
service: { type: ClusterIP }
"""
"""Of the chart `app`: what its values say is what its objects have."""
_CHARTS = {"cilium": (CILIUM, "install/kubernetes/cilium"), "metallb": (METALLB, "charts/metallb")}


_OPERATOR = {
    "operator.yaml": """\
apiVersion: apps/v1
kind: Deployment
metadata: { name: tigera-operator }
spec:
  template:
    spec:
      hostNetwork: true
      containers:
        - name: tigera-operator
          image: {{ .Values.tigeraOperator.registry }}/{{ .Values.tigeraOperator.image }}
""",
}
_OPERATOR_VALUES = "tigeraOperator: { registry: quay.io, image: tigera/operator }\n"
_MADE = {
    **dict.fromkeys(("app", "redis", "shop"), (APP, APP_VALUES)),
    "tigera-operator": (_OPERATOR, _OPERATOR_VALUES),  # Calico's charts are in no Go module
    "crd.projectcalico.org.v1": ({}, "{}\n"),
}


def fill(cache: Path, charts: Iterable[ChartSource]) -> None:
    """Put charts where `helm pull` would, for a process of its own whose XDG_CACHE_HOME is `cache`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(render, "_pulled_folder", lambda: cache / "vds-platform/pulled-charts")
        patch.setattr(render, "_pull_failure", _pull_failure)
        for chart in charts:
            render.obtain(chart)


DOWNLOAD = render._pull_failure.__wrapped__
"""As it is in the program, without its memory."""


@contextmanager
def served() -> Iterator[None]:
    """Charts of Cilium and MetalLB come from their Go modules, Calico's are small ones of the same name and values.

    A release that tests have no module of is answered by the lab's: tests are about what is made of a stack file.
    Another chart can't be had, whatever the network is.
    """
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(render, "_pulled_folder", lambda: Path(folder))
        patch.setattr(render, "_pull_failure", _pull_failure)
        yield


def _pull_failure(chart: ChartSource, place: Path) -> str:
    name = chart_name(chart.chart)
    if name in _MADE:
        pack(place, name, chart.version, *_MADE[name])
        return ""
    if name not in _CHARTS or "127.0.0.1" in chart.repository:
        return "tests have no such chart"
    module, folder = _CHARTS[name]
    known = chart.version in versions(module)
    place.mkdir(parents=True)
    about = source(module, chart.version if known else pinned(name)) / folder
    done = helm.run(helm.find(), ["package", str(about), "--version", chart.version, "--destination", str(place)])
    return done.error if done.code else ""
