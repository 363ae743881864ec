"""`vds reach`: which pods reach which, and the rule that decides."""

import difflib
import gc
import re
from collections.abc import Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

import typer

from components.core.labels import TENANT
from components.core.untrusted import printable, without_escapes
from components.reach import render, services
from components.reach.evaluate import Reach
from components.reach.model import HIGHEST_PORT, PROTOCOLS, Answer, Port, State
from components.reach.questions import Answers, Cell, crossings, differences, tenant_of
from components.reach.read import MalformedError, read
from vds.reach import inputs
from vds.reach.inputs import Given
from vds.shared.errors import OperationError
from vds.shared.options import AsJson
from vds.shared.output import console, print_json

_CODES = {Answer.YES: 0, Answer.NO: 1, Answer.UNDECIDED: 2}
_CODES_BY_RANK = ((Answer.YES, 0), (Answer.UNDECIDED, 2))
_MOST_CELLS = 250_000
_MOST_SHOWN = 20
"""Counter-examples that are looked for."""

Files = Annotated[
    list[str] | None,
    typer.Option("--file", "-f", metavar="FILE", help="Manifests, a folder of them, or `-`; can be repeated."),
]


def reach(
    source: Annotated[
        str, typer.Argument(metavar="[FROM]", help="Who calls: NAMESPACE/WORKLOAD, or an address.", show_default=False)
    ] = "",
    target: Annotated[
        str,
        typer.Argument(
            metavar="[TO]", help="Who is called; also service/NAMESPACE/NAME, or its address.", show_default=False
        ),
    ] = "",
    *,
    port: Annotated[str, typer.Option("--port", help="For example 5432/TCP. Default: every port.")] = "",
    file: Files = None,
    state: Annotated[Path | None, typer.Option("--state", help="Output of `pulumi stack export`.")] = None,
    kubeconfig: Annotated[
        Path | None, typer.Option("--kubeconfig", help="Ask this cluster. It only reads: pods, namespaces, policies.")
    ] = None,
    before: Annotated[
        list[str] | None,
        typer.Option("--before", metavar="FILE", help="Show what changes from these manifests; can be repeated."),
    ] = None,
    isolated: Annotated[
        bool, typer.Option("--isolated", help="Prove that no tenant reaches another, or show pairs that do.")
    ] = False,
    namespace: Annotated[
        list[str] | None, typer.Option("--namespace", "-n", help="Only these namespaces in a matrix; can be repeated.")
    ] = None,
    cni: Annotated[
        str, typer.Option("--cni", help="What enforces the policies: cilium, calico or other. Default: see the guide.")
    ] = "",
    pod_network: Annotated[
        list[str] | None, typer.Option("--pod-network", metavar="CIDR", help="The pods' own network; can be repeated.")
    ] = None,
    mermaid: Annotated[bool, typer.Option("--mermaid", help="Print the matrix as a Mermaid flowchart.")] = False,
    html: Annotated[Path | None, typer.Option("--html", help="Write the matrix to this file, as one page.")] = None,
    as_json: AsJson = False,
) -> None:
    """Reads NetworkPolicies, policies of network-policy-api, Cilium's and Calico's, and changes nothing.

    Two names: exit code 0, the first reaches the second; 1, it does not; 2, it is undecided. Without names: the matrix.
    With --before or --isolated: exit code 1 if something changes, or if there is a pair.
    """
    gc.disable()  # looking for cycles, of which there are none, takes half of the time that 100,000 pods take
    given = _given(file, state, kubeconfig)
    asked = [name for name in (source, target) if inputs.is_address(name)]
    found = _read(given, cni, pod_network or [], asked)
    _notes(found)
    if before:
        raise typer.Exit(_differences(_read(inputs.of_files(before), cni, pod_network or [], asked), found, as_json))
    if isolated:
        raise typer.Exit(_isolated(found, namespace or [], as_json))
    if bool(source) != bool(target):
        raise OperationError("one name alone: write who calls and who is called, or none for the matrix")
    if source:
        raise typer.Exit(_pair(found, source, target, port, as_json))
    cells = _matrix(found, namespace or [], port)
    if html:
        if html.exists() and any(
            html.samefile(name) for name in (*(file or ()), state, kubeconfig) if name and name != "-"
        ):
            raise OperationError(f"--html {html}: is a file that was read: name another one")
        html.write_text(render.page(cells, "Who reaches whom"), encoding="utf-8")
    if as_json:
        print_json([render.cell_document(cell) for cell in cells])
    elif mermaid:
        print(without_escapes(render.mermaid(cells)), end="")
    elif not html:
        _print_table(cells)


def _given(file: list[str] | None, state: Path | None, kubeconfig: Path | None) -> Given:
    if [bool(file), bool(state), bool(kubeconfig)].count(True) != 1:
        raise OperationError("name what to read: --file, --state or --kubeconfig, and only one of them")
    if state:
        return inputs.of_state(state)
    return inputs.of_cluster(kubeconfig) if kubeconfig else inputs.of_files(file or [])


def _read(given: Given, cni: str, pod_networks: Sequence[str], addresses: Sequence[str]) -> State:
    if cni not in ("", "cilium", "calico", "other"):
        raise OperationError(f"--cni {cni}: is not known: write cilium, calico or other")
    kind: Literal["cilium", "calico", "other", ""] = cni or given.cni  # type: ignore[assignment]
    try:
        networks = [ip_network(text) for text in pod_networks]
    except ValueError as error:
        raise OperationError(f"--pod-network: {error}: write a network, for example 10.244.0.0/16") from None
    try:
        return read(given.manifests, cni=kind, pod_networks=networks, addresses=addresses, gaps=given.gaps)
    except MalformedError as error:
        where = given.place(error.item)
        said = f"{where} {error}" if where else str(error)
        raise OperationError(
            printable(f"{said}: correct it, `kubectl apply --dry-run=server` says what is wrong")
        ) from None
    except ValueError as error:
        raise OperationError(f"{error}: write --cni cilium or --cni calico") from None


def _notes(state: State) -> None:
    errors = console(stderr=True)
    if not state.workloads:
        raise OperationError(
            "there is no pod and no workload in what was read: name manifests with Deployments or Pods"
        )
    for label in state.ignored:
        errors.print(f"note: {printable(label)} is not enforced by the CNI, and was left out", markup=False)
    for label, why in sorted({(one.label, one.unreadable) for one in state.policies if one.unreadable}):
        errors.print(f"note: {printable(label)}: {printable(why)}; what it may decide is undecided", markup=False)


def _pair(state: State, source: str, target: str, port: str, as_json: bool) -> int:
    service = services.named(state, target)
    for name in (source, *([] if service else [target])):
        _known(state, name)
    answers = Answers(Reach(state))
    if service and not port:
        return _service(answers, source, service, as_json)
    if port:
        asked = _port(port)
        verdict = (
            services.verdict(answers, source, service, asked) if service else answers.verdict(source, target, asked)
        )
        if as_json:
            print_json({"source": source, "target": target, "port": port, **render.verdict_document(verdict)})
        else:
            _print(render.sentence(source, target, str(_port(port)), verdict))
        return _CODES[verdict.answer]
    cell = answers.cell(source, target, answers.reach.spans())
    if as_json:
        print_json(render.cell_document(cell))
    else:
        for part in cell.parts:
            _print(render.sentence(source, target, render.ports(part.spans), part.verdict))
    return next((code for answer, code in _CODES_BY_RANK if cell.spans(answer)), 1)


def _service(answers: Answers, source: str, name: str, as_json: bool) -> int:
    """All ports of a Service."""
    ports = services.ports_of(answers, name)
    found = {port: services.verdict(answers, source, name, port) for port in ports}
    target = f"{services.PREFIX}{name}"
    if as_json:
        rows = [{"port": str(port), **render.verdict_document(one)} for port, one in found.items()]
        print_json({"source": source, "target": target, "answers": rows})
    else:
        for port, one in found.items():
            _print(render.sentence(source, target, str(port), one))
    answers_given = {one.answer for one in found.values()}
    return next((code for answer, code in _CODES_BY_RANK if answer in answers_given), 1)


def _known(state: State, name: str) -> None:
    if name in state.workloads:
        return
    if name.startswith(services.PREFIX):
        own = sorted(f"{services.PREFIX}{one}" for one in state.services)
        near = difflib.get_close_matches(name, own, n=3, cutoff=0.5) or own[:3]
        remedy = f"write for example {', '.join(near)}" if near else "name manifests with the Service"
        raise OperationError(f"{printable(name)}: is no Service of what was read: {printable(remedy)}")
    near = difflib.get_close_matches(name, state.workloads, n=3, cutoff=0.5) or sorted(state.workloads)[:3]
    raise OperationError(f"{printable(name)}: is no workload of what was read: write for example {', '.join(near)}")


def _port(text: str) -> Port:
    match = re.fullmatch(r"(\d{1,5})(?:/(\w+))?", text)
    if match is None or not 0 < int(match[1]) <= HIGHEST_PORT or (match[2] or "TCP").upper() not in PROTOCOLS:
        raise OperationError(
            f"--port {printable(text)}: is no port: write a number and a protocol, for example 5432/TCP"
        )
    return Port(int(match[1]), (match[2] or "TCP").upper())


def _matrix(state: State, namespaces: Sequence[str], port: str) -> list[Cell]:
    names = _chosen(state, namespaces)
    if len(names) ** 2 > _MOST_CELLS:
        raise OperationError(f"{len(names)} workloads are too many for a matrix: choose some with --namespace")
    answers = Answers(Reach(state))
    spans = [span for span in answers.reach.spans() if not port or _covers(span.first, span.last, span.protocols, port)]
    return list(answers.cells(names, names, spans))


def _covers(first: int, last: int, protocols: Sequence[str], port: str) -> bool:
    asked = _port(port)
    return first <= asked.number <= last and asked.protocol in protocols


def _chosen(state: State, namespaces: Sequence[str]) -> list[str]:
    there = {name.partition("/")[0] for name in state.workloads}
    if missing := sorted(set(namespaces) - there):
        raise OperationError(f"--namespace {', '.join(map(printable, missing))}: has no pod in what was read")
    return sorted(name for name in state.workloads if not namespaces or name.partition("/")[0] in namespaces)


def _differences(old: State, new: State, as_json: bool) -> int:
    if max(len(old.workloads), len(new.workloads)) ** 2 > _MOST_CELLS:
        raise OperationError(f"{len(new.workloads)} workloads are too many to compare: name fewer files")
    found = differences(old, new)
    if as_json:
        print_json([render.difference_document(one) for one in found])
    else:
        _print([render.difference_text(one) for one in found] or ["nothing changes in who reaches whom"])
    return 1 if found else 0


def _isolated(state: State, namespaces: Sequence[str], as_json: bool) -> int:
    group = tenant_of(state)
    tenants = {name for name, labels in state.namespaces.items() if TENANT in labels}
    if tenants:  # a namespace whose labels were not read may be a tenant's
        tenants |= {endpoint.namespace for endpoint in state.endpoints} - {*state.namespaces, ""}
    chosen = set(namespaces) or tenants or {endpoint.namespace for endpoint in state.endpoints}
    asked = Reach(state)
    pairs: dict[tuple[str, str], None] = {}
    for one in crossings(asked, group, lambda endpoint: endpoint.namespace in chosen):
        pairs[one.source, one.target] = None
        if len(pairs) == _MOST_SHOWN:
            break
    answers, spans = Answers(asked), asked.spans()
    cells = [answers.cell(*pair, spans) for pair in sorted(pairs)]
    if as_json:
        print_json([render.cell_document(cell) for cell in cells])
    for cell in () if as_json else cells:
        for part in cell.parts:
            if part.verdict.answer is not Answer.NO:
                _print(render.sentence(cell.source, cell.target, render.ports(part.spans), part.verdict))
    if not cells and not as_json:
        _print([f"no tenant reaches another: {', '.join(sorted(map(printable, chosen)))}"])
    if not cells:
        return 0
    return 1 if any(cell.spans(Answer.YES) for cell in cells) else 2


def _print(lines: Sequence[str]) -> None:
    for line in lines:
        print(printable(line))


def _print_table(cells: Sequence[Cell]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table()
    targets = list(dict.fromkeys(cell.target for cell in cells))
    table.add_column("from \\ to")
    for target in targets:
        table.add_column(Text(printable(target)))
    rows: dict[str, list[str]] = {}
    for cell in cells:
        rows.setdefault(cell.source, []).append(render.cell_text(cell))
    for source, texts in rows.items():
        table.add_row(Text(printable(source)), *map(Text, texts))
    console().print(table)
