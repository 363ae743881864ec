"""The shell script for one node: variables in front of `inspect.sh`. Pure."""

from collections.abc import Sequence
from pathlib import Path
from shlex import quote

from vds.inspect.pods import RunningPod

_FUNCTIONS = (Path(__file__).parent / "inspect.sh").read_text(encoding="utf-8")
_SLOT = "#: variables\n"


def routes(pod: RunningPod) -> str:
    """Prints addresses, IPv4 routes and IPv6 routes inside a pod: three lines of `ip -j`."""
    return _script("routes", pod.node, namespace=pod.namespace, pod=pod.name)


def capture(
    pod: RunningPod, *, interface: str | None, packets: int, seconds: int, filter_words: Sequence[str], binary: bool
) -> str:
    """Runs tcpdump inside a pod, on the interface of its default route if none is given. `binary` prints a pcap."""
    return _script(
        "capture",
        pod.node,
        filter_words,
        namespace=pod.namespace,
        pod=pod.name,
        interface=interface or "",
        packets=str(packets),
        seconds=str(seconds),
        binary=_word(binary),
    )


def cilium_drops(node: str, *, seconds: int) -> str:
    """Prints Cilium's drops on a node as they happen, a JSON object a line."""
    return _script("cilium_drops", node, seconds=str(seconds))


def calico_drops(node: str, *, dataplane: str, seconds: int) -> str:
    """Prints the node's packet filter with its counters, `# later`, and the same again after `seconds`."""
    return _script("calico_drops", node, dataplane=dataplane, seconds=str(seconds))


def cilium_status(node: str, *, as_json: bool) -> str:
    """Prints what Cilium's agent says of itself."""
    return _script("cilium_status", node, json=_word(as_json))


def cilium_live(node: str) -> str:
    """Prints how Cilium's agent carries packets now: its status as JSON, then its table of MTUs (1.16 or newer)."""
    return _script("cilium_live", node)


def calico_status(node: str, *, bgp: bool) -> str:
    """Asks Calico's agent whether it is ready. BIRD runs only where Calico speaks BGP: else it is never ready."""
    return _script("calico_status", node, bird_ready="-bird-ready" if bgp else "")


def _word(value: bool) -> str:
    return "true" if value else "false"


def _script(action: str, node: str, filter_words: Sequence[str] = (), **facts: str) -> str:
    head = "".join(f"{name}={quote(value)}\n" for name, value in {"action": action, "node": node, **facts}.items())
    words = "".join(f" {quote(word)}" for word in filter_words)
    return _FUNCTIONS.replace(_SLOT, f'{head}filtered() {{\n\t"$@"{words}\n}}\n', 1)
