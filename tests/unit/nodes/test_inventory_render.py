"""The note about the stack's nodes."""

from components.nodes.inventory_render import record


def test_the_order_of_the_stack_file_does_not_matter():
    assert record("oslo", ["b", "a"]) == record("oslo", iter(["a", "b"]))
