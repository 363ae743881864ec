"""`vds metallb import`: the ConfigMap of MetalLB 0.12 as the stack file's `metallb`, and as objects of today."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.pools.model import MetalLbSpec
from tests.support.modules import METALLB, pinned
from tests.support.schemas import crd_errors
from vds.main import run

# The ConfigMap of an article of 2022, indented as it was meant.
LAYER_2 = """\
apiVersion: v1
kind: ConfigMap
metadata:
  namespace: metallb-system
  name: config
data:
  config: |
    address-pools:
    - name: default
      protocol: layer2
      addresses:
      - 192.0.2.10-192.0.2.20
"""
BGP = """\
peers:
- peer-address: 192.0.2.1
  peer-asn: 64512
  my-asn: 64512
  peer-port: 1179
  hold-time: 1m30s
  keepalive-time: 30s
  password: hunter2-hunter2
  bfd-profile: Fast_One
  ebgp-multihop: false
  node-selectors:
  - match-labels: {rack: a}
    match-expressions:
    - {key: gpu, operator: DoesNotExist}
- peer-address: 192.0.2.2
  peer-asn: 64512
  my-asn: 64512
address-pools:
- name: routed
  protocol: bgp
  addresses: [203.0.113.0/24]
  avoid-buggy-ips: true
  auto-assign: false
  bgp-advertisements:
  - aggregation-length: 24
  - localpref: 200
    communities: [64512:7, no-advertise]
bgp-communities:
  no-advertise: 65535:65282
bfd-profiles:
- name: Fast_One
  receive-interval: 100
  echo-mode: true
"""


class Ran:
    """What the command did with a file."""

    def __init__(self, capsys: pytest.CaptureFixture[str], file: Path, text: str, *options: str) -> None:
        file.write_text(text, encoding="utf-8")
        self.code = run(["metallb", "import", *options, str(file)])
        self.out, self.err = capsys.readouterr()

    @property
    def metallb(self) -> Any:
        """The document on standard output."""
        return yaml.safe_load(self.out)["metallb"]


@pytest.fixture
def imported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    return lambda text, *options: Ran(capsys, tmp_path / "config.yaml", text, *options)


def test_an_old_layer_2_pool_gets_an_advertisement(imported: Any) -> None:
    ran = imported(LAYER_2)
    assert ran.code == 0
    assert ran.metallb["pools"] == [
        {"name": "default", "addresses": ["192.0.2.10-192.0.2.20"], "advertisement": {"kind": "l2"}}
    ]
    assert MetalLbSpec.model_validate(ran.metallb).install.kind == "helm"


def test_what_means_something_else_today_is_said_with_its_line(imported: Any) -> None:
    ran = imported(LAYER_2)
    said = ran.err.splitlines()
    assert [line.startswith("changed: ") and "config.yaml:8 address-pools: " in line for line in said] == [True] * 2
    assert "nodes with the profile edge" in said[0]
    assert "metallb.io/address-pool" in said[1]


def test_sessions_routes_and_bfd_are_taken_over(imported: Any) -> None:
    ran = imported(BGP)
    assert ran.code == 0
    first, second = ran.metallb["peers"]
    assert first == {
        "name": "peer1",
        "address": "192.0.2.1",
        "peerAsn": 64512,
        "myAsn": 64512,
        "holdSeconds": 90,
        "keepaliveSeconds": 30,
        "port": 1179,
        "bfdProfile": "fast-one",
        "nodeSelectors": [
            {"matchLabels": {"rack": "a"}, "matchExpressions": [{"key": "gpu", "operator": "DoesNotExist"}]}
        ],
        "passwordSecret": "peer1-password",
    }
    assert second["name"] == "peer2"
    (pool,) = ran.metallb["pools"]
    assert (pool["avoidBuggyIps"], pool["autoAssign"]) == (True, False)
    assert pool["advertisement"] == {
        "kind": "bgp",
        "peers": ["peer1", "peer2"],
        "routes": [
            {"aggregationLength": 24},
            {"communities": ["64512:7", "65535:65282"], "localPreference": 200},
        ],
    }
    assert ran.metallb["bfdProfiles"] == [{"name": "fast-one", "receiveMilliseconds": 100, "echoMilliseconds": 50}]


@pytest.mark.parametrize("options", [(), ("--json",), ("--output", "manifests")])
@pytest.mark.parametrize("text", [BGP, BGP.replace("hunter2-hunter2", "[hunter2-hunter2]")])
def test_a_password_is_never_repeated(imported: Any, text: str, options: tuple[str, ...]) -> None:
    ran = imported(text, *options)
    assert "hunter2" not in ran.out + ran.err
    assert "password" in ran.out + ran.err


def test_objects_fit_the_crds_of_the_pinned_release(imported: Any) -> None:
    ran = imported(BGP, "--output", "manifests")
    made = list(yaml.safe_load_all(ran.out))
    kinds = ["BFDProfile", "BGPPeer", "BGPPeer", "IPAddressPool", "BGPAdvertisement", "BGPAdvertisement"]
    assert [item["kind"] for item in made] == kinds
    assert [error for item in made for error in crd_errors(item, METALLB, pinned("metallb"))] == []


def test_helm_values_and_the_text_itself_are_read_too(imported: Any) -> None:
    inner = yaml.safe_load(LAYER_2)["data"]["config"]
    indented = "".join(f"  {line}\n" for line in inner.splitlines())
    assert imported(inner).metallb == imported(f"configInline:\n{indented}").metallb == imported(LAYER_2).metallb


def test_standard_input_is_read(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(LAYER_2.encode())))
    assert run(["metallb", "import", "-"]) == 0
    assert "standard input:8" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (LAYER_2.replace("layer2", "l2"), "config.yaml:10 address-pools[default].protocol: 'l2' is not one of the"),
        (LAYER_2.replace("      protocol: layer2\n", ""), "config.yaml:9 address-pools[default].protocol: is missing"),
        (
            LAYER_2.replace("protocol", "protocl"),
            "config.yaml:10 address-pools[default].protocl: is not a setting here",
        ),
        (
            LAYER_2.replace("192.0.2.10-192.0.2.20", "185.xxx.xxx.10-185.xxx.xxx.20"),
            "config.yaml:12 pool 'default': '185.xxx.xxx.10-185.xxx.xxx.20' is no range and no network: write a range",
        ),
        (BGP.replace("no-advertise]", "no-advertize]"), "bgp-communities has no 'no-advertize': did you mean"),
        (BGP.replace("1m30s", "90 seconds"), "config.yaml:6 peer 'peer1': '90 seconds' is no duration: write seconds"),
        (BGP.replace("1m30s", "1s"), "config.yaml:2 peer 'peer1' holdSeconds: '1' is out of range"),
        (BGP.replace("[203.0.113.0/24]", "[203.0.113.0/24, 203.0.113.9/32]"), "overlaps 203.0.113.0/24 of pool"),
        (BGP[BGP.index("address-pools") :], "a pool is announced by BGP, and there are no peers"),
    ],
)
def test_what_cannot_be_taken_over_is_said(imported: Any, wrong: str, says: str) -> None:
    ran = imported(wrong)
    assert ran.code == 1
    assert says in ran.err


def test_all_mistakes_are_said_at_once(imported: Any) -> None:
    wrong = BGP.replace("1m30s", "soon").replace("[203.0.113.0/24]", "[203.0.113]").replace("65535:65282", "x")
    ran = imported(wrong)
    assert len([line for line in ran.err.splitlines() if line.startswith("error: ")]) == 3


def test_a_local_preference_for_another_as_is_left_out(imported: Any) -> None:
    ran = imported(BGP.replace("peer-asn: 64512", "peer-asn: 64500"))
    assert "localPreference" not in ran.out
    assert "localpref 200 was never sent to peer1, peer2, which is of another AS: it is left out" in ran.err


def test_an_article_whose_indentation_is_lost_is_named_as_such(imported: Any) -> None:
    flat = "\n".join(line.strip() for line in LAYER_2.splitlines())
    ran = imported(flat)
    assert ran.code == 2
    assert "config.yaml:8 address-pools: stands beside kind, and belongs in the text data.config" in ran.err


@pytest.mark.parametrize(
    "text", ["", "a: b\n", "- 1\n", "kind: ConfigMap\ndata: {config: ''}\n", "a: [\n", "a: &b [*b]\n"]
)
def test_another_file_is_refused_without_a_traceback(imported: Any, text: str) -> None:
    ran = imported(text)
    assert ran.code == 2
    assert ran.err.startswith("error: ")


def test_json_has_settings_and_findings(imported: Any) -> None:
    ran = imported(LAYER_2, "--json")
    document = json.loads(ran.out)
    assert document["metallb"]["pools"][0]["name"] == "default"
    assert {one["severity"] for one in document["findings"]} == {"advice"}
    assert {one["line"] for one in document["findings"]} == {8}
