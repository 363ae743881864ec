"""Each row of what the charts really do, found by rendering them; and the command lines that people published."""

import pytest

from components.network.cilium.chart.explain import explain
from components.network.cilium.chart.keys import nearest
from components.network.cilium.chart.nested import flatten, keys
from components.network.cilium.chart.set_syntax import command_line, merge_words
from tests.support.chart_values import cilium_values_file
from tests.support.modules import cilium_versions


def findings(version, *words, strings=()):
    merged = merge_words({}, [*(("--set", word) for word in words), *(("--set-string", word) for word in strings)])
    return {finding.key: finding for finding in explain(flatten(merged), version)}


def verdict(version, word, *others, **more):
    return str(findings(version, word, *others, **more)[word.split("=")[0]].verdict)


def of_command(text):
    line = command_line(text)
    return {f.key: f for f in explain(flatten(merge_words({}, line.words)), line.version)}


SILENT = ["1.15.0", "1.15.7", "1.16.0", "1.16.1"]


@pytest.mark.parametrize(
    ("word", "by_release"),
    [
        ("tunnel=vxlan", {"1.11.5": "honoured", "1.14.19": "honoured", **dict.fromkeys(SILENT, "ignored")}),
        ("tunnel=geneve", {"1.15.8": "fails", "1.16.2": "fails", "1.20.0": "fails", "1.16.1": "ignored"}),
        ("routingMode=tunnel", {"1.13.18": "ignored", "1.14.0": "otherwise", "1.14.2": "otherwise"}),
        ("routingMode=tunnel", {"1.14.3": "honoured", "1.20.0": "honoured"}),
        ("kubeProxyReplacement=strict", {"1.11.5": "honoured", "1.15.19": "honoured", "1.16.0": "fails"}),
        ("kubeProxyReplacement=disabled", {"1.11.5": "honoured", "1.16.0": "fails"}),
        ("kubeProxyReplacement=probe", {"1.13.3": "honoured", "1.13.4": "fails", "1.14.0": "fails"}),
        ("kubeProxyReplacement=true", {"1.11.5": "fails", "1.13.18": "fails", "1.14.0": "honoured"}),
        ("kubeProxyReplacement=false", {"1.11.5": "honoured", "1.13.18": "honoured", "1.20.0": "honoured"}),
        ("nativeRoutingCIDR=10.0.0.0/8", {"1.11.20": "honoured", "1.12.0": "ignored", "1.20.0": "ignored"}),
        ("ipv4NativeRoutingCIDR=10.0.0.0/8", {"1.11.0": "honoured", "1.20.0": "honoured"}),
        ("MTU=1500", {"1.12.19": "ignored", "1.13.0": "honoured", "1.20.0": "honoured"}),
        ("gatewayAPI.gatewayClass.create=true", {"1.16.0": "fails", "1.19.6": "fails", "1.20.0": "known"}),
        ("hostFirewall=true", {"1.11.5": "fails", "1.20.0": "fails"}),
        ("bandwidthManager=true", {"1.12.19": "honoured", "1.13.0": "fails", "1.20.0": "fails"}),
        ("bandwidthManager.enabled=true", {"1.11.5": "otherwise", "1.12.0": "honoured"}),
        ("hostServices.enabled=true", {"1.11.20": "honoured", "1.12.0": "ignored"}),
        ("bpf.hostRouting=true", {"1.11.5": "otherwise", "1.12.19": "otherwise", "1.13.0": "ignored"}),
        ("bpf.hostRouting=false", {"1.11.5": "honoured", "1.13.0": "ignored"}),
        ("encryption.keyFile=k", {"1.15.19": "honoured", "1.16.1": "ignored", "1.16.2": "fails"}),
        ("encryption.strictMode.enabled=true", {"1.14.19": "ignored", "1.15.0": "honoured", "1.20.0": "ignored"}),
        ("enableCiliumEndpointSlice=true", {"1.17.18": "honoured", "1.18.0": "fails"}),
        ("enableCnpStatusUpdates=true", {"1.14.19": "known", "1.15.7": "ignored", "1.15.8": "fails"}),
        ("enableK8sEventHandover=true", {"1.16.1": "ignored", "1.16.2": "fails", "1.20.0": "fails"}),
        ("proxy.prometheus.enabled=false", {"1.15.19": "known", "1.16.2": "fails"}),
        ("remoteNodeIdentity=false", {"1.15.19": "known", "1.16.2": "ignored"}),
        (
            "ipam.operator.clusterPoolIPv4PodCIDR=10.0.0.0/8",
            {"1.13.18": "honoured", "1.14.0": "fails", "1.19.0": "ignored"},
        ),
        ("nodePort.enabled=true", {"1.18.12": "known", "1.19.0": "ignored"}),
        ("upgradeCompatibility=1.12", {"1.15.19": "known", "1.16.0": "fails", "1.18.2": "fails", "1.18.12": "known"}),
        ("upgradeCompatibility=1.11", {"1.13.4": "fails", "1.20.0": "known"}),
        ("cluster.name=Oslo", {"1.15.19": "known", "1.16.0": "fails", "1.20.0": "fails"}),
    ],
)
def test_a_key_does_what_the_rendered_charts_show(word, by_release):
    assert {release: verdict(release, word) for release in by_release} == by_release


def test_a_truth_in_quotes_is_another_word_before_1_14():
    word = "kubeProxyReplacement=true"
    for release, wanted in {"1.11.17": "refused", "1.11.18": "fails", "1.13.4": "fails", "1.14.0": "honoured"}.items():
        assert str(findings(release, strings=[word])["kubeProxyReplacement"].verdict) == wanted


def test_a_number_in_quotes_is_refused_since_the_schema():
    assert str(findings("1.15.19", strings=["MTU=1500"])["MTU"].verdict) == "honoured"
    late = findings("1.16.0", strings=["MTU=1500"])["MTU"]
    assert (str(late.verdict), late.instead) == ("fails", (("MTU", 1500),))


def test_native_routing_that_masquerades_without_a_cidr_stops_every_agent_or_helm():
    for release in ("1.14.4", "1.16.1", "1.18.12", "1.20.0"):
        assert verdict(release, "routingMode=native") == "refused"
        told = verdict(release, "routingMode=native", "enableIPv4Masquerade=true")
        assert told == ("fails" if release >= "1.18" else "refused")
        assert verdict(release, "routingMode=native", "ipv4NativeRoutingCIDR=10.244.0.0/16") == "honoured"
        assert verdict(release, "routingMode=native", "enableIPv4Masquerade=false") == "honoured"


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
    assert verdict("1.18.12", "loadBalancer.mode=dsr", *words) == wanted


@pytest.mark.parametrize(("mode", "meant"), [("DSR", "dsr"), ("Hybrid", "hybrid"), ("ipvs", "snat")])
def test_a_load_balancing_that_the_agents_do_not_know_by_its_letters_stops_them(mode, meant):
    native = ("kubeProxyReplacement=true", "routingMode=native", "ipv4NativeRoutingCIDR=10.0.0.0/8")
    told = findings("1.18.12", f"loadBalancer.mode={mode}", *native)["loadBalancer.mode"]
    assert (str(told.verdict), told.instead) == ("refused", (("loadBalancer.mode", meant),))
    assert "the agents know snat, dsr and hybrid" in told.says
    assert verdict("1.17.18", f"loadBalancer.mode={mode}") == "ignored"  # kube-proxy carries Services
    assert verdict("1.18.12", f"loadBalancer.mode={mode}") == "refused"  # whoever carries them
    assert verdict("1.18.12", "loadBalancer.mode=snat", *native) == "honoured"


def test_xdp_over_a_tunnel_stops_every_agent_before_1_13():
    words = ("loadBalancer.acceleration=native", "kubeProxyReplacement=strict")
    for release, wanted in {"1.11.5": "refused", "1.12.19": "refused", "1.13.0": "known"}.items():
        assert verdict(release, *words) == wanted
    assert verdict("1.12.19", *words, "tunnel=disabled", "ipv4NativeRoutingCIDR=10.0.0.0/8") == "known"
    assert verdict("1.20.0", words[0], "kubeProxyReplacement=true") == "known"
    assert verdict("1.12.19", "loadBalancer.acceleration=disabled", words[1]) == "known"


def test_addresses_are_announced_by_whom_carries_services_only():
    told = findings("1.18.12", "l2announcements.enabled=true")["l2announcements.enabled"]
    assert (str(told.verdict), told.instead) == ("ignored", (("kubeProxyReplacement", "true"),))
    assert verdict("1.18.12", "l2announcements.enabled=true", "kubeProxyReplacement=true") == "known"


def test_words_in_quotes_count_as_the_templates_print_them_before_there_were_schemas():
    native = ("routingMode=native",)
    assert str(findings("1.14.4", *native, strings=["enableIPv4Masquerade=false"])["routingMode"].verdict) == "honoured"
    assert str(findings("1.14.4", *native, strings=["enableIPv4Masquerade=true"])["routingMode"].verdict) == "refused"
    masquerade = findings("1.15.0", strings=["bpf.masquerade=true"])["bpf.masquerade"]
    assert str(masquerade.verdict) == "refused"
    late = findings("1.18.12", *native, strings=["enableIPv4Masquerade=false"])["enableIPv4Masquerade"]
    assert str(late.verdict) == "fails"  # the schema wants true or false


def test_direct_routes_over_a_tunnel_stop_every_agent():
    assert verdict("1.16.1", "autoDirectNodeRoutes=true", "tunnel=disabled") == "refused"  # tunnel is ignored there
    assert verdict("1.14.4", "autoDirectNodeRoutes=true", "tunnel=disabled") == "honoured"


def test_the_gateway_needs_kube_proxy_replacement_and_the_l7_proxy():
    assert verdict("1.20.0", "gatewayAPI.enabled=true") == "ignored"
    assert verdict("1.13.18", "gatewayAPI.enabled=true") == "fails"
    assert verdict("1.20.0", "gatewayAPI.enabled=true", "kubeProxyReplacement=true", "l7Proxy=false") == "fails"
    assert verdict("1.20.0", "gatewayAPI.enabled=true", "kubeProxyReplacement=true") == "honoured"
    assert verdict("1.13.0", "gatewayAPI.enabled=true", "kubeProxyReplacement=strict", "l7Proxy=false") == "ignored"


def test_wireguard_beside_the_l7_proxy_stops_every_agent_before_1_14():
    words = ("encryption.enabled=true", "encryption.type=wireguard")
    for release, wanted in {"1.11.5": "refused", "1.13.18": "refused", "1.14.0": "known"}.items():
        assert str(findings(release, *words)["encryption.type"].verdict) == wanted
    told = findings("1.13.18", *words)["encryption.type"]
    assert told.instead == (("l7Proxy", False),)
    assert findings("1.13.18", *words, "l7Proxy=false")["encryption.type"].as_meant


def test_ipsec_beside_kube_proxy_replacement_stops_every_agent_before_1_16():
    words = ("encryption.enabled=true", "kubeProxyReplacement=true")  # ipsec is the chart's default type
    for release, wanted in {"1.14.0": "refused", "1.15.19": "refused", "1.16.0": "known"}.items():
        assert str(findings(release, *words)["encryption.enabled"].verdict) == wanted
    old = findings("1.13.18", "encryption.enabled=true", "encryption.type=ipsec", "kubeProxyReplacement=strict")
    assert str(old["encryption.type"].verdict) == "refused"
    assert dict(old["encryption.type"].instead) == {"encryption.type": "wireguard", "l7Proxy": False}
    assert findings("1.15.19", words[0], "kubeProxyReplacement=false")["encryption.enabled"].as_meant


@pytest.mark.parametrize(("version", "pods"), [("1.14.4", 1420), ("1.18.2", 1370), ("1.20.0", 1355)])
def test_the_mtu_over_vxlan_and_wireguard_is_the_agents_own_number(version, pods):
    words = ("MTU=1500", "encryption.enabled=true", "encryption.type=wireguard")
    assert f"= {pods} over a VXLAN tunnel" in findings(version, *words)["MTU"].says


def test_1450_over_vxlan_leaves_pods_1400():
    finding = findings("1.16.1", "MTU=1450")["MTU"]
    assert (str(finding.verdict), finding.as_meant, finding.instead) == ("otherwise", False, (("MTU", 1500),))
    assert "pods get 1450 − 50 = 1400" in finding.says
    native = findings("1.16.1", "MTU=1450", "routingMode=native", "ipv4NativeRoutingCIDR=10.0.0.0/8")["MTU"]
    assert native.as_meant


def test_what_was_meant_is_spelled_for_the_release():
    assert findings("1.20.0", "tunnel=geneve")["tunnel"].instead == (
        ("routingMode", "tunnel"),
        ("tunnelProtocol", "geneve"),
    )
    assert findings("1.13.18", "routingMode=native")["routingMode"].instead[0] == ("tunnel", "disabled")
    assert findings("1.13.18", "kubeProxyReplacement=true")["kubeProxyReplacement"].instead[0][1] == "strict"
    assert findings("1.20.0", "hostFirewall=true")["hostFirewall"].instead == (("hostFirewall.enabled", True),)


def test_a_typo_is_ignored_and_the_key_that_was_meant_is_named():
    finding = findings("1.20.0", "kubeproxyReplacement=true")["kubeproxyReplacement"]
    assert (str(finding.verdict), finding.instead) == ("ignored", (("kubeProxyReplacement", True),))
    assert findings("1.20.0", "wholly.else=1")["wholly.else"].instead == ()


def test_a_key_whose_effect_is_not_in_the_table_is_called_known_and_no_more():
    assert verdict("1.20.0", "operator.replicas=1") == "known"


def test_a_tunnel_key_without_effect_whose_tunnel_runs_anyway_is_no_finding():
    assert findings("1.16.1", "tunnel=vxlan")["tunnel"].as_meant
    assert not findings("1.16.1", "tunnel=geneve")["tunnel"].as_meant


def test_a_secret_is_never_shown():
    finding = explain({keys("tls.ca.key"): "LS0tLS1CRUdJTiBSU0E", keys("tunnel"): "vxlan"}, "1.14.4")[0]
    assert "LS0t" not in str(finding)


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
    assert "no routing was written" in found["loadBalancer.mode"].says
    assert str(found["loadBalancer.mode"].verdict) == "refused"


def test_seed_001s_advice_of_an_mtu_of_1450_takes_50_bytes_twice():
    assert not of_command(SEED_001 + r" \n --set MTU=1450")["MTU"].as_meant


@pytest.mark.parametrize("version", ["1.14.2", "1.11.5"])
def test_seeds_003_and_004_do_what_they_say(version):
    assert all(finding.as_meant for finding in of_command(SEED_003_004.replace("VERSION", version)).values())


@pytest.mark.parametrize("version", cilium_versions())
def test_a_charts_own_values_do_what_they_say(version):
    _, found = cilium_values_file(version)
    assert [finding for finding in explain(found, nearest(version)) if not finding.as_meant] == []


def test_null_takes_a_default_away_whatever_the_type():
    assert findings("1.20.0", "MTU=null")["MTU"].as_meant


def test_replacing_kube_proxy_without_an_api_server_to_go_to_is_pointed_out():
    assert "k8sServiceHost" in findings("1.16.1", "kubeProxyReplacement=true")["kubeProxyReplacement"].says
    told = findings("1.16.1", "kubeProxyReplacement=true", "k8sServiceHost=10.0.0.1")
    assert "k8sServiceHost" not in told["kubeProxyReplacement"].says
