"""What is seen of one node, and whether it is as it must be: a function a check, over facts, without a clock."""

from collections.abc import Callable, Sequence
from statistics import median
from typing import NamedTuple

from components.core.versions import version_tuple
from components.nodes.model import NodeRequirements, NodeSpec
from components.nodes.preflight import limits
from components.nodes.preflight.facts import Fact, Survey


class Seen(NamedTuple):
    """What a check saw, before it is weighed."""

    measured: str
    good: bool = True
    limit: str = ""


class Unsaid(Exception):  # noqa: N818  (no error: a fact that is not there)
    """The fact was not to be had; the text says why."""


Judge = Callable[[Survey, NodeSpec, Sequence[Survey], NodeRequirements], Seen]
"""A node's facts, the node, all nodes' facts, what the cluster demands → what was seen. Raises Unsaid."""


def _said(survey: Survey, name: str) -> Fact:
    fact = survey.get(name)
    if "unknown" in fact:
        raise Unsaid(str(fact["unknown"]))
    return fact


def _survey(survey: Survey, _: NodeSpec, __: Sequence[Survey], ___: NodeRequirements) -> Seen:
    return Seen(survey.unread or "answered", not survey.unread)


def _kernel(survey: Survey, _: NodeSpec, __: Sequence[Survey], demands: NodeRequirements) -> Seen:
    release = str(_said(survey, "kernel")["release"])
    numbers = release.split("-")[0].split("+")[0].split(".")[:2]
    good = tuple(int(number) for number in numbers) >= version_tuple(demands.kernel_floor)
    return Seen(release, good, f"{demands.kernel_floor} for {demands.kernel_reason}")


def _bpf(survey: Survey, _: NodeSpec, __: Sequence[Survey], demands: NodeRequirements) -> Seen:
    kernel = _said(survey, "kernel")
    if demands.service_proxy != "ebpf":
        return Seen("not needed: kube-proxy carries Services")
    if not kernel["options"]:
        raise Unsaid("the kernel does not publish its configuration")
    missing = sorted(name for name, value in kernel["options"].items() if value not in ("y", "m"))
    btf = "BTF" if kernel["btf"] else "no BTF"
    if missing:
        return Seen(f"without {', '.join('CONFIG_' + name for name in missing)}", good=False, limit="all of them")
    return Seen(f"complete, {btf}")


def _cpus(survey: Survey, node: NodeSpec, _: Sequence[Survey], __: NodeRequirements) -> Seen:
    count = int(_said(survey, "system")["cpus"])
    if "control-plane" not in node.roles:
        return Seen(f"{count}, {_said(survey, 'system')['name']}")
    return Seen(f"{count}", count >= limits.CONTROL_PLANE_CPUS, f"{limits.CONTROL_PLANE_CPUS}")


def _memory(survey: Survey, node: NodeSpec, _: Sequence[Survey], __: NodeRequirements) -> Seen:
    size = int(_said(survey, "memory")["bytes"]) // 2**20
    if "control-plane" not in node.roles:
        return Seen(f"{size} MiB")
    return Seen(f"{size} MiB", size >= limits.CONTROL_PLANE_MEMORY_MIB, f"{limits.CONTROL_PLANE_MEMORY_MIB} MiB")


def _cgroup(survey: Survey, _: NodeSpec, __: Sequence[Survey], demands: NodeRequirements) -> Seen:
    version = int(_said(survey, "cgroup")["version"])
    late = version_tuple(demands.kubernetes) >= version_tuple(limits.CGROUP_V2_SINCE)
    needed = late and not demands.cgroup_v1
    return Seen(f"{version}", version == 2 or not needed, f"2 for Kubernetes {demands.kubernetes}" if needed else "")


def _swap(survey: Survey, _: NodeSpec, __: Sequence[Survey], ___: NodeRequirements) -> Seen:
    size = int(_said(survey, "memory")["swap_bytes"]) // 2**20
    return Seen(f"{size} MiB" if size else "none", not size, "none")


def _time_sync(survey: Survey, _: NodeSpec, __: Sequence[Survey], ___: NodeRequirements) -> Seen:
    good = bool(_said(survey, "time_sync")["synchronised"])
    return Seen("synchronised" if good else "the kernel's clock is not synchronised", good)


def _clock(survey: Survey, _: NodeSpec, fleet: Sequence[Survey], __: NodeRequirements) -> Seen:
    others = [other.clock_offset for other in fleet if other.node != survey.node] or [0.0]
    offset = round(survey.clock_offset - median(others), 1) + 0.0  # no minus before a zero
    return Seen(f"{offset:+.1f} s", abs(offset) <= limits.CLOCK_SECONDS, f"{limits.CLOCK_SECONDS} s either way")


def steal_percent(before: Sequence[int], after: Sequence[int]) -> float:
    """The share of processor time that others took, of /proc/stat's first line.

    Raises Unsaid where a counter ran backwards, which some kernels do: an average of that is no measurement.
    """
    passed = [new - old for old, new in zip(before, after, strict=True)][:8]  # the two after it are in `user`
    if any(difference < 0 for difference in passed):
        raise Unsaid("the kernel's counters ran backwards in the window: measure again")
    if not sum(passed):
        raise Unsaid("no processor time passed in the window: measure longer")
    return 100 * passed[7] / sum(passed)


def _steal(survey: Survey, _: NodeSpec, __: Sequence[Survey], ___: NodeRequirements) -> Seen:
    window = _said(survey, "window")
    share = steal_percent(window["before"]["cpu"], window["after"]["cpu"])
    return Seen(f"{share:.2f} % in {window['seconds']:g} s", share <= limits.STEAL_PERCENT, f"{limits.STEAL_PERCENT} %")


def _etcd_disk(survey: Survey, node: NodeSpec, _: Sequence[Survey], __: NodeRequirements) -> Seen:
    fact = _said(survey, "disk")
    carries_etcd, limit = "control-plane" in node.roles, f"{limits.ETCD_SYNC_MILLISECONDS} ms"
    place = f"on {fact['filesystem']} at {fact['folder']}"
    if "slow" in fact:
        return Seen(f"not to be had {place}: {fact['slow']}", not carries_etcd, limit if carries_etcd else "")
    delay = fact["p99_ns"] / 1e6
    if carries_etcd:
        return Seen(f"{delay:.2f} ms {place}", delay <= limits.ETCD_SYNC_MILLISECONDS, limit)
    slow = "" if delay <= limits.NVME_SYNC_MILLISECONDS else ", slower than NVMe"
    return Seen(f"{delay:.2f} ms {place}{slow}")


def _nic_speed(survey: Survey, _: NodeSpec, __: Sequence[Survey], ___: NodeRequirements) -> Seen:
    link = _said(survey, "link")
    speed = f"{link['speed_mbit']} Mbit/s" if link["speed_mbit"] else "not said by the driver"
    return Seen(f"{link['interface']} {speed}, MTU {link['mtu']}, driver {link['driver'] or 'none'}")


def _nic_drops(survey: Survey, _: NodeSpec, __: Sequence[Survey], ___: NodeRequirements) -> Seen:
    window = _said(survey, "window")
    before, after = window["before"]["nic"], window["after"]["nic"]
    names = [name for name in after if name != "rx_packets" and before.get(name) is not None]
    dropped = sum(max(0, after[name] - before[name]) for name in names)
    return Seen(f"{dropped} in {window['seconds']:g} s, {sum(after[name] for name in names)} since boot", not dropped)


def _nic_ring(survey: Survey, _: NodeSpec, __: Sequence[Survey], ___: NodeRequirements) -> Seen:
    ring = _said(survey, "link")["ring"]
    if ring is None:
        raise Unsaid("the driver shows no ring (or ethtool is not installed)")
    return Seen(f"{ring['rx']}", ring["rx"] >= ring["rx_max"], f"{ring['rx_max']}")


def _softnet(survey: Survey, _: NodeSpec, __: Sequence[Survey], ___: NodeRequirements) -> Seen:
    window = _said(survey, "window")
    dropped = window["after"]["softnet"]["dropped"] - window["before"]["softnet"]["dropped"]
    return Seen(f"{dropped} in {window['seconds']:g} s", dropped <= 0)


def _conntrack(survey: Survey, _: NodeSpec, __: Sequence[Survey], ___: NodeRequirements) -> Seen:
    fact = _said(survey, "conntrack")
    if not fact["max"]:  # so the kernel writes "as many as there is memory for"
        return Seen(f"{fact['count']}, no limit")
    share = 100 * fact["count"] / fact["max"]
    return Seen(
        f"{fact['count']} of {fact['max']} ({share:.0f} %)",
        share <= limits.CONNTRACK_PERCENT,
        f"{limits.CONNTRACK_PERCENT} %",
    )


def _path_mtu(survey: Survey, _: NodeSpec, __: Sequence[Survey], demands: NodeRequirements) -> Seen:
    fact = _said(survey, "paths")
    peers = _peers(fact["peers"])
    limit = f"{demands.underlay_mtu}"
    short = {name: path["mtu"] for name, path in peers.items() if (path["mtu"] or 0) < demands.underlay_mtu}
    if short:
        said = ", ".join(f"{name}: {mtu or 'no answer to a DF ping'}" for name, mtu in sorted(short.items()))
        return Seen(f"to {said}", good=False, limit=limit)
    least = min(path["mtu"] for path in peers.values())
    spare = f"; every path carries {least}" if least > demands.underlay_mtu else ""
    return Seen(f"{least} to all {len(peers)} others{spare}", limit=limit)


def _round_trip(survey: Survey, _: NodeSpec, __: Sequence[Survey], ___: NodeRequirements) -> Seen:
    peers = _peers(_said(survey, "paths")["peers"])
    delays = {name: path["milliseconds"] for name, path in peers.items() if path["milliseconds"] is not None}
    if not delays:
        raise Unsaid("no other node answers a ping")
    worst = max(delays, key=lambda name: delays[name])
    bound = limits.NODE_ROUND_TRIP_MILLISECONDS
    return Seen(f"{delays[worst]:.2f} ms at most ({worst})", delays[worst] <= bound, f"{bound} ms")


def _references(survey: Survey, _: NodeSpec, __: Sequence[Survey], demands: NodeRequirements) -> Seen:
    points = {point.name: point.max_milliseconds for point in demands.preflight.reference_points}
    if not points:
        raise Unsaid("no reference points: name some in preflight.referencePoints")
    found = {name: _said(survey, "references")["points"].get(name, {}).get("milliseconds") for name in points}
    said = ", ".join(f"{name} {'no answer' if delay is None else f'{delay:.2f} ms'}" for name, delay in found.items())
    good = all(delay is not None and delay <= points[name] for name, delay in found.items())
    return Seen(said, good, ", ".join(f"{name} {bound:g} ms" for name, bound in points.items()))


def _segment(survey: Survey, _: NodeSpec, fleet: Sequence[Survey], demands: NodeRequirements) -> Seen:
    peers = _peers(_said(survey, "paths")["peers"])
    macs = {other.node: mac for other in fleet if (mac := other.get("link").get("mac"))}
    known = _peers({name: path for name, path in peers.items() if name in macs})
    apart = sorted(name for name, path in known.items() if path["mac"] != macs[name])
    needed = f"needed by {demands.same_segment}" if demands.same_segment else ""
    if apart:
        return Seen(f"not shared with {', '.join(apart)}", good=not needed, limit=needed)
    return Seen(f"shared with all {len(known)} others", limit=needed)


def _foreign_sources(survey: Survey, _: NodeSpec, fleet: Sequence[Survey], demands: NodeRequirements) -> Seen:
    heard = _said(survey, "wire")["heard"]
    # Either source proves that the network filters none; an agent that runs already may rewrite pods' addresses.
    deaf = [peer for peer in _others(survey, fleet) if not {"pod-source", "foreign-source"} & set(heard.get(peer, ()))]
    needed = f"needed by {demands.foreign_sources}" if demands.foreign_sources else ""
    if deaf:
        return Seen(f"do not arrive from {', '.join(deaf)}", good=not needed, limit=needed)
    return Seen("arrive from every other node", limit=needed)


def _announcements(survey: Survey, _: NodeSpec, fleet: Sequence[Survey], demands: NodeRequirements) -> Seen:
    heard = _said(survey, "wire")["heard"]
    deaf = [peer for peer in _others(survey, fleet) if "arp" not in heard.get(peer, ())]
    needed = f"needed by {demands.announcements}" if demands.announcements else ""
    if deaf:
        return Seen(f"not heard from {', '.join(deaf)}", good=not needed, limit=needed)
    return Seen("heard from every other node", limit=needed)


def _ports(survey: Survey, _: NodeSpec, fleet: Sequence[Survey], demands: NodeRequirements) -> Seen:
    answers, heard = _said(survey, "ports")["peers"], _said(survey, "wire")["heard"]
    shut = []
    for need in demands.ports:
        key = f"{need.port}/{need.protocol}"
        for peer in _others(survey, fleet):
            if need.protocol == "tcp" and answers.get(peer, {}).get(key) == "silent":
                shut.append(f"{key} to {peer} ({need.reason})")
            if need.protocol == "udp" and key not in heard.get(peer, ()):
                shut.append(f"{key} from {peer} ({need.reason})")
    wanted = ", ".join(f"{need.port}/{need.protocol}" for need in demands.ports)
    return Seen(f"shut: {', '.join(shut)}" if shut else f"{wanted or 'none'} pass", not shut)


def _names(survey: Survey, _: NodeSpec, __: Sequence[Survey], ___: NodeRequirements) -> Seen:
    fact = _said(survey, "resolver")
    asks = len(fact["search"]) + 1 if fact["ndots"] > fact["name"].count(".") else 1
    measured = f"{fact['name']} in {fact['milliseconds']:.0f} ms, {asks} questions a name (ndots:{fact['ndots']})"
    return Seen(measured, fact["milliseconds"] <= limits.LOOKUP_MILLISECONDS, f"{limits.LOOKUP_MILLISECONDS} ms")


def _services(survey: Survey, _: NodeSpec, __: Sequence[Survey], ___: NodeRequirements) -> Seen:
    fact = _said(survey, "services")
    return Seen(", ".join(f"{name} {state or 'unknown'}" for name, state in fact.items() if name != "fact"))


def _others(survey: Survey, fleet: Sequence[Survey]) -> list[str]:
    return sorted(other.node for other in fleet if other.node != survey.node)


def _peers(peers: Fact) -> Fact:
    if not peers:
        raise Unsaid("there is no other node to ask")
    return peers


CHECKS: dict[str, Judge] = {
    "survey": _survey,
    "kernel": _kernel,
    "bpf": _bpf,
    "cpus": _cpus,
    "memory": _memory,
    "cgroup": _cgroup,
    "swap": _swap,
    "time-sync": _time_sync,
    "clock": _clock,
    "steal": _steal,
    "etcd-disk": _etcd_disk,
    "nic-speed": _nic_speed,
    "nic-drops": _nic_drops,
    "nic-ring": _nic_ring,
    "softnet": _softnet,
    "conntrack": _conntrack,
    "path-mtu": _path_mtu,
    "round-trip": _round_trip,
    "references": _references,
    "segment": _segment,
    "foreign-sources": _foreign_sources,
    "announcements": _announcements,
    "ports": _ports,
    "names": _names,
    "services": _services,
}
"""By the key of `limits.LIMITS`, in the order of the report."""
