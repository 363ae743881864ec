"""The timer's service renews the certificates of a control plane before they end, while requests pass the gateway."""

import re
import time
from typing import Any

import pytest

from lab.asking import ssh
from lab.chaos.cluster import end_certificates
from lab.chaos.trial import Trial
from lab.layout import CONTROL_PLANES
from lab.progress import Progress
from lab.proof.gateway import gateway_address, question
from lab.verify import load_spec
from tests.lab.conftest import Lab
from tests.support import howtos
from tests.support.gateway_load import load

pytestmark = [pytest.mark.lab, pytest.mark.nightly]

FIRST = CONTROL_PLANES[0]
UNIT = "vds-platform-certificates"
LEFT_DAYS = 20  # the doctor advises then, because the timer should have run 40 days before
# Of every file, the days that are left; and of the API server on the wire. 86400 s are a day.
ENDS = """
now=$(date +%s)
left() { echo $((($(date -d "$(openssl x509 -noout -enddate | cut -d = -f 2)" +%s) - now) / 86400)); }
for file in $(find /etc/kubernetes/pki -name '*.crt' ! -name '*ca.crt'); do echo "$file $(left <"$file")"; done
for file in /etc/kubernetes/*.conf; do
	data=$(sed -n 's/^ *client-certificate-data: *//p' "$file")
	[ -z "$data" ] || echo "$file $(echo "$data" | base64 -d | left)"
done
echo "wire $(openssl s_client -connect 192.0.2.11:6443 </dev/null 2>/dev/null | left)"
"""
CONTAINERS = "crictl ps --quiet --label io.kubernetes.pod.namespace=kube-system | sort"


def asked(lab: Lab, command: str) -> str:
    done = ssh(lab.layout, FIRST.address, command, timeout_seconds=1200)
    assert done.returncode == 0, done.stderr
    return done.stdout


def days(lab: Lab) -> dict[str, int]:
    return {name: int(number) for name, number in (line.split() for line in asked(lab, ENDS).splitlines())}


def row(document: dict[str, Any]) -> tuple[str, str]:
    """What the doctor says of the certificates of the first control plane."""
    [found] = [one for one in document["running"] if one["item"] == f"node {FIRST.name}, certificates"]
    return found["state"], found["measured"]


def test_the_timers_service_renews_what_ends_soon_and_a_second_run_does_nothing(lab: Lab) -> None:
    assert asked(lab, f"systemctl is-active {UNIT}.timer").strip() == "active"
    lab.well()
    made = days(lab)
    end_certificates(Trial(lab.layout, lab.tools, Progress(total=1, quiet=True)), LEFT_DAYS)
    ending = {name: left for name, left in days(lab).items() if left < 300}
    assert {"/etc/kubernetes/pki/apiserver.crt", "/etc/kubernetes/admin.conf"} < set(ending)
    state, said = row(lab.examined()[1])
    assert state == "advice", said
    print(said)

    spec = load_spec(lab.layout)
    before = asked(lab, CONTAINERS)
    with load(question(lab.layout, spec, gateway_address(lab.cluster, spec))) as requests:
        began = time.monotonic()
        asked(lab, f"systemctl start {UNIT}.service")  # ends with the service, which is of the type oneshot
        seconds = time.monotonic() - began
        # The API server answers without a wait, and the others are ready: nothing is left to come.
        assert lab.cluster.text("GET", "/readyz") == "ok"
    print(f"renewed in {seconds:.0f} s, requests to the gateway meanwhile: {dict(requests)}")
    assert requests.pop("answered") > 0
    assert requests == {}

    after = days(lab)
    assert after.keys() == made.keys()
    assert min(after.values()) >= 363, after
    containers = asked(lab, CONTAINERS)
    assert containers != before
    document = lab.well()
    state, said = row(document)
    assert state == "ok", said
    print(said)

    began = time.monotonic()
    asked(lab, f"systemctl start {UNIT}.service")
    print(f"a second run: {time.monotonic() - began:.1f} s")
    assert asked(lab, CONTAINERS) == containers
    assert not re.search("renewing", asked(lab, "ls /var/lib/vds-platform-cluster"))

    [by_hand] = re.findall(r"`(touch [^`]*)`", howtos.page("bootstrap-a-cluster"))
    asked(lab, " ".join(by_hand.split()))
    assert asked(lab, CONTAINERS) != containers
    lab.well()
