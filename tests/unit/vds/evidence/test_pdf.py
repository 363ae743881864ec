"""The PDF is the record, the same bytes each time, whatever the texts are."""

import subprocess
import sys
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from tests.support.evidence import evidence
from tests.support.examples import examples
from tests.support.stacks import ROOT
from vds.evidence.diagram import svg
from vds.evidence.graph import graph_of
from vds.evidence.model import Place
from vds.evidence.pdf import _block, pdf
from vds.evidence.record import record_markdown

OSLO = evidence(name="oslo")
RECORD, PICTURE = record_markdown(OSLO), svg(graph_of(OSLO))


def test_another_process_gives_the_same_bytes() -> None:
    made_of = "pdf(b'# A\\n\\n- b\\n', sys.argv[1].encode())"
    program = f"import sys; from vds.evidence.pdf import pdf; sys.stdout.buffer.write({made_of})"
    small = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"></svg>'
    made = subprocess.run([sys.executable, "-c", program, small], cwd=ROOT, capture_output=True, check=True).stdout
    assert made.startswith(b"%PDF-")
    assert made == pdf(b"# A\n\n- b\n", small.encode())


def test_every_text_of_the_record_is_in_it() -> None:
    root = SyntaxTreeNode(MarkdownIt("commonmark").enable("table").parse(RECORD.decode()))
    kinds = {node.type for node in root.children}
    assert kinds == {"heading", "paragraph", "bullet_list", "table"}
    written = [leaf.content for leaf in root.walk() if leaf.type in ("text", "code_inline")]
    blocks = [_block(node) for node in root.children]

    def texts(value: object) -> list[str]:
        if isinstance(value, dict):
            return [value["text"]] if "text" in value else [text for inner in value.values() for text in texts(inner)]
        return [text for inner in value for text in texts(inner)] if isinstance(value, list) else []

    assert [text for block in blocks for text in texts(block) if text != " "] == [text for text in written if text]


@examples(10)
@given(name=st.text(max_size=40))
def test_no_name_breaks_it(name: str) -> None:
    place = Place("backup", f"#{name}", f'"{name}', "NO", f"{name}$]", "NO", (name,), "allowed")
    found = replace(OSLO, places=(*OSLO.places, place))
    assert pdf(record_markdown(found), svg(graph_of(found))).startswith(b"%PDF-")
