"""The values that changed most between releases: how traffic is routed, and who replaces kube-proxy."""

from typing import Any

from components.core.versions import matches
from components.network.cilium.chart import settings
from components.network.cilium.chart.history import Verdict
from components.network.cilium.chart.keys import Path
from components.network.cilium.chart.nested import Leaves
from components.network.cilium.chart.settings import text
from components.network.cilium.constraints import PROTOCOLS, ROUTINGS, lacks_cidr
from components.network.cilium.data_path import from_values

SILENT = "does nothing, and Helm does not say so"
NO_RENDER = "Helm renders nothing"
AGENT_EXITS = "it renders, and every agent exits"

Judgement = tuple[Verdict, str]


def does(verdict: Verdict) -> str:
    """A verdict as the beginning of a sentence."""
    named = {Verdict.IGNORED: SILENT, Verdict.FAILS: NO_RENDER, Verdict.REFUSED: AGENT_EXITS}
    return named.get(verdict, "takes effect")


def judge_routing(path: Path, value: Any, found: Leaves, release: str) -> Judgement:
    """What becomes of `tunnel`, `routingMode` or `tunnelProtocol`."""
    here, word = from_values(found, release), text(value)
    if path == settings.TUNNEL:
        return _judge_tunnel(word, found, release)
    verdict = settings.routing_mode_verdict(release)
    if not word:
        return Verdict.HONOURED, "says nothing: the default stays"
    if verdict is Verdict.IGNORED:
        return verdict, f"{SILENT}: the key came with 1.14; {here.name} runs"
    if path == settings.PROTOCOL:
        only = " for DSR only: nothing is tunnelled" if here.native else f": {here.name}"
        return Verdict.HONOURED, f"takes effect{only}"
    if verdict is Verdict.OTHERWISE:
        twice = "the ConfigMap holds routing-mode twice, from tunnel and from this"
        return verdict, f"{twice}: which one wins is the reader's choice"
    if word not in ROUTINGS:
        return Verdict.REFUSED, f"{AGENT_EXITS}: the agents know native and tunnel"
    return verdict, f"takes effect: {here.name}"


def _judge_tunnel(word: str, found: Leaves, release: str) -> Judgement:
    here, verdict = from_values(found, release), settings.tunnel_verdict(release)
    if verdict is Verdict.IGNORED:
        return verdict, f"{SILENT}: the tunnel key went in 1.15; {here.name} runs"
    if verdict is Verdict.FAILS and word:
        return verdict, f"{NO_RENDER}: the tunnel key went in 1.15"
    if text(found.get(settings.ROUTING_MODE)) and matches(release, ">=1.14.3"):
        return Verdict.IGNORED, f"does nothing: routingMode is written too and wins; {here.name} runs"
    if word not in ("disabled", *PROTOCOLS, ""):
        return Verdict.REFUSED, f"{AGENT_EXITS}: the agents know disabled, vxlan and geneve"
    return Verdict.HONOURED, f"takes effect: {here.name}"


def routing_instead(found: Leaves, release: str) -> dict[Path, Any]:
    """What to write where the written routing is not the one that runs; nothing where it is."""
    here = from_values(found, release)
    runs = "native" if here.native else here.protocol
    meant = settings.written_routing(found)
    if meant in ("", runs):
        return {}
    values = settings.routing_values(meant, release)
    return (
        {**values, settings.CIDR: settings.POD_NETWORK}
        if lacks_cidr(from_values({**found, **values}, release))
        else values
    )


def judge_proxy(value: Any, release: str) -> Judgement:
    """What becomes of `kubeProxyReplacement`."""
    verdict, word = settings.proxy_verdict(value, release), text(value)
    if verdict is Verdict.HONOURED:
        effect = {"strict": "kube-proxy is replaced", "true": "kube-proxy is replaced"}
        effect |= dict.fromkeys(("partial", "probe"), "kube-proxy carries what is not switched on one by one")
        old = word in ("strict", "partial", "probe", "disabled")
        late = "; 1.16 and later fail on this word" if old else ""
        return verdict, f"takes effect: {effect.get(word, 'kube-proxy carries Services')}{late}"
    newer = matches(release, ">=1.14")
    words = "true and false" if newer else "strict, partial, probe (to 1.13.3) and disabled"
    says = f"{does(verdict)}: the words of {release} are {words}"
    if word in ("partial", "probe"):
        says += f"; {word} has no equal there: true replaces kube-proxy whole, false needs it beside"
    return verdict, says


def proxy_instead(value: Any, release: str) -> dict[Path, Any]:
    """The word for what was meant."""
    return {settings.KPR: settings.proxy_value(text(value) in ("strict", "true", "probe", "partial"), release)}
