"""What a stack file may not say about a cluster that kubeadm makes: item, value, remedy."""

import pytest

from tests.support.bootstraps import USER, armoured, authority, bootstrap_data, key_packet
from tests.support.stacks import problems


def changed(**cluster):
    data = bootstrap_data()
    data["cluster"].update(cluster)
    return data


def with_swap():
    data = bootstrap_data()
    data["nodes"][0]["keepSwap"] = True
    return data


def with_endpoint(host, control_planes=3):
    data = bootstrap_data()
    data["network"]["apiServer"]["host"] = host
    data["nodes"] = data["nodes"][:control_planes] + data["nodes"][3:]
    return data


def test_three_control_planes_and_two_workers_have_no_problems():
    assert problems(bootstrap_data()) == []


def test_containerd_1_is_enough_for_kubernetes_1_35():
    data = changed(containerd={"version": "1.7.28-1"}, kubernetesVersion="1.35.4")
    assert not any("containerd" in problem for problem in problems(data))


def test_one_control_plane_may_be_the_endpoint_itself():
    assert problems(with_endpoint("198.51.100.11", control_planes=1)) == []


def test_a_name_is_an_endpoint():
    assert problems(with_endpoint("api.oslo.example.no")) == []


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (with_endpoint("198.51.100.11"), "network.apiServer.host: 198.51.100.11 is node osl-cp-1, one of 3 control"),
        (with_endpoint("osl-cp-2"), "network.apiServer.host: osl-cp-2 is node osl-cp-2, one of 3 control planes"),
        (
            with_endpoint("198.51.100.21"),
            "is node osl-w-1, a worker: no API server listens there: write the name or address in",
        ),
        (with_endpoint("198.51.100.10", control_planes=2), "nodes: 2 control-plane nodes: etcd survives no more"),
        (with_endpoint("198.51.100.10", control_planes=0), "nodes: none has the role control-plane"),
        (with_swap(), "node osl-cp-1: keepSwap is true, and a kubelet does not start with swap"),
        (
            changed(kubernetesVersion="1.36"),
            "cluster.kubernetesVersion: '1.36' is refused: write all three numbers",
        ),
        (changed(kubernetesVersion="1.30.4"), "1.30.4 is not between 1.32 and 1.36"),
        (changed(kubernetesVersion="1.37.0"), "1.37.0 is not between 1.32 and 1.36"),
        (
            changed(sourceCountries=[]),
            "cluster.packages: https://pkgs.k8s.io/core:/stable:/ is under the law of US, allowed: NO: use a mirror",
        ),
        (changed(sourceCountries=[]), "cluster.images: registry.k8s.io is under the law of US, allowed: NO"),
        (
            changed(images={"pause": "3.10.2"}),
            "cluster.images: nothing says under whose law registry.k8s.io is: write cluster.images.country",
        ),
        (
            changed(containerd={"version": "1.7.28-0ubuntu1~24.04.1"}),
            "is older than 2.0, which Kubernetes needs from 1.36",
        ),
        (changed(containerd={"version": "latest"}), "cluster.containerd.version: 'latest' is refused: write a"),
        (changed(caCertificate="x"), "cluster.caCertificate: 'x' is refused: write one certificate"),
        (changed(caCertificate=authority(ca=False)[0]), "is not allowed to sign certificates"),
        (changed(caCertificate="".join(authority())), "set the secret vds-platform:caKey"),
        (changed(kind="k3s"), "cluster.kind: 'k3s' is not one of the choices: write 'existing', 'kubeadm'"),
    ],
)
def test_what_is_wrong_is_said_with_its_remedy(data, said):
    assert any(said in problem for problem in problems(data)), problems(data)


def with_key(armour, fingerprint=None):
    data = bootstrap_data()
    key = data["cluster"]["packages"]["signingKey"]
    key["armoured"] = armour
    key["fingerprint"] = fingerprint or key["fingerprint"]
    return data


@pytest.mark.parametrize(
    ("armour", "said"),
    [
        ("", "write the whole armoured key"),
        (armoured(key_packet("another"), USER), "has the fingerprint"),
        (armoured(key_packet(), USER, key_packet("another"), USER), "has 2 keys, and apt would trust all of them"),
        (armoured(USER), "has 0 keys"),
        (armoured(key_packet()[:-4]), "is damaged: copy it again"),
        (armoured(key_packet().replace(b"\x04", b"\x06", 1)), "only keys of OpenPGP version 4"),
    ],
)
def test_a_repositorys_key_is_the_one_that_was_compared(armour, said):
    (problem,) = problems(with_key(armour))
    assert problem.startswith("cluster.packages.signingKey")
    assert said in problem


def test_a_mirror_in_the_country_needs_no_permission():
    data = changed(sourceCountries=[])
    data["cluster"]["packages"] |= {"url": "https://apt.example.no/kubernetes/", "country": "NO"}
    data["cluster"]["images"] |= {"registry": "registry.example.no/kubernetes", "country": "NO"}
    assert problems(data) == []


def test_a_private_key_in_the_stack_file_is_not_repeated():
    certificate, key = authority()
    text = "\n".join(problems(changed(caCertificate=key)) + problems(changed(caCertificate=certificate + key)))
    assert "BEGIN" not in text
    assert not any(line in text for line in key.splitlines())
