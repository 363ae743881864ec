"""The commands as a user runs them: a Kubernetes API, SSH servers and node tools of the test's own."""

import json

import pytest
from typer.testing import CliRunner

from components.network.model import Calico
from tests.support.api import kubeconfig, pod, serving
from tests.support.node_tools import CRICTL, NSENTER
from tests.support.sshd import listening
from tests.support.stacks import host_key, stack
from tests.support.tools import Tools
from vds.inspect import command
from vds.inspect.parse import calico_interface
from vds.shared.errors import OperationError
from vds.shared.stack import Opened

NODES = {"osl-cp-1": "127.0.0.1", "osl-w-1": "127.0.0.2", "osl-w-2": "127.0.0.3"}
PODS = [
    pod("butikk", "api-6d5f", "osl-w-1"),
    pod("butikk", "elsewhere", "hel-9"),
    pod("kube-system", "proxy", "osl-cp-1", address="127.0.0.1", host_network=True),
]
IP = """
case "$*" in
"-j address show") echo '[{"ifname": "eth0", "mtu": 1450, "operstate": "UP", \
"addr_info": [{"local": "10.244.1.7", "prefixlen": 32}]}]' ;;
"-j route show") echo '[{"dst": "default", "gateway": "10.244.1.1", "dev": "eth0", "flags": [], \
"metrics": [{"mtu": 1450}]}]' ;;
"-o route show default") echo 'default via 10.244.1.1 dev eth0' ;;
"-o link show") echo '2: eth0@if3: <UP>' ;;
esac
"""
FLOW = {"l3": {"src": "10.244.1.7", "dst": "10.244.2.9"}, "l4": {"src": "40000", "dst": "5432"}, "tcp": "TCP"}
EVENT = {"type": "drop", "reason": "Policy denied", "srcLabel": 7, "dstLabel": 9, "summary": FLOW}
MONITOR = f"""
case "$*" in
monitor*) echo 'Press Ctrl-C to quit' >&2; echo 'CPU 00: Lost 3 events'; echo '{json.dumps(EVENT)}' ;;
"status --verbose") echo 'KVStore: Ok' ;;
"status -o json") echo '{{"cilium": {{"state": "Ok"}}}}' ;;
esac
"""
TCPDUMP = """
echo 'listening on eth0' >&2
case "$*" in *" -w "*) printf 'pcap\\000\\377bytes' ;; *) echo 'IP one'; echo 'IP two' ;; esac
echo '2 packets captured' >&2
"""


class Platform:
    """A stack whose nodes are SSH servers of this test."""

    def __init__(self, tools, servers, monkeypatch):
        self.tools, self.monkeypatch = tools, monkeypatch
        spec = stack("lab")
        nodes = tuple(
            node.model_copy(update={"address": NODES[node.name], "host_key": servers.host_key}) for node in spec.nodes
        )
        self.spec = spec.model_copy(update={"nodes": nodes, "ssh": spec.ssh.model_copy(update={"port": servers.port})})
        self.key = servers.private_key

    def change(self, **parts):
        self.spec = self.spec.model_copy(update=parts)

    def inspect(self, *words):
        with serving(PODS) as url:
            opened = Opened("lab", self.spec, self.key, kubeconfig(url))
            self.monkeypatch.setattr(command, "open_stack", lambda *_, **_options: opened)
            done = CliRunner().invoke(command.app, [words[0], "-s", "lab", *words[1:]])
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    def refused(self, *words):
        with pytest.raises(OperationError) as caught:
            self.inspect(*words)
        return str(caught.value)


@pytest.fixture
def platform(tmp_path, monkeypatch):
    tools = Tools(tmp_path / "bin")
    for name, shell in {
        "crictl": CRICTL,
        "nsenter": NSENTER,
        "ip": IP,
        "tcpdump": TCPDUMP,
        "cilium-dbg": MONITOR,
        "id": "echo 0",
    }.items():
        tools.add(name, shell)
    with listening(list(NODES.values()), f"{tools.folder}:/usr/bin:/bin") as servers:
        yield Platform(tools, servers, monkeypatch)


def test_routes_are_shown_with_the_node_that_was_picked(platform):
    done = platform.inspect("routes", "butikk/api-6d5f")
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "eth0  mtu 1450  up  10.244.1.7/32",
        "default via 10.244.1.1 dev eth0 mtu 1450",
    ]
    assert done.stderr == "pod butikk/api-6d5f on node osl-w-1\n"


def test_a_pod_without_a_default_route_is_a_finding(platform):
    platform.tools.add("ip", "echo '[]'")
    done = platform.inspect("routes", "butikk/api-6d5f", "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout) == {
        "pod": "butikk/api-6d5f",
        "node": "osl-w-1",
        "address": "10.244.1.7",
        "hostNetwork": False,
        "addresses": [],
        "routes": [],
    }
    assert "has no default route" in done.stderr


def test_a_pod_in_its_nodes_network_says_whose_network_is_seen(platform):
    done = platform.inspect("routes", "kube-system/proxy")
    assert "it uses its node's network (hostNetwork)" in done.stderr


def test_a_pod_on_a_node_of_another_stack_is_refused(platform):
    message = platform.refused("routes", "butikk/elsewhere")
    assert (
        "pod butikk/elsewhere runs on node hel-9, which is not in stack lab, which has osl-cp-1, osl-w-1, osl-w-2"
        in message
    )


def test_a_capture_prints_packets_and_hands_the_filter_on(platform):
    done = platform.inspect("capture", "butikk/api-6d5f", "--packets", "2", "--", "port", "53 or port 80")
    assert (done.exit_code, done.stdout) == (0, "IP one\nIP two\n")
    assert platform.tools.words("tcpdump")[0][-3:] == ["--", "port", "53 or port 80"]


def test_a_capture_is_written_byte_by_byte_for_its_owner_alone(platform, tmp_path):
    file = tmp_path / "api.pcap"
    done = platform.inspect("capture", "butikk/api-6d5f", "--write", str(file), "--json")
    assert file.read_bytes() == b"pcap\0\xffbytes"
    assert file.stat().st_mode & 0o777 == 0o600
    assert json.loads(done.stdout)["packets"] == 2
    assert "exists: name a new file" in platform.refused("capture", "butikk/api-6d5f", "--write", str(file))


def test_a_capture_without_packets_is_a_finding(platform):
    platform.tools.add("tcpdump", "echo '0 packets captured' >&2")
    done = platform.inspect("capture", "butikk/api-6d5f", "--seconds", "1")
    assert done.exit_code == 1
    assert "no packet in 1 s" in done.stderr


def test_a_filter_that_tcpdump_refuses_is_an_error_and_leaves_no_file(platform, tmp_path):
    platform.tools.add("tcpdump", "echo 'tcpdump: syntax error' >&2; exit 1")
    file = tmp_path / "api.pcap"
    assert "tcpdump: syntax error" in platform.refused("capture", "butikk/api-6d5f", "--write", str(file))
    assert not file.exists()


def test_a_node_without_its_tools_is_refused_with_what_to_install(platform):
    (platform.tools.folder / "crictl").unlink()
    message = platform.refused("routes", "butikk/api-6d5f")
    assert message.startswith("node osl-w-1 lacks crictl (of cri-tools")


def test_drops_of_all_nodes_are_a_finding_and_lost_events_are_told(platform):
    done = platform.inspect("drops", "--seconds", "1")
    assert done.exit_code == 1
    assert sorted(done.stdout.splitlines()) == [
        f"{node}  10.244.1.7:40000 -> 10.244.2.9:5432 tcp: Policy denied (identity 7->9)" for node in NODES
    ]
    assert "osl-cp-1  CPU 00: Lost 3 events" in done.stderr


def test_drops_of_a_pod_are_those_of_its_address_on_its_node(platform):
    done = platform.inspect("drops", "--pod", "kube-system/proxy", "--seconds", "1", "--json")
    assert (done.exit_code, json.loads(done.stdout)) == (0, {"seconds": 1, "nodes": ["osl-cp-1"], "drops": []})
    done = platform.inspect("drops", "--pod", "butikk/api-6d5f", "--seconds", "1", "--json")
    [seen] = json.loads(done.stdout)["drops"]
    assert (done.exit_code, seen["node"], seen["reason"]) == (1, "osl-w-1", "Policy denied")


def test_a_monitor_that_fails_is_never_a_look_without_drops(platform):
    platform.tools.add("cilium-dbg", "echo 'time=1 level=error msg=\"Cannot open monitor socket\"'")
    assert "Cannot open monitor socket" in platform.refused("drops", "--node", "osl-cp-1", "--seconds", "1")


def test_calicos_drops_are_what_its_rules_counted_meanwhile(platform):
    calico = Calico(kind="calico", version="3.31.0", install={"kind": "helm"})
    platform.change(cni=calico)
    chain = f"cali-tw-{calico_interface('butikk', 'api-6d5f')}"
    rule = f'-A {chain} -m comment --comment "cali:x" -m comment --comment "Drop if no profiles matched" -j DROP'
    count = f"cat '{platform.tools.folder}/n' 2>/dev/null || echo 0"
    platform.tools.add(
        "iptables-save", f"n=$({count}); echo $((n + 2)) >'{platform.tools.folder}/n'; echo \"[$n:0] \"'{rule}'"
    )
    done = platform.inspect("drops", "--pod", "butikk/api-6d5f", "--seconds", "1")
    assert (done.exit_code, done.stdout) == (1, f"osl-w-1  2 packets in {chain}: Drop if no profiles matched\n")


def test_calicos_bpf_programs_are_refused_with_what_shows_their_counters(platform):
    platform.change(cni=Calico(kind="calico", version="3.31.0", install={"kind": "helm"}, dataplane="BPF"))
    assert "calico-node -bpf counters dump" in platform.refused("drops")


def test_agents_that_are_well_end_with_zero(platform):
    done = platform.inspect("cni")
    assert done.exit_code == 0
    assert done.stdout.splitlines()[:2] == ["osl-cp-1  cilium: ready", "KVStore: Ok"]
    answers = json.loads(platform.inspect("cni", "--json").stdout)
    assert {node: answer["ready"] for node, answer in answers.items()} == dict.fromkeys(NODES, True)
    assert answers["osl-cp-1"]["status"] == {"cilium": {"state": "Ok"}}


def test_an_agent_that_is_not_well_is_a_finding_in_both_forms(platform):
    platform.tools.add("cilium-dbg", 'case "$*" in *json) echo \'{"cilium": {"state": "Failure"}}\';; *) exit 1;; esac')
    done = platform.inspect("cni", "--node", "osl-w-2")
    assert (done.exit_code, done.stdout.splitlines()[0]) == (1, "osl-w-2  cilium: NOT READY")
    done = platform.inspect("cni", "--node", "osl-w-2", "--json")
    assert (done.exit_code, json.loads(done.stdout)["osl-w-2"]["ready"]) == (1, False)


def test_an_unknown_node_is_refused_with_those_there_are(platform):
    assert "node osl-4 is not in stack lab, which has osl-cp-1, osl-w-1, osl-w-2" in platform.refused(
        "cni", "--node", "osl-4"
    )


def test_a_node_with_another_host_key_is_not_asked_and_hides_no_other(platform):
    nodes = list(platform.spec.nodes)
    nodes[1] = nodes[1].model_copy(update={"host_key": host_key("another")})
    platform.change(nodes=tuple(nodes))
    message = platform.refused("drops", "--seconds", "4")
    assert message.startswith("node osl-w-1: 127.0.0.2 port ")
    assert "another host key than the stack file" in message
    assert len([words for words in platform.tools.words("cilium-dbg") if words[0] == "monitor"]) == 2


def test_a_key_that_is_none_is_not_repeated(platform):
    platform.key = "a secret"
    message = platform.refused("routes", "butikk/api-6d5f")
    assert "vds-platform:sshPrivateKey is not an unencrypted SSH private key" in message
    assert "a secret" not in message


def test_a_node_and_a_pod_at_once_are_refused(platform):
    assert "leave out --node" in platform.refused("drops", "--node", "osl-cp-1", "--pod", "butikk/api-6d5f")
