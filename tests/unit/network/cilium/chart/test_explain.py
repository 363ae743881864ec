"""What charts and agents of single releases do with single keys; and the command lines that people published."""

import pytest

from components.charts.render import ChartSource
from components.network.cilium.chart.command_line import command_line, merge_words
from components.network.cilium.chart.explain import explain
from components.network.cilium.chart.nested import flatten, keys
from components.network.cilium.chart.trial import Trial
from tests.support.chart_values import cilium_values_file
from tests.support.cilium_trials import trial
from tests.support.modules import cilium_chart


def findings(version, *words, strings=()):
    merged = merge_words({}, [*(("--set", word) for word in words), *(("--set-string", word) for word in strings)])
    order = {word.split("=")[0]: number for number, word in enumerate((*words, *strings))}
    found = sorted(flatten(merged).items(), key=lambda item: order[".".join(item[0])])
    return {finding.key: finding for finding in explain(dict(found), trial(version))}


def verdict(version, word, *others, **more):
    return str(findings(version, word, *others, **more)[word.split("=")[0]].verdict)


def of_command(text):
    line = command_line(text)
    return {f.key: f for f in explain(flatten(merge_words({}, line.words)), trial(line.version))}


@pytest.mark.parametrize(
    ("word", "by_release"),
    [
        ("tunnel=geneve", {"1.14.19": "honoured", "1.15.19": "fails", "1.16.1": "ignored", "1.20.0": "fails"}),
        ("tunnelProtocol=geneve", {"1.13.18": "ignored", "1.15.19": "honoured", "1.20.0": "honoured"}),
        ("kubeProxyReplacement=strict", {"1.11.5": "honoured", "1.15.19": "honoured", "1.16.1": "fails"}),
        ("kubeProxyReplacement=probe", {"1.12.19": "honoured", "1.13.2": "refused", "1.13.18": "fails"}),
        ("kubeProxyReplacement=true", {"1.11.5": "fails", "1.13.18": "fails", "1.14.19": "honoured"}),
        ("nativeRoutingCIDR=10.1.0.0/16", {"1.11.5": "honoured", "1.12.19": "ignored", "1.20.0": "ignored"}),
        ("MTU=1500", {"1.12.19": "ignored", "1.13.2": "honoured", "1.20.0": "honoured"}),
        ("MTU=-5", {"1.13.2": "refused", "1.20.0": "refused"}),
        ("gatewayAPI.gatewayClass.create=true", {"1.16.19": "fails", "1.19.6": "fails", "1.20.0": "known"}),
        ("hostFirewall=true", {"1.20.0": "fails"}),
        ("bandwidthManager=true", {"1.12.19": "honoured", "1.20.0": "fails"}),
        ("bandwidthManager.enabled=true", {"1.11.5": "otherwise", "1.12.19": "honoured"}),
        ("hostServices.enabled=true", {"1.13.18": "ignored"}),
        ("encryption.strictMode.enabled=true", {"1.14.19": "ignored", "1.20.0": "ignored"}),
        ("enableCiliumEndpointSlice=true", {"1.17.0": "honoured", "1.18.2": "fails"}),
        ("remoteNodeIdentity=false", {"1.15.19": "honoured", "1.16.19": "ignored"}),
        ("ipam.operator.clusterPoolIPv4PodCIDR=10.1.0.0/16", {"1.14.19": "fails", "1.19.6": "ignored"}),
        ("nodePort.enabled=true", {"1.18.2": "honoured", "1.19.6": "ignored"}),
        ("upgradeCompatibility=1.12", {"1.16.1": "fails", "1.18.2": "fails", "1.20.0": "honoured"}),
        ("cluster.name=Oslo", {"1.15.19": "honoured", "1.16.1": "fails", "1.20.0": "fails"}),
        ("installNoConntrackIptablesRules=true", {"1.11.5": "refused", "1.20.0": "refused"}),
    ],
)  # fmt: skip
def test_a_key_does_what_the_rendered_chart_shows(word, by_release):
    strings = [word] if word.startswith("upgrade") else []
    words = [] if strings else [word]
    name = word.split("=")[0]
    found = {release: findings(release, *words, strings=strings)[name] for release in by_release}
    assert {release: str(one.verdict) for release, one in found.items()} == by_release


def test_a_truth_in_quotes_is_another_word_before_1_14():
    for release, wanted in {"1.11.5": "refused", "1.13.18": "fails", "1.14.4": "honoured"}.items():
        assert str(findings(release, strings=["kubeProxyReplacement=true"])["kubeProxyReplacement"].verdict) == wanted


def test_a_number_in_quotes_is_refused_since_the_schema():
    assert str(findings("1.15.19", strings=["MTU=1500"])["MTU"].verdict) == "honoured"
    late = findings("1.16.1", strings=["MTU=1500"])["MTU"]
    assert (str(late.verdict), late.instead) == ("fails", (("MTU", 1500),))


@pytest.mark.parametrize("release", ["1.14.4", "1.16.1", "1.18.2", "1.20.0"])
def test_native_routing_that_masquerades_without_a_cidr_stops_every_agent_or_helm(release):
    assert verdict(release, "routingMode=native") == "refused"
    assert verdict(release, "routingMode=native", "ipv4NativeRoutingCIDR=10.244.0.0/16") == "honoured"
    assert verdict(release, "routingMode=native", "enableIPv4Masquerade=false") == "honoured"


def test_since_1_18_helm_says_so_where_masquerading_is_written():
    found = findings("1.18.2", "routingMode=native", "enableIPv4Masquerade=true")
    assert [str(finding.verdict) for finding in found.values()].count("fails") == 1


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["kubeProxyReplacement=true"], "refused"),
        (["kubeProxyReplacement=true", "tunnelProtocol=geneve"], "refused"),
        (["kubeProxyReplacement=true", "tunnelProtocol=geneve", "loadBalancer.dsrDispatch=geneve"], "honoured"),
        (["kubeProxyReplacement=true", "routingMode=native", "ipv4NativeRoutingCIDR=10.0.0.0/8"], "honoured"),
        (["routingMode=native", "ipv4NativeRoutingCIDR=10.0.0.0/8"], "ignored"),
    ],
)
def test_dsr_needs_a_path_that_carries_it(words, wanted):
    assert verdict("1.18.2", "loadBalancer.mode=dsr", *words) == wanted


def test_a_load_balancing_that_the_agents_do_not_know_by_its_letters_stops_them():
    native = ("kubeProxyReplacement=true", "routingMode=native", "ipv4NativeRoutingCIDR=10.0.0.0/8")
    told = findings("1.18.2", "loadBalancer.mode=DSR", *native)["loadBalancer.mode"]
    assert (str(told.verdict), told.instead) == ("refused", (("loadBalancer.mode", "dsr"),))
    assert "the agents know snat, dsr and hybrid" in told.says


def test_direct_routes_over_a_tunnel_stop_every_agent():
    assert verdict("1.16.1", "autoDirectNodeRoutes=true", "tunnel=disabled") == "refused"  # tunnel is ignored there
    assert verdict("1.14.4", "autoDirectNodeRoutes=true", "tunnel=disabled") == "honoured"


def test_the_gateway_needs_kube_proxy_replacement_or_node_ports_and_the_l7_proxy():
    assert verdict("1.20.0", "gatewayAPI.enabled=true") == "ignored"
    assert verdict("1.16.19", "gatewayAPI.enabled=true") == "ignored"
    assert verdict("1.20.0", "gatewayAPI.enabled=true", "kubeProxyReplacement=true") == "honoured"
    found = findings("1.20.0", "gatewayAPI.enabled=true", "kubeProxyReplacement=true", "l7Proxy=false")
    assert "fails" in [str(finding.verdict) for finding in found.values()]


def test_encryption_and_what_it_excluded_once():
    wireguard = ("encryption.enabled=true", "encryption.type=wireguard")
    found = {release: findings(release, *wireguard) for release in ("1.13.18", "1.14.4")}
    assert [finding.instead for finding in found["1.13.18"].values() if not finding.as_meant] == [(("l7Proxy", False),)]
    assert all(finding.as_meant for finding in found["1.14.4"].values())
    ipsec = ("encryption.enabled=true", "kubeProxyReplacement=true")
    assert {release: verdict(release, *ipsec) for release in ("1.14.4", "1.16.1")} == {
        "1.14.4": "refused",
        "1.16.1": "honoured",
    }


@pytest.mark.parametrize(
    ("version", "pods"), [("1.14.4", 1420), ("1.18.2", 1370), ("1.19.3", 1370), ("1.19.6", 1355), ("1.20.0", 1355)]
)
def test_the_mtu_over_vxlan_and_wireguard_is_the_agents_own_number(version, pods):
    words = ("MTU=1500", "encryption.enabled=true", "encryption.type=wireguard")
    assert f"= {pods} over a VXLAN tunnel" in findings(version, *words)["MTU"].says


def test_what_was_meant_is_spelled_for_the_release():
    assert dict(findings("1.20.0", "tunnel=geneve")["tunnel"].instead) == {
        "routingMode": "tunnel",
        "tunnelProtocol": "geneve",
    }
    assert dict(findings("1.13.18", "routingMode=native")["routingMode"].instead) == {"tunnel": "disabled"}
    assert findings("1.13.18", "kubeProxyReplacement=true")["kubeProxyReplacement"].instead[0][1] == "strict"
    assert findings("1.20.0", "hostFirewall=true")["hostFirewall"].instead == (("hostFirewall.enabled", True),)


def test_a_typo_is_ignored_and_the_key_that_was_meant_is_named():
    finding = findings("1.20.0", "kubeproxyReplacement=true")["kubeproxyReplacement"]
    assert (str(finding.verdict), finding.instead) == ("ignored", (("kubeProxyReplacement", True),))
    assert findings("1.20.0", "wholly.else=1")["wholly.else"].instead == ()


def test_a_tunnel_key_without_effect_whose_tunnel_runs_anyway_is_no_finding():
    assert findings("1.16.1", "tunnel=vxlan")["tunnel"].as_meant
    assert not findings("1.16.1", "tunnel=geneve")["tunnel"].as_meant


def test_what_a_key_changes_is_named():
    found = findings("1.20.0", "hubble.relay.enabled=true", "bpf.masquerade=true", "operator.replicas=1")
    assert found["bpf.masquerade"].says == 'takes effect: enable-bpf-masquerade: "true"'
    assert "Deployment hubble-relay" in found["hubble.relay.enabled"].says
    assert found["operator.replicas"].says == "takes effect: Deployment cilium-operator"


def test_a_secret_is_never_shown():
    found = {keys("tls.ca.key"): "LS0tLS1CRUdJTiBSU0E", keys("tls.ca.cert"): 7, keys("cluster.name"): "oslo"}
    assert "LS0t" not in str(explain(found, trial("1.18.2")))


SEED_000 = """helm install cilium cilium/cilium --version 1.14.4 \\
  --namespace kube-system \\
  --set kubeProxyReplacement=strict \\
  --set k8sServiceHost=${API_SERVER_IP} \\
  --set k8sServicePort=${API_SERVER_PORT} \\
  --set nativeRoutingCIDR=10.0.0.0/8 \\
  --set tunnel=disabled \\
  --set autoDirectNodeRoutes=true
"""
SEED_001 = (
    r"helm install cilium cilium/cilium --version 1.16.1 \n  --namespace kube-system \n  "
    r"--set kubeProxyReplacement=true \n  --set k8sServiceHost=${API_SERVER_IP} \n  "
    r"--set k8sServicePort=${API_SERVER_PORT} \n  --set loadBalancer.mode=dsr"
)
SEED_003_004 = """helm repo add cilium https://helm.cilium.io/
helm install cilium cilium/cilium --version VERSION \\
--namespace kube-system \\
--set kubeProxyReplacement=strict \\
--set k8sServiceHost=API_SERVER_IP \\
--set k8sServicePort=6443
"""


def test_seed_000_has_a_cidr_that_does_nothing_and_therefore_agents_that_exit():
    found = of_command(SEED_000)
    assert {key for key, finding in found.items() if not finding.as_meant} == {"nativeRoutingCIDR", "tunnel"}
    assert found["nativeRoutingCIDR"].instead == (("ipv4NativeRoutingCIDR", "10.0.0.0/8"),)
    assert str(found["tunnel"].verdict) == "refused"
    assert "ipv4NativeRoutingCIDR" in found["tunnel"].says


def test_seed_001_asks_for_dsr_over_vxlan():
    found = of_command(SEED_001)
    assert [key for key, finding in found.items() if not finding.as_meant] == ["loadBalancer.mode"]
    assert str(found["loadBalancer.mode"].verdict) == "refused"


def test_seed_001s_advice_of_an_mtu_of_1450_gets_a_question():
    finding = of_command(SEED_001 + r" \n --set MTU=1450")["MTU"]
    assert finding.as_meant
    assert "pods get 1450 − 50 = 1400" in finding.says


@pytest.mark.parametrize("version", ["1.14.2", "1.11.5"])
def test_seeds_003_and_004_do_what_they_say(version):
    assert all(finding.as_meant for finding in of_command(SEED_003_004.replace("VERSION", version)).values())


@pytest.mark.parametrize("version", ["1.11.5", "1.15.19", "1.18.2", "1.20.2"])
def test_a_charts_own_values_do_what_they_say(version):
    _, found = cilium_values_file(version)
    assert [finding for finding in explain(found, trial(version)) if not finding.as_meant] == []


def test_null_takes_a_default_away_whatever_the_type():
    assert explain({keys("MTU"): None}, trial("1.20.0"))[0].as_meant


def test_replacing_kube_proxy_without_an_api_server_to_go_to_is_pointed_out():
    assert "k8sServiceHost" in findings("1.16.1", "kubeProxyReplacement=true")["kubeProxyReplacement"].says
    told = findings("1.16.1", "kubeProxyReplacement=true", "k8sServiceHost=10.0.0.1")
    assert "k8sServiceHost" not in told["kubeProxyReplacement"].says


def test_a_key_costs_one_rendering(monkeypatch):
    """A rendering takes 0.1 s of processor time, so 60 keys take 6."""
    asked = Trial(ChartSource(str(cilium_chart("1.20.0"))))
    rendered = []
    monkeypatch.setattr(asked, "_render", lambda given, render=asked._render: rendered.append(given) or render(given))
    words = ["debug.enabled=true", "MTU=1400", "bpf.masquerade=true", "cluster.name=oslo", "operator.replicas=1"]
    found = explain(flatten(merge_words({}, [("--set", word) for word in words])), asked)
    assert [str(one.verdict) for one in found].count("honoured") == len(words)
    assert len(rendered) == len(words) + 1
