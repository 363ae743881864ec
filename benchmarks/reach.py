"""How long the prover takes at the scale of Antrea's TestInitXLargeScaleWithSmallNamespaces, and how much memory.

    python benchmarks/reach.py                    # 25,000 namespaces, 75,000 policies, 100,000 pods
    python benchmarks/reach.py --namespaces 1000

Antrea's shapes (pkg/controller/networkpolicy/networkpolicy_controller_perf_test.go): each namespace has a policy that
denies everything, two policies that let the pods of one label in, and two pods of each label. Measured here: reading
the manifests, all peers of all pods in both directions, the proof that no namespace reaches another, and one policy
that changes. One process, one core; seconds of processor time, so that other programs do not count.
"""

import argparse
import gc
import resource
import time
from collections.abc import Iterator
from typing import Any

from components.reach.evaluate import Reach
from components.reach.model import Port
from components.reach.questions import crossings, tenant_of
from components.reach.read import read


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--namespaces", type=int, default=25_000)
    options = parser.parse_args()
    gc.disable()  # as vds reach does: nothing here is a cycle
    manifests = list(_cluster(options.namespaces))
    given = _megabytes()
    started = time.process_time()
    state = read(manifests, cni="other")
    reach = Reach(state)
    read_in = time.process_time() - started
    crossing = next(crossings(reach, tenant_of(state), lambda _: True), None)
    proved = time.process_time() - started - read_in
    allowed = 0
    for place in range(len(state.endpoints)):
        allowed += reach.decide(place, "egress", Port(80), reach.everyone).allowed.bit_count()
        allowed += reach.decide(place, "ingress", Port(80), reach.everyone).allowed.bit_count()
    total = time.process_time() - started
    if crossing or allowed != 2 * len(state.endpoints):
        raise SystemExit(f"error: a wrong answer: {crossing}, {allowed}")
    changed = [_one_change(reach, number) for number in range(0, options.namespaces, max(options.namespaces // 20, 1))]
    print(f"{options.namespaces} namespaces, {len(state.policies) // 2} policies, {4 * options.namespaces} pods")
    print(f"read {read_in:.2f} s, no namespace reaches another {proved:.2f} s, with all peers {total:.2f} s")
    print(f"memory {_megabytes():.0f} MB at most, of which the manifests {given:.0f} MB")
    print(f"one changed policy {1000 * max(changed):.1f} ms at most of {len(changed)}")


def _one_change(reach: Reach, number: int) -> float:
    """Seconds until all pods of its namespace have new answers."""
    started = time.process_time()
    policy = _policy(f"ns-{number}", "np-1", {"app-1": "scale-1"}, {"app-2": "scale-2"})
    after = reach.changed({f"NetworkPolicy ns-{number}/np-1"}, read([policy], cni="other").policies)
    for place in after.places_of(f"ns-{number}"):
        for direction in ("egress", "ingress"):
            after.decide(place, direction, Port(80), after.everyone)
    seconds = time.process_time() - started
    first, second = after.places_of(f"ns-{number}")
    out = after.decide(first, "egress", Port(80), after.everyone).allowed
    if out != 1 << second:
        raise SystemExit("error: the change has no effect")
    return seconds


def _cluster(namespaces: int) -> Iterator[dict[str, Any]]:
    for number in range(namespaces):
        name = f"ns-{number}"
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"app": name}}}
        yield _policy(name, "default-deny-all", {}, None)
        for one in ("1", "2"):
            labels = {f"app-{one}": f"scale-{one}"}
            yield _policy(name, f"np-{one}", labels, labels)
            for pod in ("a", "b"):
                yield _pod(name, f"pod-{one}{pod}", labels, number)


def _policy(namespace: str, name: str, pods: dict[str, str], peers: dict[str, str] | None) -> dict[str, Any]:
    spec: dict[str, Any] = {"podSelector": {"matchLabels": pods}, "policyTypes": ["Ingress", "Egress"]}
    if peers:
        spec["ingress"] = [{"from": [{"podSelector": {"matchLabels": peers}}]}]
        spec["egress"] = [{"to": [{"podSelector": {"matchLabels": peers}}]}]
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


def _pod(namespace: str, name: str, labels: dict[str, str], number: int) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": dict(labels)},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
        "status": {"podIP": f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"},
    }


def _megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
