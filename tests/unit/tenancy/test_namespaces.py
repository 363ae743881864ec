"""Which namespaces are tenants'."""

from components.tenancy.namespaces import is_tenant_namespace


def test_every_namespace_that_is_not_the_platforms_is_a_tenants() -> None:
    assert is_tenant_namespace("butikk")
    assert not is_tenant_namespace("kube-system")
    assert not is_tenant_namespace("edge", platform=["edge"])
