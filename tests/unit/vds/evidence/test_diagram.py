import re
from dataclasses import replace
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from tests.support.evidence import evidence
from vds.evidence.diagram import svg
from vds.evidence.graph import Graph, graph_of, mermaid
from vds.evidence.model import Evidence, Place, Tenant

LAB = evidence()


def texts(graph: Graph) -> list[str]:
    root = ElementTree.fromstring(svg(graph))  # noqa: S314  our own
    return ["".join(element.itertext()) for element in root.iter("{http://www.w3.org/2000/svg}text")]


def with_places(places: list[Place], tenants: tuple[Tenant, ...] = ()) -> Evidence:
    return replace(LAB, places=tuple(sorted(places)), tenants=tenants or LAB.tenants)


def node(name: str, country: str = "NO") -> Place:
    status = "allowed" if country == "NO" else "refused"
    return Place("node", name, "192.0.2.1", country, "Lab", country, (), status)  # type: ignore[arg-type]


def test_every_country_has_a_box_and_every_place_its_standing_as_a_sign() -> None:
    shown = texts(graph_of(with_places([node("a"), node("b", "SE")])))
    assert {"Country NO", "Country SE", "✓ node a · Lab (NO)", "✗ node b · Lab (SE)"} <= set(shown)
    text = mermaid(graph_of(with_places([node("a"), node("b", "SE")]))).decode()
    assert '["✗ node b · Lab (SE)"]:::wrong' in text


def test_what_a_tenant_reaches_is_an_edge_of_its_own() -> None:
    graph = graph_of(LAB)
    assert [edge.text for edge in graph.edges if edge.start == "tenants" and edge.end != "cluster"] == ["butikk"]


def test_a_large_stack_stays_a_picture_and_what_is_wrong_stays_in_it() -> None:
    tenants = tuple(Tenant(f"t{number}", ("g",), (), ()) for number in range(500))
    graph = graph_of(with_places([*(node(f"n{number}") for number in range(100)), node("z", "SE")], tenants))
    shown = texts(graph)
    assert "✗ node z · Lab (SE)" in shown
    assert "? … and 460 more, see record-of-processing.md" in shown
    assert len(shown) < 120


def test_a_label_is_cut_and_not_drawn_over_its_box() -> None:
    assert max(map(len, texts(graph_of(with_places([node("n" * 300)]))))) <= 90


@given(name=st.text())
def test_no_name_breaks_a_picture(name: str) -> None:
    graph = graph_of(with_places([node(name)]))
    assert len(texts(graph)) == len(texts(graph_of(with_places([node("a")]))))
    lines = mermaid(graph).decode(errors="surrogatepass").splitlines()
    [line] = [line for line in lines if ":::well" in line and "node" in line]
    assert re.fullmatch(r'    country\d+r0\["[^"<>`|{}\\]*"\]:::well', line)
