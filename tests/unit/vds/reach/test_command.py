"""`vds reach`: its inputs, its exit codes, and what it refuses."""

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.kubernetes_api import ApiError
from components.reach.read import MalformedError, read
from tests.support.commands import vds
from tests.support.reach_clusters import namespace, pod
from vds.reach import inputs

POLICY = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "closed", "namespace": "bank"},
    "spec": {"podSelector": {}},
}
CLUSTER = [namespace("bank"), namespace("butikk"), pod("bank/db"), pod("butikk/web"), POLICY]


@pytest.fixture
def file(tmp_path: Path) -> str:
    made = tmp_path / "cluster.yaml"
    made.write_text(yaml.safe_dump_all(CLUSTER))
    return str(made)


@pytest.mark.parametrize(("pair", "code"), [(("bank/db", "butikk/web"), 0), (("butikk/web", "bank/db"), 1)])
def test_the_exit_code_is_the_answer(file: str, pair: tuple[str, str], code: int) -> None:
    for words in ((), ("--port", "80/TCP")):
        assert vds("reach", *pair, "--file", file, *words).exit_code == code


def test_an_undecided_answer_ends_with_2(tmp_path: Path) -> None:
    odd = {**POLICY, "spec": {"podSelector": {}, "ingress": [{"from": [{"somebody": {}}]}]}}
    made = tmp_path / "odd.yaml"
    made.write_text(yaml.safe_dump_all([*CLUSTER[:-1], odd]))
    done = vds("reach", "butikk/web", "bank/db", "--port", "80", "--file", str(made), "--json")
    assert done.exit_code == 2
    answer = json.loads(done.stdout)
    assert answer["answer"] == "undecided"
    assert answer["reasons"][0]["text"] == (
        "NetworkPolicy bank/closed, ingress[0]: spec.ingress.0.from.0.somebody is not known"
    )
    assert vds("reach", "butikk/web", "bank/db", "--file", str(made)).exit_code == 2


def test_a_folder_and_a_list_are_read(tmp_path: Path) -> None:
    for number, item in enumerate(CLUSTER):
        (tmp_path / f"{number}.json").write_text(json.dumps({"kind": "List", "items": [item]}))
    assert vds("reach", "butikk/web", "bank/db", "--file", str(tmp_path)).exit_code == 1


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ((), "name what to read"),
        (("--file", "/missing.yaml"), "cannot be read"),
        (("bank/db", "--file", "FILE"), "one name alone"),
        (("bank/d", "butikk/web", "--file", "FILE"), "write for example bank/db"),
        (("bank/db", "butikk/web", "--port", "0", "--file", "FILE"), "is no port"),
        (("--cni", "flannel", "--file", "FILE"), "is not known"),
        (("--pod-network", "ten", "--file", "FILE"), "--pod-network"),
        (("--namespace", "nowhere", "--file", "FILE"), "has no pod"),
    ],
)
def test_what_can_t_be_done_is_one_line_with_a_remedy(file: str, words: tuple[str, ...], problem: str) -> None:
    done = vds("reach", *(file if word == "FILE" else word for word in words))
    assert done.exit_code == 2
    assert problem in done.stderr
    assert done.stderr.count("\n") == 1


def test_isolation_of_two_namespaces(file: str, tmp_path: Path) -> None:
    done = vds("reach", "--isolated", "--file", file)
    assert done.exit_code == 1
    assert done.stdout.startswith("bank/db reaches butikk/web at all ports\n")
    quiet = {**POLICY, "metadata": {"name": "quiet", "namespace": "butikk"}}
    (tmp_path / "quiet.yaml").write_text(yaml.safe_dump(quiet))
    done = vds("reach", "--isolated", "--file", file, "--file", str(tmp_path / "quiet.yaml"))
    assert (done.exit_code, done.stdout) == (0, "no tenant reaches another: bank, butikk\n")


# --- a state -------------------------------------------------------------------------------------------------


def state(tmp_path: Path, resources: list[tuple[str, Any]]) -> str:
    listed = [
        {"urn": f"urn:pulumi:s::p::{kind}::r{number}", "type": kind, "inputs": body}
        for number, (kind, body) in enumerate(resources)
    ]
    made = tmp_path / "state.json"
    made.write_text(json.dumps({"deployment": {"resources": listed}}))
    return str(made)


def test_the_objects_of_a_state_are_read(tmp_path: Path) -> None:
    kinds = {
        "Namespace": "core/v1:Namespace",
        "Pod": "core/v1:Pod",
        "NetworkPolicy": "networking.k8s.io/v1:NetworkPolicy",
    }
    made = state(tmp_path, [(f"kubernetes:{kinds[item['kind']]}", item) for item in CLUSTER])
    assert vds("reach", "butikk/web", "bank/db", "--state", made).exit_code == 1
    assert vds("reach", "bank/db", "butikk/web", "--state", made).exit_code == 0


def test_a_release_that_can_t_be_rendered_leaves_its_namespace_undecided(tmp_path: Path) -> None:
    release = ("kubernetes:helm.sh/v3:Release", {"namespace": "butikk"})
    made = state(tmp_path, [release, *((f"kubernetes:core/v1:{item['kind']}", item) for item in CLUSTER[:-1])])
    done = vds("reach", "bank/db", "butikk/web", "--state", made)
    assert done.exit_code == 2
    assert "namespace butikk: the chart of r0 names no chart" in done.stderr
    assert done.stdout.startswith("bank/db → butikk/web at all ports: undecided\n")


# --- a cluster -----------------------------------------------------------------------------------------------


class Api:
    """Answers as an API server with these objects."""

    asked: list[str]

    def __init__(self, groups: dict[str, list[tuple[str, str]]], objects: dict[str, list[Any]]) -> None:
        self.asked = []
        self._groups, self._objects = groups, objects

    def request(self, method: str, path: str, _body: Any = None, *, query: Any = ()) -> dict[str, Any]:
        self.asked.append(method)
        if path == "/apis":
            names = [{"name": n, "versions": [{"groupVersion": f"{n}/v1"}]} for n in self._groups]
            return {"groups": names}
        for group, kinds in self._groups.items():
            if path == f"/apis/{group}/v1":
                return {"resources": [{"name": plural, "kind": kind} for plural, kind in kinds]}
        if path not in self._objects:
            raise ApiError(403, "pods is forbidden")
        found, wanted = self._objects[path], dict(query)
        begin, limit = int(wanted.get("continue", 0)), 1
        more = {"continue": str(begin + limit)} if begin + limit < len(found) else {}
        return {"items": found[begin : begin + limit], "metadata": more}


OBJECTS = {
    "/api/v1/namespaces": CLUSTER[:2],
    "/api/v1/pods": CLUSTER[2:4],
    "/apis/networking.k8s.io/v1/networkpolicies": [POLICY],
    "/apis/cilium.io/v1/ciliumnetworkpolicies": [],
}


def test_a_cluster_is_read_page_by_page_and_not_changed() -> None:
    api = Api({"cilium.io": [("ciliumnetworkpolicies", "CiliumNetworkPolicy"), ("ciliumnodes", "CiliumNode")]}, OBJECTS)
    found = inputs._live(api)
    assert [(item["kind"], item["metadata"]["name"]) for item in found.manifests] == [
        ("Namespace", "bank"),
        ("Namespace", "butikk"),
        ("Pod", "db"),
        ("Pod", "web"),
        ("NetworkPolicy", "closed"),
    ]
    assert found.cni == "cilium"
    assert set(api.asked) == {"GET"}


def test_a_list_that_is_refused_is_an_error() -> None:
    with pytest.raises(ApiError, match="forbidden"):
        inputs._live(Api({}, {}))


@pytest.mark.parametrize("kind", ["Pod", "Namespace", "NetworkPolicy", "ConfigMap"])
@pytest.mark.parametrize("path", ["metadata", "metadata.labels", "metadata.ownerReferences", "spec", "spec.containers"])
@pytest.mark.parametrize("wrong", [5, "text", [5], [None]])
def test_what_no_api_server_stores_is_read_or_one_error(kind: str, path: str, wrong: Any) -> None:
    item: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": kind,
        "metadata": {"name": "odd", "namespace": "bank"},
        "spec": {},
    }
    if kind == "NetworkPolicy":
        item["apiVersion"] = "networking.k8s.io/v1"
    *groups, last = path.split(".")
    at: Any = item
    for group in groups:
        at = at[group]
    at[last] = wrong
    with suppress(MalformedError):
        assert read([*CLUSTER, item]).workloads


def test_an_object_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    odd = tmp_path / "odd.yaml"
    odd.write_text(yaml.safe_dump({**pod("bank/db"), "spec": {"containers": 5}}))

    done = vds("reach", "--file", str(odd))

    assert done.exit_code == 2
    assert f"error: {odd}:1 Pod db: " in done.stderr


@pytest.mark.parametrize("form", ["documents", "list", "json"])
def test_a_file_of_a_folder_and_the_line_in_it_are_named(tmp_path: Path, form: str) -> None:
    broken = {**pod("bank/db"), "spec": {"containers": 5}}
    items = [*CLUSTER[:2], pod("butikk/db"), broken]
    listed = {"apiVersion": "v1", "kind": "List", "items": items}
    text = {
        "documents": "---\n".join(map(yaml.safe_dump, items)),
        "list": yaml.safe_dump(listed),
        "json": json.dumps(listed, indent=1),
    }[form]
    odd = tmp_path / ("odd.json" if form == "json" else "odd.yaml")
    odd.write_text(text)
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(pod("bank/other")))

    done = vds("reach", "--file", str(tmp_path))

    found = re.search(rf"error: {re.escape(str(odd))}:(\d+) Pod db: ", done.stderr)
    assert found, done.stderr
    begins = text.splitlines()[int(found[1]) - 1 :]
    assert "butikk" not in "\n".join(begins)
    assert "5" in "".join(line for line in begins if "containers" in line)


def test_a_text_that_is_no_yaml_is_named_by_its_own_file_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(pod("bank/other")))
    (tmp_path / "b.yaml").write_text("a: b\n: : :\n")
    done = vds("reach", "--file", str(tmp_path))
    assert f"error: {tmp_path / 'b.yaml'}:2: is not YAML" in done.stderr


def test_the_page_never_replaces_a_file_that_was_read(file: str) -> None:
    before = Path(file).read_text()

    done = vds("reach", "--file", file, "--html", file)

    assert done.exit_code == 2
    assert f"--html {file}" in done.stderr
    assert Path(file).read_text() == before


def test_a_wrong_kubeconfig_has_a_remedy_for_a_file(file: str) -> None:
    done = vds("reach", "--kubeconfig", file)

    assert done.exit_code == 2
    assert "name another file" in done.stderr


SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "db", "namespace": "bank"},
    "spec": {
        "selector": {"app": "db"},
        "clusterIP": "10.96.0.9",
        "ports": [{"port": 5432}, {"port": 53, "protocol": "UDP"}],
    },
}


@pytest.mark.parametrize("target", ["service/bank/db", "10.96.0.9"])
def test_a_service_is_asked_about_by_its_name_or_address(tmp_path: Path, target: str) -> None:
    made = tmp_path / "cluster.yaml"
    made.write_text(yaml.safe_dump_all([*CLUSTER, SERVICE]))
    asked = ("reach", "butikk/web", target, "--file", str(made), "--cni", "cilium")
    assert vds(*asked, "--port", "5432").exit_code == 1
    done = vds(*asked, "--json")
    assert done.exit_code == 1
    assert [(one["port"], one["answer"]) for one in json.loads(done.stdout)["answers"]] == [
        ("5432/TCP", "no"),
        ("53/UDP", "no"),
    ]
    made.write_text(yaml.safe_dump_all([*CLUSTER[:-1], SERVICE]))
    assert vds(*asked, "--port", "5432").exit_code == 0
    assert "butikk/web reaches service/bank/db at 53/UDP" in vds(*asked).stdout


def test_a_service_that_is_not_there_is_one_line_with_those_that_are(tmp_path: Path, file: str) -> None:
    done = vds("reach", "butikk/web", "service/bank/bd", "--file", file)
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert "name manifests with the Service" in done.stderr
    made = tmp_path / "with.yaml"
    made.write_text(yaml.safe_dump_all([*CLUSTER, SERVICE]))
    assert "service/bank/db" in vds("reach", "butikk/web", "service/bank/bd", "--file", str(made)).stderr
