"""Faults on nodes: power, disk, SSH, clock, network."""

import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from lab import data_center, fabric
from lab.asking import ask, from_host
from lab.chaos import changes
from lab.chaos.runner import Fault
from lab.chaos.trial import Edit, NotHereError, Seen, Trial, seen
from lab.layout import CLIENT, NODES, WORKERS, Host
from lab.machines import machine
from lab.processes import LabError
from lab.progress import Progress
from lab.proof.gateway import gateway_address, question

_VICTIM = WORKERS[1]
_CUT_SECONDS = 60
_CLIENTS = 4
_REACHED_SECONDS = 300
_REACHED = "/var/tmp/chaos-reached"  # noqa: S108  # on the machine's own disk
# The node script syncs each file that it writes: there it waits, so that the plug is pulled in the middle of it.
_SLOW_SYNC = f"""
cp -a /usr/bin/sync /usr/bin/sync.real
printf '#!/bin/sh\\ntouch {_REACHED}\\nsleep 3\\nexec /usr/bin/sync.real "$@"\\n' >/usr/bin/sync
rm -f {_REACHED}
"""
_SYNC = "[ ! -e /usr/bin/sync.real ] || mv -f /usr/bin/sync.real /usr/bin/sync"
_SPARE_KIB = 4  # one file that the script has removed
# Everything that the platform's scripts write, on a small file system that is full.
_FULL = "/etc /var/lib/vds-platform /var/lib/vds-platform-cluster"
_FILL = f"""
set -eu
mkdir -p /run/chaos-full
size=$(du -skc {_FULL} | tail -n 1 | cut -f 1)
mount -t tmpfs -o size=$((size + 4096))k,mode=755 tmpfs /run/chaos-full
for folder in {_FULL}; do
	mkdir -p "/run/chaos-full$folder"
	cp -a "$folder/." "/run/chaos-full$folder/"
	mount --bind "/run/chaos-full$folder" "$folder"
done
head -c 1G /dev/zero >/run/chaos-full/ballast 2>/dev/null || :
"""
_EMPTY = f"""
mountpoint -q /run/chaos-full || exit 0
rm -f /run/chaos-full/ballast
for folder in {_FULL}; do
	umount "$folder"
	(cd "$folder" && find . -xdev -type f) | while IFS= read -r file; do
		[ -e "/run/chaos-full$folder/$file" ] || rm -f "$folder/$file"
	done
	cp -a "/run/chaos-full$folder/." "$folder/"
done
umount /run/chaos-full
"""
# A server in front of sshd that closes every third connection before it has said a word.
_FLAKY = """
import itertools, socket, threading
server = socket.create_server(("", 2222), backlog=64)
def copy(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
    for end in (source, target):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
for number in itertools.count(1):
    client, _ = server.accept()
    if number % 3 == 0:
        open("/run/chaos-dropped", "a").write("x")
        client.close()
        continue
    behind = socket.create_connection(("127.0.0.1", 22))
    for pair in ((client, behind), (behind, client)):
        threading.Thread(target=copy, args=pair, daemon=True).start()
"""
_DROP = f"""
set -eu
rm -f /run/chaos-dropped
cat >/run/chaos-flaky.py <<'END'
{_FLAKY}
END
systemd-run --quiet --unit=chaos-flaky python3 /run/chaos-flaky.py
until grep -q ':08AE ' /proc/net/tcp; do sleep 0.1; done    # port 2222
nft add table ip chaos
nft 'add chain ip chaos before {{ type nat hook prerouting priority -150; }}'
nft add rule ip chaos before iifname eth0 tcp dport 22 redirect to :2222
"""
_LET_IN = """
nft delete table ip chaos 2>/dev/null || :
systemctl stop chaos-flaky 2>/dev/null || :
"""


def _killed_in_mid_script(trial: Trial) -> Seen:
    trial.in_machine(_VICTIM, _SLOW_SYNC)
    return _without_power(trial, changes.sysctl, _VICTIM, _REACHED)


def _killed_in_mid_join(trial: Trial) -> Seen:
    data_center.ensure(trial.layout, Progress(total=1, quiet=True), [changes.SPARE])
    return _without_power(trial, changes.worker, changes.SPARE, "/etc/kubernetes/pki/ca.crt")


def _without_power(trial: Trial, change: Edit, host: Host, mark: str) -> Seen:
    """Pull the plug as soon as a file is on the machine's disk, and start the machine again.

    Its cable is pulled first: a machine without power says no goodbye.
    """
    file = trial.layout.machine(host.name) / "upper" / mark.lstrip("/")
    with trial.updating(change) as running:
        deadline = time.monotonic() + _REACHED_SECONDS
        while not file.exists():
            if running.done() or time.monotonic() > deadline:
                raise LabError(f"the update did not come to {mark} on {host.name}")
            time.sleep(0.01)
        fabric.cut(host)
        machine.stop(trial.layout, host)
        fabric.plug(host)
        _on_again(host)(trial)
        outcome = running.result()
    return seen(outcome)


def _on_again(host: Host) -> Callable[[Trial], None]:
    def start(trial: Trial) -> None:
        data_center.ensure(trial.layout, Progress(total=1, quiet=True), [host])
        trial.in_machine(host, _SYNC)

    return start


def _without_spare(trial: Trial) -> None:
    """The third worker leaves by the stack file, as a node does; then its machine is removed."""
    _on_again(changes.SPARE)(trial)
    outcome = trial.up()
    machine.power_off(trial.layout, changes.SPARE)
    fabric.take_out(changes.SPARE)
    shutil.rmtree(trial.layout.machine(changes.SPARE.name))
    if outcome.exit_code:
        raise LabError(f"the third worker could not leave: {outcome.diagnostics[-800:]}")


def _disk_is_full(trial: Trial) -> Seen:
    trial.in_machine(_VICTIM, _FILL)
    outcome = trial.up(changes.sysctl)
    free = int(trial.in_machine(_VICTIM, "df --output=avail /run/chaos-full | tail -n 1"))
    if free > _SPARE_KIB or outcome.exit_code == 0:
        raise LabError(f"the update wrote on the full disk, which has {free} KiB now: {outcome.changes}")
    return seen(outcome)


def _disk_has_space(trial: Trial) -> None:
    trial.in_machine(_VICTIM, "rm -f /run/chaos-full/ballast")


def _disk_as_before(trial: Trial) -> None:
    trial.in_machine(_VICTIM, _EMPTY)


def _sshd_drops(trial: Trial) -> Seen:
    for host in NODES:
        trial.in_machine(host, _DROP)
    outcome = trial.up(changes.sysctl)
    dropped = [len(trial.in_machine(host, _LET_IN + "cat /run/chaos-dropped 2>/dev/null || :")) for host in NODES]
    if not all(dropped):
        raise LabError(f"connections that were dropped, by node: {dropped}")
    return seen(outcome, dropped=sum(dropped))


def _sshd_as_before(trial: Trial) -> None:
    for host in NODES:
        trial.in_machine(host, _LET_IN)


def _clock(_: Trial) -> Seen:
    raise NotHereError(
        "a machine of the lab is a container and has its host's clock: CLOCK_REALTIME has no namespace, and Go's "
        "programs do not load libfaketime"
    )


def _cut_off(trial: Trial) -> Seen:
    """The node that announces the gateway's address, for a minute, with requests from outside all the time."""
    spec = trial.spec_of(None)
    asked = {**question(trial.layout, spec, gateway_address(trial.cluster, spec)), "ask": "load"}
    asked["seconds"] = _CUT_SECONDS + 40
    victim = _announcing(trial)
    trial.kept["cut"] = victim
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(ask, from_host(CLIENT), [asked] * _CLIENTS, timeout_seconds=4 * _CUT_SECONDS)
        time.sleep(5)
        fabric.cut(victim)
        ends = time.monotonic() + _CUT_SECONDS
        with trial.updating(None) as running:
            time.sleep(max(0.0, ends - time.monotonic()))
            fabric.plug(victim)
            outcome = running.result()
        said = loading.result()
    return seen(
        outcome,
        **{
            "cut off": victim.name,
            "requests answered": sum(one["answered"] for one in said),
            "not answered": sum(sum(one["failures"].values()) for one in said),
            "longest time without an answer": f"{max(one['longest_gap'] for one in said):.0f} s",
        },
    )


def _announcing(trial: Trial) -> Host:
    found = trial.cluster.request("GET", "/apis/metallb.io/v1beta1/servicel2statuses")["items"]
    names = [(item.get("status") or {}).get("node") for item in found]
    return next((host for host in WORKERS if host.name in names), _VICTIM)


def _plugged(trial: Trial) -> None:
    if victim := trial.kept.get("cut"):
        fabric.plug(victim)
    trial.wait_for_api()


FAULTS = (
    Fault(
        "node-killed-in-script",
        "a node loses its power while its script runs",
        inject=_killed_in_mid_script,
        repair=Trial.wait_for_api,
        put_back=_on_again(_VICTIM),
        change=changes.sysctl,
        says=(_VICTIM.name,),
    ),
    Fault(
        "node-killed-in-join",
        "a new node loses its power while it joins",
        inject=_killed_in_mid_join,
        repair=_on_again(changes.SPARE),
        put_back=_without_spare,
        change=changes.worker,
        says=(changes.SPARE.name,),
    ),
    Fault(
        "node-disk-full",
        "a node's disk is full",
        inject=_disk_is_full,
        repair=_disk_has_space,
        put_back=_disk_as_before,
        change=changes.sysctl,
        says=(_VICTIM.name, "disk is full", "run again"),
    ),
    Fault(
        "sshd-drops",
        "sshd drops every third connection, on every node",
        inject=_sshd_drops,
        put_back=_sshd_as_before,
        change=changes.sysctl,
    ),
    Fault("clock-jump", "the clock of a node jumps", inject=_clock),
    Fault(
        "node-cut-off",
        "the node that announces the gateway's address is cut off for 60 s, under load",
        inject=_cut_off,
        repair=_plugged,
        put_back=_plugged,
    ),
)
