"""What an error says to write loads: each remedy is done as it is said, and the file is read again."""

from collections.abc import Callable
from typing import Any

import pytest

from components.stackfile.parsing import SpecError, parse
from tests.support.bundles import crd, digest, text
from tests.support.stacks import existing_data, stack_data

Data = dict[str, Any]
NATIVE = {"mode": "native", "nativeCidr": "10.244.0.0/16", "routes": "same-l2"}


def cni(**settings: Any) -> Callable[[Data], None]:
    return lambda data: data["cni"].update(settings)


def gateway(**settings: Any) -> Callable[[Data], None]:
    return lambda data: data["gateway"].update(settings)


def top(**settings: Any) -> Callable[[Data], None]:
    return lambda data: data.update(settings)


def network(**settings: Any) -> Callable[[Data], None]:
    return lambda data: data["network"].update(settings)


def bundle(release: str) -> Callable[[Data], None]:
    """`gateway.crds` with the file of a release."""
    content = text(crd(release=f"v{release}"))
    return gateway(crds={"kind": "bundle", "path": f"{release}.yaml", "sha256": digest(content)})


def exists(data: Data) -> None:
    """Somebody else has made the cluster."""
    data["cluster"] = existing_data()["cluster"]


def both(*changes: Callable[[Data], None]) -> Callable[[Data], None]:
    def change(data: Data) -> None:
        for one in changes:
            one(data)

    return change


CILIUMS = both(cni(gatewayApi=True, version="1.18.12"), gateway(install={"kind": "existing"}))
BUNDLED = both(CILIUMS, bundle("1.6.1"))
CASES: list[tuple[Callable[[Data], None], str, Callable[[Data], None]]] = [
    (BUNDLED, "gateway.crds: path and sha256 of Gateway API 1.4.1's standard-install.yaml", bundle("1.4.1")),
    (BUNDLED, "cni.version: 1.20.3", cni(version="1.20.3")),
    (BUNDLED, "gatewayApi: false", cni(gatewayApi=False)),
    (
        both(CILIUMS, gateway(bundleVersion="1.6.1")),
        "bundleVersion: 1.4.1",
        gateway(bundleVersion="1.4.1"),
    ),
    (cni(routing={**NATIVE, "mode": "Native"}), "mode: native with nativeCidr and routes", cni(routing=NATIVE)),
    (
        cni(routing={"mode": "tunnel", "protocol": "gre"}, podMtu=1450),
        "mode: tunnel with protocol: vxlan",
        cni(routing={"mode": "tunnel", "protocol": "vxlan"}),
    ),
    (
        cni(routing={"mode": "tunnel", "protocol": "gre"}, podMtu=1450),
        "mode: tunnel with protocol: geneve",
        cni(routing={"mode": "tunnel", "protocol": "geneve"}),
    ),
    (top(environment="Oslo"), "at most 32 lower-case letters, digits and '-', as in 'oslo'", top(environment="oslo")),
    (top(environment="o" * 33), "at most 32: shorten it", top(environment="o" * 32)),
    (
        gateway(controllerName="example.com/foo"),
        "write traefik.io/gateway-controller",
        gateway(controllerName="traefik.io/gateway-controller"),
    ),
    (
        gateway(controllerName="io.cilium/gateway-controller", install={"kind": "existing"}),
        "write cni.gatewayApi: true",
        cni(gatewayApi=True),
    ),
    (
        network(apiServer={"host": "10.96.0.1"}),
        "write a control plane's address",
        both(exists, network(apiServer={"host": "198.51.100.11"})),
    ),
    (cni(podMtu=1450), "write podMtu: 1500", cni(podMtu=1500)),
]


@pytest.mark.parametrize(("wrong", "says", "remedy"), CASES, ids=[says for _, says, _ in CASES])
def test_what_an_error_says_to_write_loads(
    tmp_path: Any, wrong: Callable[[Data], None], says: str, remedy: Callable[[Data], None]
) -> None:
    for release in ("1.4.1", "1.6.1"):
        (tmp_path / f"{release}.yaml").write_text(text(crd(release=f"v{release}")))
    data = stack_data("oslo")
    wrong(data)
    with pytest.raises(SpecError) as caught:
        parse(data, base_dir=tmp_path)
    assert says in str(caught.value)
    assert "1 problem" in str(caught.value)
    remedy(data)
    parse(data, base_dir=tmp_path)
