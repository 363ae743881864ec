"""The matrix, the differences between two states, and pairs of different tenants."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from components.core.labels import TENANT
from components.reach import render
from components.reach.evaluate import Reach
from components.reach.model import Answer, Span
from components.reach.questions import Answers, Cell, crossings, differences, merged, tenant_of
from components.reach.read import read
from tests.support.reach_clusters import namespace, pod, policies
from tests.support.reach_intents import Maker

NAMESPACES = [namespace("bank", **{TENANT: "bank"}), namespace("butikk", **{TENANT: "butikk"})]
PODS = [pod("bank/db", ports={"sql": 5432}), pod("butikk/frontend")]
CLOSED = policies(
    "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: bank}\n"
    "spec: {podSelector: {}}"
)
OPENED = policies(
    "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: open, namespace: bank}\n"
    "spec: {podSelector: {}, ingress: [{from: [{namespaceSelector: {}}], ports: [{port: sql}]}]}"
)
EGRESS = policies(
    "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: quiet, namespace: bank}\n"
    "spec: {podSelector: {}, policyTypes: [Egress]}"
)


def cells(manifests: list[dict[str, Any]]) -> dict[tuple[str, str], Cell]:
    answers = Answers(Reach(read(manifests)))
    names = sorted(answers.reach.state.workloads)
    return {(one.source, one.target): one for one in answers.cells(names, names, answers.reach.spans())}


def test_a_cell_has_all_ports() -> None:
    found = cells([*NAMESPACES, *PODS, *CLOSED, *OPENED])
    assert render.cell_text(found["bank/db", "butikk/frontend"]) == "all ports"
    assert render.cell_text(found["butikk/frontend", "bank/db"]) == "5432/TCP"
    assert render.cell_text(cells([*NAMESPACES, *PODS, *CLOSED])["butikk/frontend", "bank/db"]) == "–"


def test_every_port_of_a_span_has_the_answer_of_its_first() -> None:
    for seed in range(40):
        answers = Answers(Reach(read(Maker(seed).cluster(), cni="other")))
        names = sorted(answers.reach.state.workloads)[:3]
        for span in answers.reach.spans():
            for protocol in span.protocols:
                for number in {span.first, span.last, (span.first + span.last) // 2}:
                    for source in names:
                        for target in names:
                            asked = span.port._replace(number=number, protocol=protocol)
                            one, other = (answers.verdict(source, target, port).answer for port in (span.port, asked))
                            assert one is other, (seed, span, asked)


def test_spans_are_merged() -> None:
    split = [Span(("TCP",), 1, 79), Span(("TCP",), 80, 80), Span(("UDP",), 1, 80), Span(("TCP",), 90, 90)]
    assert merged(split) == (Span(("TCP", "UDP"), 1, 80), Span(("TCP",), 90, 90))
    assert str(Span(("TCP",), 90, 90)) == "90/TCP"


def test_a_change_that_opens_a_port_is_said() -> None:
    own, found = differences(read([*NAMESPACES, *PODS, *CLOSED]), read([*NAMESPACES, *PODS, *CLOSED, *OPENED]))
    assert (own.source, own.target) == ("bank/db", "bank/db")
    assert render.difference_text(found) == "this change lets butikk/frontend reach bank/db at 5432/TCP"
    assert [one.policy for one in found.after.reasons] == ["", "NetworkPolicy bank/open"]
    _, back = differences(read([*NAMESPACES, *PODS, *CLOSED, *OPENED]), read([*NAMESPACES, *PODS, *CLOSED]))
    assert render.difference_text(back) == "this change stops butikk/frontend from reaching bank/db at 5432/TCP"


def test_nothing_changes_between_equal_states() -> None:
    for seed in range(20):
        manifests = Maker(seed).cluster()
        assert differences(read(manifests, cni="other"), read(list(reversed(manifests)), cni="other")) == []


def test_a_changed_policy_gives_the_answers_of_a_state_that_is_read_anew() -> None:
    for seed in range(40):
        manifests = Maker(seed, policies=6).cluster()
        old = [one for one in manifests if one["kind"].endswith("NetworkPolicy")][:1]
        others = [one for one in manifests if one not in old]
        new = [{**one, "spec": {**one["spec"], "ingress": []}} for one in old]
        before = Reach(read(manifests, cni="other"))
        for span in before.spans():  # fill what is kept
            before.verdict(0, len(before.state.endpoints) - 1, span.port)
        removed = {policy.label for policy in read(old, cni="other").policies}
        after = Answers(before.changed(removed, read(new, cni="other").policies))
        fresh = Answers(Reach(read([*others, *new], cni="other")))
        assert after.reach.spans() == fresh.reach.spans()
        for span in fresh.reach.spans():
            for source in fresh.reach.state.workloads:
                for target in fresh.reach.state.workloads:
                    one, other = (answers.verdict(source, target, span.port) for answers in (after, fresh))
                    assert one.answer is other.answer, seed


def test_a_workload_that_comes_is_reached_by_those_that_may() -> None:
    found = differences(read([*NAMESPACES, PODS[0]]), read([*NAMESPACES, *PODS, *CLOSED]))
    assert [(one.source, one.target, one.after.answer) for one in found] == [
        ("bank/db", "bank/db", Answer.NO),
        ("bank/db", "butikk/frontend", Answer.YES),
        ("butikk/frontend", "butikk/frontend", Answer.YES),
    ]


def pairs(manifests: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    state = read(manifests)
    found = crossings(Reach(state), tenant_of(state), lambda _: True)
    return [(one.source, one.target, str(one.span)) for one in found]


def test_a_pair_of_two_tenants_is_a_counter_example() -> None:
    assert pairs([*NAMESPACES, *PODS, *CLOSED, *EGRESS]) == []
    assert pairs([*NAMESPACES, *PODS, *CLOSED, *OPENED, *EGRESS]) == [("butikk/frontend", "bank/db", "5432/TCP")]


def test_namespaces_of_one_tenant_may_reach_each_other() -> None:
    assert pairs([namespace("bank", **{TENANT: "x"}), namespace("butikk", **{TENANT: "x"}), *PODS]) == []


def test_crossings_are_those_of_the_matrix() -> None:
    for seed in range(60):
        manifests = Maker(seed).cluster()
        state = read(manifests, cni="other")
        answers = Answers(Reach(state))
        found = {(one.source, one.target) for one in crossings(answers.reach, tenant_of(state), lambda _: True)}
        wanted = {
            (source, target)
            for source in state.workloads
            for target in state.workloads
            if source.partition("/")[0] != target.partition("/")[0]
            and any(
                answers.verdict(source, target, span.port).answer is not Answer.NO for span in answers.reach.spans()
            )
        }
        first = {place: name for name, (place,) in reversed(state.workloads.items())}
        assert found == {tuple(first[state.workloads[name][0]] for name in pair) for pair in wanted}, seed


# --- Mermaid, JSON, HTML -------------------------------------------------------------------------------------

EVIL = '</script><script>document.title="evil"</script>'


def named() -> list[Cell]:
    return list(cells([*NAMESPACES, *PODS, *CLOSED, *OPENED, pod(f"butikk/{EVIL}")]).values())


def test_mermaid_has_an_arrow_for_each_pair_that_connects() -> None:
    text = render.mermaid(named())
    assert '-->|"5432/TCP"|' in text
    assert "<script>" not in text


def test_the_json_of_a_cell_has_the_rule() -> None:
    (found,) = [
        render.cell_document(one) for one in named() if (one.source, one.target) == ("butikk/frontend", "bank/db")
    ]
    by_answer = {one["answer"]: one for one in found["answers"]}
    assert by_answer["yes"]["ports"] == [{"protocols": ["TCP"], "first": 5432, "last": 5432}]
    assert by_answer["yes"]["reasons"][1]["rule"] == "ingress[0]"
    assert by_answer["no"]["reasons"][0]["policy"].startswith("NetworkPolicy bank/")


def test_the_page_loads_nothing_and_escapes_names() -> None:
    text = render.page(named(), "Who <reaches> whom")
    assert "<title>Who &lt;reaches&gt; whom</title>" in text
    assert EVIL not in text
    assert re.findall(r"(?:src|href)=|https?://", text) == []
    data = re.search(r'id="data">(.*?)</script>', text)
    assert data
    assert f"butikk/{EVIL}" in json.loads(data[1])["names"]


def test_a_click_in_a_browser_shows_the_rules_of_the_pair(tmp_path: Path) -> None:
    browser = next(filter(None, map(shutil.which, ("chromium-headless-shell", "chromium", "google-chrome"))), None)
    if browser is None:
        pytest.skip("there is no Chromium; install the package chromium-headless-shell")
    click = """<script>
    document.querySelector('[aria-label^="butikk/frontend to bank/db"]').click();
    document.body.dataset.buttons = document.querySelectorAll("tbody button").length;
    </script></body>"""
    file = tmp_path / "page.html"
    file.write_text(render.page(named(), "Who reaches whom").replace("</body>", click), encoding="utf-8")
    argv = [
        browser,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={tmp_path}",
        "--dump-dom",
        file.as_uri(),
    ]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120)
    assert '<h2 id="pair">butikk/frontend → bank/db</h2>' in done.stdout, done.stderr
    assert "<dt>5432/TCP: yes</dt><dd>egress: no policy for this direction selects the pods</dd>" in done.stdout
    assert "<dd>ingress: NetworkPolicy bank/open, ingress[0], allows it</dd>" in done.stdout
    assert 'data-buttons="9"' in done.stdout
    assert "<title>Who reaches whom</title>" in done.stdout
