"""A resource's type, as the stand-ins read it."""

from lab.plugins.resource_server import own_type


def test_a_child_is_handled_by_its_own_type_and_not_its_parents() -> None:
    urn = "urn:pulumi:lab::vds-platform::vds-platform:index:Node$command:remote:Command::osl-1-setup"
    assert own_type(urn) == "command:remote:Command"


def test_a_resource_without_a_parent_has_its_type_in_full() -> None:
    assert own_type("urn:pulumi:lab::p::kubernetes:core/v1:ConfigMap::a::b") == "kubernetes:core/v1:ConfigMap"
