"""Routes, limits and a fixed address on the running gateway, asked by HTTPS from outside."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lab.cluster import condition
from lab.layout import CHECKOUT, CLIENT, STACK
from lab.processes import LabError, command, wait_until
from lab.tenants.settings import NAMESPACE, ROUTES
from tests.lab.conftest import Lab

pytestmark = pytest.mark.lab

ADDRESS = "192.0.2.210"
NAMED: dict[str, Any] = {"namespace": NAMESPACE, "hostnames": ["shop.example.no", "butikk.example.no"]}
MORE: dict[str, Any] = {
    "plain": {**NAMED, "app": "api"},
    "beta": {
        **NAMED,
        "matches": [{"path": "/beta", "method": "GET", "headers": {"X-Beta": "yes"}}],
        "rewrite": {"hostname": "inner.example.no", "path": "/rewritten"},
        "responseHeaders": {"set": {"X-Answered": "beta"}},
        "app": "frontend",
    },
    "old": {**NAMED, "matches": [{"pathPrefix": "/old"}], "redirect": {"pathPrefix": "/new", "status": 308}},
}


def edit(spec: dict[str, Any]) -> None:
    spec["gateway"]["address"] = ADDRESS
    spec["gateway"]["limits"] = {"bodyMebibytes": 1, "connectSeconds": 10, "readSeconds": 120, "sendSeconds": 120}


def with_routes(config: dict[str, Any]) -> None:
    config[ROUTES] |= MORE


def curl(lab: Lab, url: str, *arguments: str) -> tuple[str, str]:
    """Status line with headers, and body, as a client gets them that trusts the lab's authority alone."""
    host = url.removeprefix("https://").partition("/")[0]
    argv = ["curl", "-sS", "-D", "-", "--cacert", str(lab.layout.authority), "--resolve", f"{host}:443:{ADDRESS}"]
    words = command([*argv, *arguments, url], part="probe", namespace=CLIENT.namespace)
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise LabError(f"curl of {url} ended with {done.returncode}: {done.stderr.strip()}")
    head, _, body = done.stdout.replace("\r\n", "\n").rpartition("\n\n")
    return head, body


def beta(lab: Lab) -> tuple[str, str]:
    return curl(lab, "https://shop.example.no/beta", "-H", "X-Beta: yes")


def every_route_answers(lab: Lab) -> bool:
    plain, old = curl(lab, "https://butikk.example.no/beta")[0], curl(lab, "https://shop.example.no/old/a")[0]
    return " 200" in plain and "x-answered" in beta(lab)[0].lower() and " 308" in old


def _output(lab: Lab) -> str:
    argv = [str(lab.deployment.engine), "stack", "output", "gateway", "--json", "--stack", STACK]
    env = lab.deployment.environment()
    return subprocess.run(argv, env=env, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout


def test_whole_routes_and_limits_are_served_at_a_fixed_address(lab: Lab, tmp_path: Path) -> None:
    try:
        outcome = lab.deployment.run("up", config_file=lab.variant(edit))
        assert outcome.exit_code == 0, outcome.output
        lab.deploy(with_routes)
        # Each pod of Traefik takes new routes at most every two seconds (providersThrottleDuration), after one of them
        # has written their status. Twelve answers in a row come from both pods.
        wait_until(
            lambda: all(every_route_answers(lab) for _ in range(12)), 90, lambda: "a route is not served by both pods"
        )
        head, body = curl(lab, "https://butikk.example.no/beta")
        assert json.loads(body)["pod"].startswith("api-"), head
        head, body = beta(lab)
        seen = json.loads(body)
        assert (seen["path"], seen["host"]) == ("/rewritten", "inner.example.no")
        assert seen["pod"].startswith("frontend-")
        assert "x-answered: beta" in head.lower()
        head, _ = curl(lab, "https://shop.example.no/old/a")
        assert " 308" in head.splitlines()[0]
        assert "location: https://shop.example.no/new/a" in head.lower()
        for size, status in ((1024 * 1024, " 200"), (1024 * 1024 + 1, " 413")):
            (tmp_path / "body").write_bytes(b"x" * size)
            head, _ = curl(lab, "https://shop.example.no/", "-H", "Expect:", "--data-binary", f"@{tmp_path / 'body'}")
            assert status in head.splitlines()[0]
        outputs = json.loads(_output(lab))
        assert outputs["address"] == ADDRESS
        assert outputs["certificatesEnd"]
    finally:
        lab.restore()
        lab.deploy()


def test_the_next_update_makes_the_same_certificate(lab: Lab) -> None:
    lab.restore()
    outcome = lab.deployment.run("preview", "--expect-no-changes", "--diff")
    assert "gateway-certificate-wildcard-example-no" not in outcome.output, outcome.output


def test_the_platforms_namespaces_have_policies_that_cilium_takes(lab: Lab) -> None:
    for namespace, expected in (("gateway-system", "gateway-api-server"), ("metallb-system", "controller-api-server")):
        path = f"/apis/cilium.io/v2/namespaces/{namespace}/ciliumnetworkpolicies/{expected}"
        wait_until(
            lambda path=path: condition(lab.cluster.request("GET", path), "Valid") == "True",  # type: ignore[misc]
            60,
            lambda path=path: f"Cilium does not take {path}",  # type: ignore[misc]
        )
