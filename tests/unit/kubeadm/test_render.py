"""What kubeadm, containerd and apt are given."""

import base64
import subprocess
import tomllib

import pytest

from components.core.authority import discovery_hash
from components.kubeadm.credentials import Credentials, secret_names
from components.kubeadm.render import apt_source, containerd_config, documents
from components.kubeadm.signing import _checksum, fingerprint
from tests.support.bootstraps import (
    CERTIFICATE,
    CREDENTIALS,
    armoured,
    authority,
    bootstrap,
    bootstrap_data,
    key_packet,
)


def given(name, change=None):
    data = bootstrap_data()
    if change:
        change(data)
    plan = bootstrap(data)
    node = next(node for node in plan.nodes if node.name == name)
    return {document["kind"]: document for document in documents(plan, node, CREDENTIALS)}


def test_kube_proxy_is_skipped_for_good_where_the_cni_replaces_it():
    made = given("osl-cp-1")
    assert made["InitConfiguration"]["skipPhases"] == ["addon/kube-proxy"]
    assert made["ClusterConfiguration"]["proxy"] == {"disabled": True}
    assert "KubeProxyConfiguration" not in made


@pytest.mark.parametrize("mode", ["iptables", "nftables"])
def test_kube_proxy_has_the_mode_that_the_cni_counts_on(mode):
    made = given("osl-cp-1", lambda data: data["cni"].update(serviceProxy=mode))
    assert made["KubeProxyConfiguration"]["mode"] == mode
    assert "skipPhases" not in made["InitConfiguration"]
    assert "proxy" not in made["ClusterConfiguration"]


def test_a_node_registers_with_its_taints_and_a_control_plane_with_its_own_as_well():
    taint = {"key": "example.no/gpu", "effect": "NoSchedule"}

    def change(data):
        for node in data["nodes"]:
            node["taints"] = [taint]

    assert given("osl-w-1", change)["JoinConfiguration"]["nodeRegistration"]["taints"] == [taint]
    of_control_plane = given("osl-cp-1", change)["InitConfiguration"]["nodeRegistration"]["taints"]
    assert of_control_plane == [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}, taint]
    assert "taints" not in given("osl-w-1")["JoinConfiguration"]["nodeRegistration"]


def test_the_kubelet_keeps_something_for_itself_and_the_system():
    kubelet = given("osl-cp-1")["KubeletConfiguration"]
    assert kubelet["systemReserved"]["memory"] == kubelet["kubeReserved"]["memory"] == "256Mi"


@pytest.mark.parametrize(
    ("profiles", "sysctls", "conntrack"),
    [
        (["large-cluster"], [], {"min": 262144}),
        (["high-throughput"], [], {"min": 131072}),
        (["baseline"], [], None),
        (
            ["large-cluster"],
            [("net.netfilter.nf_conntrack_max", {"value": "200000", "how": "exact"})],
            {"maxPerCore": 0},
        ),
        (["baseline"], [("net.netfilter.nf_conntrack_max", {"value": "1000", "perGib": 32768})], {"maxPerCore": 0}),
        (
            ["baseline"],
            [("net.netfilter.nf_conntrack_tcp_timeout_established", {"value": "7200", "how": "exact"})],
            {"tcpEstablishedTimeout": "0s"},
        ),
    ],
)
def test_kube_proxy_does_not_take_back_what_the_nodes_conntrack_is_set_to(profiles, sysctls, conntrack):
    def change(data):
        data["cni"]["serviceProxy"] = "iptables"
        for node in data["nodes"]:
            node["profiles"] = profiles
        data["nodes"][-1]["sysctls"] = [{"key": key, **given} for key, given in sysctls]

    assert given("osl-cp-1", change)["KubeProxyConfiguration"].get("conntrack") == conntrack


def test_the_networks_are_the_ones_of_the_stack_file():
    cluster = given("osl-cp-1")["ClusterConfiguration"]
    assert cluster["networking"] == {"podSubnet": "10.244.0.0/16", "serviceSubnet": "10.96.0.0/16"}
    assert cluster["controlPlaneEndpoint"] == "198.51.100.10:6443"


def test_a_node_is_known_by_its_name_and_address_in_the_stack_file():
    for name, address in (("osl-cp-1", "198.51.100.11"), ("osl-w-2", "198.51.100.22")):
        made = given(name)
        registration = (made.get("InitConfiguration") or made["JoinConfiguration"])["nodeRegistration"]
        assert registration["name"] == name
        assert registration["kubeletExtraArgs"] == [{"name": "node-ip", "value": address}]


def test_only_a_control_plane_that_is_a_worker_too_lets_pods_in():
    assert "taints" not in given("osl-cp-1")["InitConfiguration"]["nodeRegistration"]
    both = given("osl-cp-1", lambda data: data["nodes"][0].update(roles=["control-plane", "worker"]))
    assert both["InitConfiguration"]["nodeRegistration"]["taints"] == []


def test_a_worker_gets_no_certificate_key():
    assert CREDENTIALS.certificate_key not in str(given("osl-w-1"))


def test_who_joins_knows_the_authority_beforehand():
    discovery = given("osl-w-1")["JoinConfiguration"]["discovery"]["bootstrapToken"]
    assert discovery["caCertHashes"] == [discovery_hash(CERTIFICATE)]
    assert "unsafeSkipCAVerification" not in discovery


def test_the_hash_is_the_one_that_openssl_computes():
    public = subprocess.run(
        ["openssl", "x509", "-pubkey", "-noout"], input=CERTIFICATE.encode(), capture_output=True, check=True
    ).stdout
    der = subprocess.run(
        ["openssl", "pkey", "-pubin", "-outform", "der"], input=public, capture_output=True, check=True
    ).stdout
    digest = subprocess.run(["sha256sum"], input=der, capture_output=True, check=True).stdout.split()[0].decode()
    assert discovery_hash(CERTIFICATE) == f"sha256:{digest}"


def test_a_lone_control_plane_listens_where_its_endpoint_is():
    def alone(data):
        data["network"]["apiServer"] = {"host": "198.51.100.11", "port": 443}
        data["nodes"] = [data["nodes"][0], *data["nodes"][3:]]

    assert given("osl-cp-1", alone)["InitConfiguration"]["localAPIEndpoint"]["bindPort"] == 443


@pytest.mark.parametrize(
    ("version", "runtime", "image"),
    [
        ("1.7.24-0ubuntu1~24.04.2", "io.containerd.grpc.v1.cri", ("io.containerd.grpc.v1.cri", "sandbox_image")),
        ("2:2.2.1~ds1-1", "io.containerd.cri.v1.runtime", ("io.containerd.cri.v1.images", "pinned_images", "sandbox")),
    ],
)
def test_containerd_is_configured_in_its_own_versions_words(version, runtime, image):
    data = bootstrap_data()
    data["cluster"]["containerd"]["version"] = version
    data["cluster"]["kubernetesVersion"] = "1.35.4"  # the last one for containerd 1
    config = tomllib.loads(containerd_config(bootstrap(data)))
    assert config["plugins"][runtime]["containerd"]["runtimes"]["runc"]["options"] == {"SystemdCgroup": True}
    found = config["plugins"]
    for step in image:
        found = found[step]
    assert found == "registry.k8s.io/pause:3.10.2"
    assert config["plugins"][image[0]]["registry"] == {"config_path": "/etc/containerd/certs.d"}
    assert config.get("imports") == (["/etc/containerd/conf.d/*.toml"] if config["version"] == 3 else None)


def test_the_repository_is_the_one_of_the_minor_version_and_trusts_its_own_key():
    lines = apt_source(bootstrap().cluster).splitlines()
    assert "URIs: https://pkgs.k8s.io/core:/stable:/v1.36/deb/" in lines
    assert "Signed-By: /etc/apt/keyrings/vds-platform-kubernetes.asc" in lines


def test_a_keys_fingerprint_does_not_depend_on_how_its_packet_is_written():
    old = key_packet()
    new = b"\xc6" + bytes([len(old) - 3]) + old[3:]
    assert fingerprint(armoured(old)) == fingerprint(armoured(new))
    commented = armoured(old).replace("BLOCK-----\n\n", "BLOCK-----\nVersion: GnuPG v2\nComment: two words\n\n", 1)
    # RFC 9580, section 6.1: of the bytes `gpg --enarmor` would write it for.
    summed = commented.replace("-----END", f"={base64.b64encode(_checksum(old)).decode()}\n-----END")
    assert fingerprint(summed) == fingerprint(armoured(old))
    with pytest.raises(ValueError, match="does not have the checksum"):
        fingerprint(commented.replace("-----END", "=abCD\n-----END"))


def test_credentials_are_not_shown_by_accident():
    assert str(CREDENTIALS) == repr(CREDENTIALS) == "Credentials(…)"
    assert CREDENTIALS.certificate_key not in f"{Credentials(*CREDENTIALS)}"


@pytest.mark.parametrize(
    ("data", "names"),
    [
        ({"cluster": {"kind": "kubeadm"}}, ("encryptionKeys",)),
        ({"cluster": {"kind": "existing"}}, ("kubeconfig",)),
        ({"cluster": {"kind": ["kubeadm"]}}, ("kubeconfig",)),
        ({"cluster": "kubeadm"}, ("kubeconfig",)),
        (None, ("kubeconfig",)),
    ],
)
def test_which_secrets_are_wanted_is_known_whatever_else_is_wrong(data, names):
    assert secret_names(data) == names


def test_another_authority_has_another_hash():
    assert discovery_hash(authority("another")[0]) != discovery_hash(CERTIFICATE)


def test_nodes_with_cgroup_v1_are_told_to_go_on():
    for name, document in (
        ("osl-cp-1", "InitConfiguration"),
        ("osl-cp-2", "JoinConfiguration"),
        ("osl-w-1", "JoinConfiguration"),
    ):
        made = given(name, lambda data: data["cluster"].update(cgroupV1=True))
        assert made[document]["nodeRegistration"]["ignorePreflightErrors"] == ["SystemVerification"]
    kubelet = given("osl-cp-1", lambda data: data["cluster"].update(cgroupV1=True))["KubeletConfiguration"]
    assert kubelet["failCgroupV1"] is False


def test_nodes_with_cgroup_v2_keep_every_check():
    made = given("osl-cp-1")
    assert "failCgroupV1" not in made["KubeletConfiguration"]
    assert "ignorePreflightErrors" not in made["InitConfiguration"]["nodeRegistration"]


def test_a_mirror_of_images_is_kubeadms_and_containerds():
    data = bootstrap_data()
    data["images"] = {"registry": "registry.example.no/mirror", "country": "NO"}
    plan = bootstrap(data)
    cluster = documents(plan, plan.control_planes[0], CREDENTIALS)[1]
    assert cluster["imageRepository"] == "registry.example.no/mirror"
    assert 'sandbox = "registry.example.no/mirror/pause:3.10.2"' in containerd_config(plan)


def test_the_clusters_own_registry_wins_over_the_mirror():
    data = bootstrap_data()
    data["images"] = {"registry": "registry.example.no"}
    data["cluster"]["images"] |= {"registry": "kubernetes.example.no", "country": "NO"}
    assert bootstrap(data).registry == "kubernetes.example.no"
