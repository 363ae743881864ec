"""The same state, the same bytes: however the engine came to write it, and whenever somebody asks."""

import json
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.support.evidence import DATE, evidence, export
from tests.support.examples import examples
from tests.support.export import SIGNATURE
from vds.evidence.contents import render
from vds.evidence.state import read
from vds.evidence.tables import words
from vds.shared.markdown import table

RESOURCES = len(export()["deployment"]["resources"])
FIRST = render(evidence(), date=DATE)


@examples(6)
@given(order=st.permutations(range(RESOURCES)))
def test_the_order_of_resources_in_a_state_changes_no_byte(order: list[int]) -> None:
    made = export()
    resources = made["deployment"]["resources"]
    made["deployment"]["resources"] = [resources[index] for index in order]
    assert render(evidence(made), date=DATE) == FIRST


@examples(5)
@given(date=st.datetimes().map(lambda moment: moment.strftime("%Y-%m-%d %H:%M:%S UTC")))
def test_another_date_changes_one_line_of_one_file(date: str) -> None:
    second = render(evidence(), date=date)
    differing = [name for name in FIRST if FIRST[name] != second[name]]
    assert differing in ([], ["index.md"])
    lines = zip(FIRST["index.md"].splitlines(), second["index.md"].splitlines(), strict=True)
    assert all(one == other or one.startswith(b"Date: ") for one, other in lines)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
SECRET = "s3cr3t-that-nobody-may-see"


@examples(8)
@given(beside=st.dictionaries(st.text(), JSON, max_size=3), field=st.sampled_from(["ciphertext", "plaintext"]))
def test_a_secret_anywhere_in_a_resource_is_in_no_file(beside: dict[str, Any], field: str) -> None:
    made = export()
    hidden = {**SIGNATURE, field: SECRET}
    for resource in made["deployment"]["resources"]:
        for side in ("inputs", "outputs"):
            resource[side] = {**beside, **resource.get(side, {}), "hidden": [hidden, {"deeper": hidden}]}
    assert SECRET not in str(read(json.dumps(made), "it"))
    assert not any(SECRET.encode() in content for content in render(evidence(made), date=DATE).values())


KINDS = [
    "kubernetes:apps/v1:Deployment",
    "kubernetes:cilium.io/v2:CiliumNetworkPolicy",
    "kubernetes:core/v1:Namespace",
    "kubernetes:helm.sh/v3:Release",
    "kubernetes:metallb.io/v1beta1:IPAddressPool",
    "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding",
    "vds-platform:index:Node",
    "vds-platform:index:Residency",
    "command:remote:Command",
]
WORDS = [
    "metadata",
    "labels",
    "vds-platform.no/tenant",
    "spec",
    "values",
    "repositoryOpts",
    "chart",
    "egress",
    "address",
]
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["\x00", "butikk", "https://[", "10.0.0.0/33", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=12,
)


@examples(8)
@given(kind=st.sampled_from(KINDS), inputs=ODD, outputs=ODD, parent=ODD)
def test_whatever_a_resource_holds_the_evidence_is_written(kind: str, inputs: Any, outputs: Any, parent: Any) -> None:
    made = export()
    odd = {"urn": f"urn:pulumi:lab::vds-platform::{kind}::odd", "type": kind, "inputs": inputs, "outputs": outputs}
    made["deployment"]["resources"].append({**odd, "parent": parent, "custom": kind.startswith("kubernetes")})
    assert render(evidence(made), date=DATE)


@given(value=st.text(st.characters(codec="utf-8")))
def test_no_value_breaks_out_of_a_cell_of_a_table(value: str) -> None:
    lines = table(("a", "b"), [(words(value), "b")]).split("\n")
    assert len(lines) == 4
    assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", lines[2])) == 3
    assert not re.search(r"(?<!\\)<", lines[2])
