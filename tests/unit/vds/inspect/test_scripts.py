"""The shell script, run for real with fake tools on the PATH."""

import json
import subprocess

import pytest

from components.network.model import Calico
from tests.support.node_tools import CRICTL, NSENTER
from tests.support.tools import Tools
from vds.inspect.nodes import script, status_script
from vds.inspect.pods import RunningPod

POD = RunningPod("butikk", "api-6d5f", "osl-2", "10.244.1.7", host_network=False)
HOSTILE = """it's "$(touch /tmp/vds-hostile)" `id` ; \\ * -w x"""
IP = """
case "$*" in
"-j address show") echo '[{"ifname": "eth0"}]' ;;
"-j route show") echo '[{"dst": "default"}]' ;;
"-j -6 route show") exit 1 ;;
"-o route show default") echo 'default via 10.244.1.1 dev eth7 mtu 1450' ;;
"-o link show") printf '1: lo: <UP>\\n5: eth7@if6: <UP>\\n' ;;
esac
"""


@pytest.fixture
def tools(tmp_path):
    made = Tools(tmp_path / "bin")
    for name, shell in {"crictl": CRICTL, "nsenter": NSENTER, "ip": IP, "tcpdump": "", "id": "echo 0"}.items():
        made.add(name, shell)
    return made


def run(tools, script):
    # The tools alone, and what a shell needs: a look must not find the machine's own crictl.
    needed = tools.folder.parent / "usr"
    needed.mkdir(exist_ok=True)
    for name in ("timeout", "sed", "head", "grep", "sleep", "sh", "touch"):
        link = needed / name
        if not link.exists():
            link.symlink_to(subprocess.run(["which", name], capture_output=True, text=True).stdout.strip())
    script = script.replace(":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "")
    return subprocess.run(
        ["/bin/sh", "-s"],
        input=script,
        env={"PATH": f"{tools.folder}:{needed}"},
        capture_output=True,
        text=True,
    )


def pod_script(action, pod=POD, **facts):
    return script(action, pod.node, namespace=pod.namespace, pod=pod.name, **facts)


def capture(**changes):
    wanted = {"interface": "", "packets": 20, "seconds": 10, "filter_words": (), "binary": False}
    return pod_script("capture", **{**wanted, **changes})


ALL = {
    "routes": pod_script("routes"),
    "capture": capture(filter_words=[HOSTILE], interface=HOSTILE),
    "cilium drops": script("cilium_drops", HOSTILE, seconds=3),
    "calico drops": script("calico_drops", HOSTILE, dataplane="Nftables", seconds=3),
    "cilium status": script("cilium_status", HOSTILE, json=True),
    "cilium live": script("cilium_live", HOSTILE),
    "calico status": script("calico_status", HOSTILE, bird_ready="-bird-ready"),
}


@pytest.mark.parametrize("name", ALL)
def test_every_script_is_shell(name):
    done = subprocess.run(["sh", "-n"], input=ALL[name], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_routes_are_read_in_the_network_of_the_pods_own_sandbox(tools):
    done = run(tools, pod_script("routes"))
    assert done.returncode == 0, done.stderr
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        [{"ifname": "eth0"}],
        [{"dst": "default"}],
        [],
    ]
    pods, inspect = tools.words("crictl")
    assert "io.kubernetes.pod.namespace=butikk" in pods
    assert "io.kubernetes.pod.name=api-6d5f" in pods
    assert inspect[-1] == "5a4d"
    assert all(words[:3] == ["-t", "4242", "-n"] for words in tools.words("nsenter"))


def test_a_capture_takes_the_interface_of_the_default_route(tools):
    assert run(tools, capture(packets=7)).returncode == 0
    [words] = tools.words("tcpdump")
    assert words == ["-n", "-p", "-i", "eth7", "-c", "7", "-l", "--"]


def test_a_capture_for_a_file_prints_a_pcap(tools):
    run(tools, capture(binary=True, filter_words=["port", "53"]))
    [words] = tools.words("tcpdump")
    assert words[6:] == ["-U", "-w", "-", "--", "port", "53"]


def test_hostile_words_stay_words_and_no_options(tools):
    pod = POD._replace(namespace=HOSTILE, name=HOSTILE)
    done = run(tools, capture(pod=pod, interface="any", filter_words=[HOSTILE, "-w", "two words"]))
    assert done.returncode == 0, done.stderr
    [words] = tools.words("tcpdump")
    assert words[words.index("--") + 1 :] == [HOSTILE, "-w", "two words"]
    assert f"io.kubernetes.pod.name={HOSTILE}" in tools.words("crictl")[0]
    assert tools.words("touch") == []


def test_an_interface_that_the_pod_lacks_is_refused_with_those_it_has(tools):
    done = run(tools, capture(interface="eth0"))
    assert done.returncode == 3
    assert "node osl-2 has no interface 'eth0' in pod butikk/api-6d5f: there are lo eth7" in done.stderr
    assert tools.words("tcpdump") == []


def test_a_capture_ends_in_time_and_that_is_no_failure(tools):
    tools.add("tcpdump", "exec sleep 20")
    assert run(tools, capture(seconds=1)).returncode == 0


def test_a_filter_that_tcpdump_refuses_is_a_failure(tools):
    tools.add("tcpdump", "echo 'tcpdump: syntax error' >&2; exit 1")
    done = run(tools, capture(filter_words=["nonsense"]))
    assert (done.returncode, done.stderr) == (1, "tcpdump: syntax error\n")


def test_all_missing_tools_are_named_at_once_with_their_packages(tools):
    for name in ("crictl", "tcpdump"):
        (tools.folder / name).unlink()
    done = run(tools, capture())
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert "node osl-2 lacks crictl (of cri-tools" in done.stderr
    assert "tcpdump (of tcpdump)" in done.stderr


def test_a_pod_without_a_sandbox_is_said(tools):
    tools.add("crictl", "")
    done = run(tools, pod_script("routes"))
    assert done.returncode == 3
    assert "no ready sandbox of pod butikk/api-6d5f" in done.stderr


def test_a_runtime_that_does_not_answer_is_said_with_its_words(tools):
    tools.add("crictl", "echo 'no runtime endpoint' >&2; exit 1")
    done = run(tools, pod_script("routes"))
    assert done.returncode == 3
    assert done.stderr.startswith("no runtime endpoint\nnode osl-2 has a crictl that gets no answer")


def test_a_pod_in_a_virtual_machine_is_said(tools):
    tools.add("crictl", "[ $1 = pods ] && echo 5a4d || echo 0")
    done = run(tools, pod_script("routes"))
    assert done.returncode == 3
    assert "pods in virtual machines can't be entered" in done.stderr


def test_another_user_than_root_is_refused(tools):
    tools.add("id", '[ "$1" = -u ] && echo 1000 || echo ola')
    done = run(tools, pod_script("routes"))
    assert done.returncode == 3
    assert "lets us in as ola" in done.stderr


MONITOR = """
case "$1" in
monitor) echo '{"type":"drop"}'; exec sleep 20 ;;
esac
"""


def test_drops_are_seen_by_the_agents_own_tool_in_its_container(tools):
    tools.add("cilium-dbg", MONITOR)
    done = run(tools, script("cilium_drops", "osl-2", seconds=1))
    assert (done.returncode, done.stdout) == (0, '{"type":"drop"}\n'), done.stderr
    assert "io.kubernetes.container.name=cilium-agent" in tools.words("crictl")[0]
    assert [words[:2] for words in tools.words("crictl")[1:]] == [["exec", "c0ffee"]] * 2
    assert tools.words("cilium-dbg")[-1] == ["monitor", "--type", "drop", "--json"]


def test_drops_are_seen_on_the_node_where_the_agent_is_no_container(tools):
    (tools.folder / "crictl").unlink()
    tools.add("cilium-dbg", MONITOR)
    done = run(tools, script("cilium_drops", "osl-2", seconds=1))
    assert (done.returncode, done.stdout) == (0, '{"type":"drop"}\n'), done.stderr


def test_an_agent_that_is_down_is_never_a_look_without_drops(tools):
    tools.add("cilium-dbg", '[ "$1" != status ]')  # the monitor itself ends with 0 where there is no agent
    done = run(tools, script("cilium_drops", "osl-2", seconds=1))
    assert done.returncode == 3
    assert "does not answer: see `vds inspect cni --node osl-2`" in done.stderr


def test_a_node_without_an_agent_is_said(tools):
    tools.add("crictl", "")
    done = run(tools, script("cilium_status", "osl-2", json=False))
    assert done.returncode == 3
    assert "runs no container cilium-agent" in done.stderr


def test_an_agent_that_is_not_well_ends_with_one(tools):
    tools.add("cilium-dbg", "echo 'Cilium: Failure'; exit 9")
    done = run(tools, script("cilium_status", "osl-2", json=False))
    assert (done.returncode, done.stdout) == (1, "Cilium: Failure\n")
    assert tools.words("cilium-dbg") == [["status", "--verbose"]]


def test_an_agents_live_data_path_is_its_status_and_its_table_of_mtus(tools):
    tools.add("cilium-dbg", 'echo "$*"')
    done = run(tools, script("cilium_live", "osl-2"))
    assert (done.returncode, done.stdout) == (0, "status -o json\n\nshell -- db/show mtu\n")
    tools.add("cilium-dbg", '[ "$1" = status ]')
    assert run(tools, script("cilium_live", "osl-2")).returncode == 1


@pytest.mark.parametrize(
    ("dataplane", "tool", "words"),
    [("Iptables", "iptables-save", ["-c"]), ("Nftables", "nft", ["list", "table", "ip", "calico"])],
)
def test_calicos_counters_are_read_before_and_after(tools, dataplane, tool, words):
    tools.add(tool, "echo counters")
    done = run(tools, script("calico_drops", "osl-2", dataplane=dataplane, seconds=1))
    assert (done.returncode, done.stdout) == (0, "counters\n# later\ncounters\n"), done.stderr
    assert tools.words(tool) == [words, words]


@pytest.mark.parametrize(("bgp", "words"), [(False, ["-felix-ready"]), (True, ["-felix-ready", "-bird-ready"])])
def test_bird_is_asked_only_where_calico_speaks_bgp(tools, bgp, words):
    tools.add("calico-node", "exit 1")
    assert run(tools, status_script("osl-2", Calico.model_construct(bgp=bgp), as_json=False)).returncode == 1
    assert tools.words("calico-node") == [words]
