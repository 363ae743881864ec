"""Whatever a program is called and holds, its comment fits, keeps its tags closed and shows no secret."""

import json
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.support.examples import examples
from vds.preview_comment.budget import size
from vds.preview_comment.events import read
from vds.preview_comment.render import comment, full
from vds.preview_comment.report import Preflight, StackReport
from vds.preview_comment.residency import of_changes

HIDDEN = "hunter2hunter2"
SIGNATURE = "4dabf18193072939515e22adb298388d"

hostile = st.sampled_from(
    ["</details>", "<details>", "```", "````\n", "`", "|", "@everyone", "<!--", "-->", "[a](https://x)", "\r\n- ", "&"]
)
texts = st.one_of(hostile, st.text(max_size=30), st.builds(lambda a, b: a + b, hostile, st.text(max_size=10)))
names = st.one_of(hostile, st.text(min_size=1, max_size=12))
secrets = st.one_of(
    st.just({SIGNATURE: "1b47061264138c4ac30d75fd1eb44270", "ciphertext": HIDDEN}),
    st.builds(lambda key: {key: HIDDEN}, st.sampled_from(["kubeconfig", "privateKey", "admin_password", "apiToken"])),
    st.just(f"-----BEGIN OPENSSH PRIVATE KEY-----\n{HIDDEN}\n"),
    st.just(f"https://user:{HIDDEN}@host/"),
)
values = st.recursive(
    st.one_of(texts, st.integers(), st.booleans(), st.none(), secrets),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3)),
    max_leaves=8,
)
inputs = st.dictionaries(names, values, max_size=4)
kinds = st.sampled_from(
    [
        "kubernetes:core/v1:Secret",
        "kubernetes:core/v1:ConfigMap",
        "command:remote:Command",
        "pulumi:providers:x",
        "a:b:C",
    ]
)


@st.composite
def steps(draw: st.DrawFn, urns: list[str]) -> dict[str, Any]:
    op = draw(st.sampled_from(["same", "create", "update", "replace", "delete", "create-replacement", "read"]))
    kind, urn = draw(kinds), draw(st.sampled_from(urns))

    def side() -> dict[str, Any]:
        return {
            "type": kind,
            "urn": urn,
            "custom": draw(st.booleans()),
            "id": draw(names),
            "parent": draw(st.sampled_from(urns)),
            "provider": f"{draw(st.sampled_from(urns))}::id",
            "protect": draw(st.booleans()),
            "inputs": draw(inputs),
        }

    metadata: dict[str, Any] = {"op": op, "urn": urn, "type": kind}
    metadata["old"] = None if op == "create" else side()
    metadata["new"] = None if op == "delete" else side()
    if "replace" in op:
        metadata["keys"] = draw(st.lists(names, max_size=2))
    metadata["diffs"] = draw(st.lists(names, max_size=2))
    return {"resourcePreEvent": {"metadata": metadata}}


@st.composite
def reports(draw: st.DrawFn) -> StackReport:
    urns = [f"urn:pulumi:s::p::t::{name}" for name in draw(st.lists(names, min_size=1, max_size=6, unique=True))]
    events: list[dict[str, Any]] = draw(st.lists(steps(urns), max_size=12))
    for _ in range(draw(st.integers(0, 3))):
        policy = {
            "policyName": draw(names),
            "message": draw(texts),
            "enforcementLevel": draw(st.sampled_from(["mandatory", "advisory"])),
            "resourceUrn": draw(st.sampled_from(urns)),
        }
        events.append({"policyEvent": policy})
    events.append({"diagnosticEvent": {"severity": "error", "message": draw(texts)}})
    events.append({"summaryEvent": {"result": draw(st.sampled_from(["failed", "succeeded"]))}})
    preview = read(map(json.dumps, events))
    fails = tuple(draw(st.lists(texts, max_size=3)))
    return StackReport(
        draw(names),
        tuple(draw(st.lists(names, max_size=3))),
        preview,
        problems=tuple(draw(st.lists(texts, max_size=3))),
        residency=of_changes(preview.changes),
        preflight=draw(st.sampled_from([None, Preflight(fails=fails), Preflight(unusable="too old")])),
    )


def outside_code(text: str) -> str:
    """The text without its blocks of code, in which nothing is a tag."""
    return re.sub(r"^(`{3,})\w*\n.*?^\1$", "", text, flags=re.MULTILINE | re.DOTALL)


@examples(20)
@given(st.lists(reports(), min_size=1, max_size=3), st.integers(1500, 20_000))
def test_any_comment_fits_closes_what_it_opens_and_hides_what_is_secret(found: list[StackReport], limit: int) -> None:
    text = comment(found, limit=limit, full_report="x")
    assert size(text) <= limit
    for whole in (text, full(found)):
        assert HIDDEN not in whole
        read_as_markup = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", outside_code(whole))
        assert read_as_markup.count("<details>") == read_as_markup.count("</details>")
        assert re.sub(r"^<!-- vds-platform preview \w+ -->", "", read_as_markup).count("<!--") == 0


@examples(8)
@given(reports())
def test_the_same_report_is_the_same_text(found: StackReport) -> None:
    assert comment([found]) == comment([found])
