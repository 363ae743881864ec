"""docs/howto/first-environment.md, typed word for word on bare machines: to a canary behind HTTPS, and back."""

import os
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from lab import fabric
from lab.asking import ssh
from lab.deploy import Deployment
from lab.layout import NODES, OPERATOR, Layout
from lab.proof.binomial import SIGNIFICANCE, binomial_p
from lab.stack_file import SPEC
from lab.verify import images
from tests.lab.conftest import built_tools, copied, lab_command
from tests.support.first_environment import (
    AFTER_INIT,
    AGENCY_BACK,
    CLOSED_NETWORK,
    NODE_SETTINGS,
    REQUESTS,
    STACK,
    SUBSTITUTIONS,
    TAG,
    UP,
    WAY_BACK,
    blocks,
)
from tests.support.howtos import Terminal

pytestmark = [pytest.mark.lab, pytest.mark.nightly]

_OF_THE_LABS_STACK = ("PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE_FILE", "KUBECONFIG")
_REQUESTS = 200


class Guide(Terminal):
    """The page on the operator's laptop, in a copy of the project."""

    def __init__(self, layout: Layout) -> None:
        deployment = Deployment(layout, built_tools())
        deployment.prepare()  # Pulumi's plugins, where the engine finds them
        self._lab_stack_file = deployment.config_file
        environment = {k: v for k, v in deployment.environment().items() if k not in _OF_THE_LABS_STACK}
        environment |= {"LAB": str(layout.state)}
        environment["CURL_CA_BUNDLE"] = environment["SSL_CERT_FILE"]  # Debian's curl reads no other
        digest = images(layout)["e2e/agnhost"].partition("@")[2]
        words = {old: new.replace(TAG, digest) for old, new in SUBSTITUTIONS.items()}
        super().__init__(copied(layout), environment, layout.resolver, words)
        self.layout = layout

    def run(self, block: str, given: str = "") -> subprocess.CompletedProcess[str]:
        if block.startswith(AFTER_INIT):
            self._close_network()
        return super().run(block, given)

    def _close_network(self) -> None:
        """The settings of the lab's closed network, in the file that `vds init` wrote."""
        file = self.folder / f"Pulumi.{STACK}.yaml"
        content = yaml.safe_load(file.read_text())
        labs = yaml.safe_load(self._lab_stack_file.read_text())["config"][SPEC]
        for path in CLOSED_NETWORK:
            _take(path.split("."), labs, content["config"][SPEC])
        labs_nodes = {node["name"]: node for node in labs["nodes"]}
        for node in content["config"][SPEC]["nodes"]:
            for setting in NODE_SETTINGS:
                _take([setting], labs_nodes[node["name"]], node)
        file.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True))

    def took(self, first: str, last: str) -> float:
        """Seconds of all blocks from one to another, by how they begin."""
        names = list(self.seconds)
        [begin], [end] = ([n for n, name in enumerate(names) if name.startswith(word)] for word in (first, last))
        return sum(self.seconds[name] for name in names[begin : end + 1])


def _take(path: list[str], source: dict[str, Any], target: dict[str, Any]) -> None:
    *above, last = path
    for step in above:
        source, target = source[step], target[step]
    if last in source:
        target[last] = source[last]
    else:
        target.pop(last, None)


@pytest.fixture(scope="module")
def terminal() -> Iterator[Guide]:
    """Bare machines and the services of a closed network; a lab that runs is taken down before, and this one after."""
    if os.geteuid():
        pytest.fail("the lab tests need root, for network namespaces; run: sudo make guide")
    try:
        assert lab_command("down").returncode == 0
        started = lab_command("start")
        assert started.returncode == 0, started.stderr
        with fabric.inside(OPERATOR):
            yield Guide(Layout())
    finally:
        lab_command("down")


def test_the_guide_ends_with_a_canary_behind_https(terminal: Guide) -> None:
    there = [block for block in blocks() if not block.startswith((AGENCY_BACK, WAY_BACK))]
    printed = {block: terminal.type(block) for block in there}

    def of(word: str) -> str:
        return next(text for block, text in printed.items() if word in block)

    nodes = [line.split() for line in of("kubectl get nodes").splitlines() if " v1." in line]
    assert {line[0]: line[1] for line in nodes} == {node.name: "Ready" for node in NODES}
    counts = {name: int(count) for count, name in re.findall(r"^ *(\d+) (\S+)$", of(REQUESTS), re.M)}
    assert set(counts) == {"web", "web-canary"}
    assert sum(counts.values()) == _REQUESTS
    assert binomial_p(counts["web-canary"], _REQUESTS, 0.1) > SIGNIFICANCE
    print(f"{terminal.took(UP, REQUESTS):6.1f} s  from the first server to the last answer")


def test_the_way_back_leaves_no_stack_and_no_cluster(terminal: Guide) -> None:
    for block in (block for block in blocks() if block.startswith((AGENCY_BACK, WAY_BACK))):
        terminal.type(block)
    state = [file for name in (STACK, "butikk") for file in (terminal.folder / "state").rglob(f"{name}.json")]
    assert state == []
    for node in NODES:
        assert ssh(terminal.layout, node.address, "ls /etc/kubernetes/kubelet.conf 2>/dev/null").stdout == "", node.name
