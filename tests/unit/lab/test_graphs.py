"""The picture of a dashboard's data."""

from xml.etree import ElementTree

from lab.graphs import Graph, svg


def test_each_graph_has_its_title_and_a_line_for_each_series() -> None:
    one = Graph("Time <s>", "s", [("osl-w-1", [(0, 0), (60, 2)]), ("osl-w-2", [(0, 1), (60, float("nan"))])])
    text = svg([one, Graph("Nothing", "short", [])])
    tree = ElementTree.fromstring(text)  # noqa: S314  it is ours
    said = [node.text for node in tree.iter("{http://www.w3.org/2000/svg}text")]
    assert "Time <s>" in said
    assert "Nothing" in said
    lines = [node.get("points") for node in tree.iter("{http://www.w3.org/2000/svg}polyline")]
    assert lines == ["12.0,152.0 312.0,32.0", "12.0,92.0"]
