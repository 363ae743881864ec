"""A secret in the place of every secret that the stack knows, through every path: none comes out anywhere.

The engine is the real one. The servers are one SSH server on loopback whose programs do nothing, and the cluster does
not answer: an update goes as far as the first object of the cluster and fails there.
"""

import base64
import copy
import json
import random
import re
import shutil
import subprocess
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import quote

import asyncssh
import pytest
import yaml
from typer.main import get_group

from components.gateway.certificates import CERTIFICATES
from components.kubeadm.credentials import Credentials
from components.kubeadm.upgrade.document import upgrade_document
from components.kubernetes_api import ApiError
from components.stackfile.keys import SECRETS
from tests.support import bootstraps
from tests.support.api import pod
from tests.support.canaries import Canary, canary, hits, hits_below, without_marked
from tests.support.certificates import authority, made
from tests.support.commands import vds
from tests.support.engine import Engine
from tests.support.program import run_program
from tests.support.sshd import Servers, listening
from tests.support.stacks import ROOT, existing_data, stack_data
from vds.main import application

TOKEN, OWN_TOKEN = "canary-of-the-kubeconfig/+&%", "canary-of-the-clusters-own/+&%"
ISSUER, CLUSTER = authority("ec"), bootstraps.authority("canaries")
CERTIFICATE, KEY = made("*.example.no")
SSH_KEY, EVIDENCE_KEY = (asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode() for _ in range(2))
ENCRYPTION = [base64.b64encode(bytes([number]) * 19 + b"canary-in-key").decode() for number in (1, 2)]
PAIR = json.dumps({"wildcard-example-no": {"certificate": CERTIFICATE, "key": KEY}})


def kubeconfig(token: str) -> str:
    """Of a cluster at a port where nothing listens."""
    authority = {"certificate-authority-data": base64.b64encode(CLUSTER[0].encode()).decode()}
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1", **authority}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
            "users": [{"name": "c", "user": {"token": token}}],
        }
    )


def marks(pem: str) -> list[str | bytes]:
    return list(canary("key", pem).marks)


OF_STACK = {
    "sshPrivateKey": canary("sshPrivateKey", SSH_KEY),
    "kubeconfig": canary("kubeconfig", kubeconfig(TOKEN), TOKEN),
    "caKey": canary("caKey", CLUSTER[1]),
    "evidenceKey": canary("evidenceKey", EVIDENCE_KEY),
    "encryptionKeys": canary("encryptionKeys", ",".join(ENCRYPTION), *ENCRYPTION, *map(base64.b64decode, ENCRYPTION)),
    "backupAccessKey": canary("backupAccessKey", "CANARYID:canary-of-the-bucket/+", "canary-of-the-bucket/+"),
    "backupReaderKey": canary("backupReaderKey", "READERID:canary-of-the-reader/+", "canary-of-the-reader/+"),
    "backupIdentity": canary("backupIdentity", f"AGE-SECRET-KEY-1{'QPZRY9X8GF' * 5}QPZRY9X8"),
    "alertToken": canary("alertToken", "canary-of-the-receiver/+&%"),
    "issuerKey": canary("issuerKey", ISSUER[1]),
    CERTIFICATES: canary(CERTIFICATES, PAIR, *marks(KEY)),
    "dnsKey": canary("dnsKey", "Y2FuYXJ5LW9mLXRoZS1UU0lHLWtleQ=="),
}
"""A canary for every secret of `vds-platform:`, of the form that the stack file asks for."""
PASSPHRASE = canary("PULUMI_CONFIG_PASSPHRASE", 'canary "of" the \\ passphrase & ø/%')
OF_ENVIRONMENT = {
    name: canary(name, f"canary-of-{name.lower()}/+&%")
    for name in (
        *("GITHUB_TOKEN", "GITLAB_TOKEN", "AWS_SECRET_ACCESS_KEY", "PULUMI_ACCESS_TOKEN"),
        *("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "VDS_ID_TOKEN"),
    )
}
REGISTRY = canary("the registry's password", "canary-of-the-registry/+&%")
TENANTS = canary("a tenant's Secret", "canary-of-a-tenant/+&%")
OF_CLUSTER = canary("the made cluster's kubeconfig", OWN_TOKEN)
CHANCE = "import random, secrets; secrets.choice = random.Random(13).choice"
"""In the program's process: the secrets that a run draws are known here."""
DRAWN = {
    name: canary(name, value, value.rpartition(".")[2])
    for name, value in Credentials.drawn(random.Random(13).choice)._asdict().items()  # noqa: S311
}
ALL = (*OF_STACK.values(), PASSPHRASE, *OF_ENVIRONMENT.values(), REGISTRY, TENANTS, OF_CLUSTER, *DRAWN.values())

BACKUP = ("backupAccessKey", "backupReaderKey", "backupIdentity")
STACKS = {
    "oslo": ("sshPrivateKey", "encryptionKeys", "caKey", CERTIFICATES, "evidenceKey", "alertToken", *BACKUP),
    "bergen": ("sshPrivateKey", "kubeconfig", "issuerKey"),
    "tromso": ("sshPrivateKey", "kubeconfig", "dnsKey"),
}
"""The stacks, and the secrets that each is given. Together they ask for every kind."""


def test_every_secret_of_the_schema_has_a_canary_and_a_stack_that_is_given_it():
    schema = json.loads((ROOT / "schemas/stack.schema.json").read_text())
    keys = schema["properties"]["config"]["properties"]
    named = {key.partition(":")[2] for key, of in keys.items() if of.get("required") == ["secure"]}
    assert named == SECRETS == set(OF_STACK) == {name for names in STACKS.values() for name in names}


def test_every_secret_of_the_environment_that_the_code_names_has_a_canary():
    texts = [file.read_text() for folder in ("vds", "components", "policies") for file in (ROOT / folder).rglob("*.py")]
    named = {
        name
        for text in texts
        for name in re.findall(r"[A-Z_]+_(?:TOKEN|PASSPHRASE|PASSWORD|SECRET_ACCESS_KEY)\b", text)
    }
    assert named <= {*OF_ENVIRONMENT, PASSPHRASE.name}


READBACK = '{"node": "n", "kernel": "6.18.44", "container": "true", "at": "2026-11-20T22:41:07Z"}'
PROGRAMS = {
    "timeout": 'shift 3; exec "$@"',
    "sed": 'exec /usr/bin/sed "$@"',
    "sh": f"/usr/bin/cat >/dev/null; echo '{READBACK}'; echo unchanged",
    "python3": "/usr/bin/cat >/dev/null; echo not JSON",
}
"""Programs of a server: each takes what it is given and keeps nothing."""


def _spec(name: str, server: Servers) -> dict[str, Any]:
    """A stack of one control plane and two workers, which are all the same SSH server."""
    data = bootstraps.bootstrap_data() if name == "oslo" else existing_data()
    data = copy.deepcopy(data) | {"environment": name}
    data["nodes"] = [data["nodes"][0], *data["nodes"][-2:]]
    for number, node in enumerate(data["nodes"], 1):
        node |= {"sshAddress": f"127.0.0.{number}", "hostKey": server.host_key}
    data["ssh"] |= {"port": server.port, "dialAttempts": 1}
    [state] = [place for place in data["residency"]["places"] if place["name"] == "state"]
    state["hosts"].append("localhost")
    data["charts"] = {"mirror": {"kind": "folder", "path": "mirror"}}
    if name == "oslo":
        data["network"]["apiServer"]["host"] = data["nodes"][0]["address"]
        data["cluster"]["caCertificate"] = CLUSTER[0]
        data["cluster"]["certificateNames"] = []
        data["cluster"]["backup"] = stack_data("oslo")["cluster"]["backup"]
        data["monitoring"] = {"receiver": {"url": "http://receiver.alarms.svc"}}
    listener = {"name": "https", "port": 443, "protocol": "HTTPS", "hostname": "butikk.example.no"}
    if name == "bergen":
        yesterday = str(date.today() - timedelta(days=1))
        of = {"kind": "private-ca", "caCertificate": ISSUER[0], "validFrom": yesterday, "days": 90, "renewDays": 30}
        data["gateway"]["issuer"] = of
    if name == "tromso":
        by = {"kind": "rfc2136", "nameserver": "198.51.100.53", "keyName": "vds"}
        acme = {"server": "https://ntp.nordic-vds.example.no/directory", "solver": {"kind": "dns-01", "by": by}}
        data["gateway"]["issuer"] = {"kind": "cert-manager", "version": "1.21.2", "acme": acme}
        data["gateway"]["listeners"] = [{**listener, "certificateSecret": "a"}]
    return data


class Platform:
    """The engine with the three stacks, after an update of each."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def up(self, stack: str, *words: str) -> str:
        """What an update of the stack prints, and its event log."""
        events = self.engine.folder / f"{stack}.events"
        done = self.engine.run(
            *("up", "--yes", "--skip-preview", "--continue-on-error", "--stack", stack, "--policy-pack", "policies"),
            *("--event-log", str(events), "--config-file", self.engine.without_nodes(stack), *words),
        )
        return f"{done.stdout}{done.stderr}{events.read_text()}"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    folder = tmp_path_factory.mktemp("canaries")
    programs = folder / "server"
    programs.mkdir()
    (folder / "own-kubeconfig").write_text(kubeconfig(OWN_TOKEN))
    openssl = f"exec /usr/bin/openssl $(echo \"$*\" | sed 's#/etc/kubernetes/admin.conf#{folder}/own-kubeconfig#')"
    for name, text in {**PROGRAMS, "openssl": openssl}.items():
        _program(programs, name, text)
    with listening([f"127.0.0.{number}" for number in (1, 2, 3)], str(programs), key=SSH_KEY) as server:
        engine = Engine(folder / "run", PASSPHRASE.value)
        (engine.project / "sitecustomize.py").write_text(CHANCE)
        (engine.project / "tenants").symlink_to(ROOT / "tenants")
        engine.environment |= {name: one.value for name, one in OF_ENVIRONMENT.items()}
        for name, names in STACKS.items():
            engine.add_stack(_spec(name, server), {key: OF_STACK[key].value for key in names})
        # git does not know the stacks' files, so each is a change to preview.
        for words in (["init", "-q", "-b", "main"], ["add", "Pulumi.yaml"], ["commit", "-qm", "first"]):
            identity = ["-c", "user.name=t", "-c", "user.email=t@example.no"]
            subprocess.run(["git", *identity, *words], cwd=engine.project, check=True)
        made = Platform(engine)
        for name in STACKS:
            found = hits(f"up of {name}", made.up(name), ALL)
            assert found == []
        yield made


def _program(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


WRONG_FORM = {name: canary(f"{name} of a wrong form", f"canary-of-no-{name.lower()}/+&%") for name in SECRETS}
DOCUMENTS = ("decommission", "recommission", "admission", "announced", "upgrade", "without-bgp")
"""Commands that the engine gives a document with secrets."""
Change = Callable[[str], str]


def _wrong_document(text: str) -> str:
    wrong = {"privateKey": WRONG_FORM["sshPrivateKey"].value, "kubeconfig": WRONG_FORM["kubeconfig"].value}
    return json.dumps({**json.loads(text), **wrong})


STDIN: dict[str, Change] = {
    "as the engine gives it": str,
    "cut off": lambda text: text[: len(text) * 2 // 3],
    "of another form": lambda text: json.dumps({"privateKey": text, "kubeconfig": [text]}),
    "with secrets that are none": _wrong_document,
}
READ = {
    "validate": ["validate", "Pulumi.{stack}.yaml"],
    "versions": ["versions", "Pulumi.{stack}.yaml"],
    "doctor": ["doctor", "-s", "{stack}", "--facts", "{folder}/{stack}.facts.json"],
    "doctor --json": ["doctor", "-s", "{stack}", "--strict", "--json"],
    "evidence": ["evidence", "-s", "{stack}", "--output", "{folder}/evidence-{stack}"],
    "preview-comment": [
        *("preview-comment", "-s", "{stack}", "--base", "main", "--output", "{folder}/{stack}.comment.md"),
        *("--report", "{folder}/{stack}.report.md", "--json"),
    ],
    "plan": ["plan", "-s", "{stack}"],
    "post-comment": ["post-comment", "-s", "{stack}", "--head", "HEAD"],
    "inspect routes": ["inspect", "routes", "butikk/api", "-s", "{stack}"],
    "inspect capture": ["inspect", "capture", "butikk/api", "-s", "{stack}"],
    "inspect drops": ["inspect", "drops", "-s", "{stack}", "--seconds", "1"],
    "inspect cni": ["inspect", "cni", "-s", "{stack}", "--json"],
    "backup status": ["backup", "status", "-s", "{stack}", "--json"],
    "backup run": ["backup", "run", "-s", "{stack}"],
    "backup check": ["backup", "check", "-s", "{stack}"],
    "bench": ["bench", "network", "-s", "{stack}", "--image", f"quay.io/bench@sha256:{'0' * 64}"],
    "gateway-crds": ["gateway-crds", "-s", "{stack}"],
    "restore": ["restore", "-s", "{stack}", "--yes"],
    "reboot": ["reboot", "-s", "{stack}", "--now", "--json"],
    "recover": ["recover", "-s", "{stack}"],
    "charts check": ["charts", "check", "-s", "{stack}"],
    "charts images": ["charts", "images", "-s", "{stack}", "--json"],
    "reach": ["reach", "--kubeconfig", "{kubeconfig}"],
    "tenant list": ["tenant", "list"],
    "tenant check": ["tenant", "check", "--json"],
    "canary status": ["canary", "status", "butikk-api", "-s", "{stack}", "--json"],
    "canary abort": ["canary", "abort", "butikk-api", "-s", "{stack}"],
}
"""Commands for people, as they are typed."""
LOCAL = {"validate", "versions", "preview-comment", "plan", "post-comment", "charts check", "charts images"}
"""Of these: what asks neither a node nor the cluster."""
WITHOUT_SECRETS = {"agency", "init", "metallb", "cilium-values", "backend-login"}
"""Commands that read no stack of the platform: `agency`, `init` and `metallb` are given file names, `cilium-values`
masks (test_explain.py), and `backend-login` becomes another command (tests/unit/vds/backend_login)."""


def test_every_command_is_run():
    run = {words[0] for words in READ.values()} | set(DOCUMENTS) | WITHOUT_SECRETS
    assert run == set(get_group(application()).commands)


class Person:
    """Who runs `vds` in the project's folder, with an environment of the engine's."""

    def __init__(self, platform: Platform, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.engine, self.folder = platform.engine, folder
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        for name, value in {**self.engine.environment, "TMPDIR": str(self.temporary)}.items():
            patch.setenv(name, value)
        patch.setattr(tempfile, "tempdir", None)
        patch.chdir(self.engine.project)

    def types(self, *words: str, stdin: str = "", stack: str = "oslo") -> str:
        """What a command prints; a crash with its traceback, as Python shows it."""
        known = {"stack": stack, "folder": self.folder, "kubeconfig": self.engine.folder.parent / "own-kubeconfig"}
        given = [word.format(**known) for word in words]
        try:
            done = vds(*given, stdin=stdin)
        except Exception:
            return traceback.format_exc()
        return f"{done.stdout}{done.stderr}"

    def keeps_no_secret(self, shown: str, *more: Canary) -> None:
        """Neither what was shown nor any file that was written has one."""
        wanted = (*ALL, *more)
        assert hits("what was shown", shown, wanted) == []
        assert hits_below(self.folder, wanted) == []


@pytest.fixture
def person(platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Person:
    return Person(platform, tmp_path, monkeypatch)


@pytest.mark.parametrize("stack", STACKS)
def test_no_secret_is_in_the_clear_part_of_the_state(platform: Platform, stack: str) -> None:
    clear = json.dumps(without_marked(platform.engine.export(stack, decrypted=True)), ensure_ascii=False)
    assert hits("the decrypted export", clear, ALL) == []
    assert hits("the export", json.dumps(platform.engine.export(stack)), ALL) == []


def test_the_state_has_the_secrets_that_were_looked_for(platform: Platform) -> None:
    """Encrypted: a search that finds none would else have had none to find."""
    found: set[str] = set()
    for stack in STACKS:
        found |= {hit.canary for hit in hits(stack, json.dumps(platform.engine.export(stack, decrypted=True)), ALL)}
    assert {"sshPrivateKey", "kubeconfig", OF_CLUSTER.name, "kubeconfig_password"} <= found


OPERATIONS = {
    "oslo": ["preview --policy-pack policies --diff --show-sames", "destroy --yes --skip-preview"],
    "bergen": ["preview --policy-pack policies", "refresh --yes --skip-preview"],
    "tromso": ["preview", "up --yes"],
}
"""With the nodes' answers, which are none, and by a file that asks no node."""
OF_ANY = ["stack output --json", "stack history --json", "stack --show-urns --show-ids", "config --json"]


@pytest.mark.parametrize("stack", STACKS)
def test_no_operation_of_the_engine_shows_one(platform: Platform, stack: str) -> None:
    engine = platform.engine
    first, second = OPERATIONS[stack]
    for words in (f"{first} --config-file {engine.without_nodes(stack)}", second, *OF_ANY):
        done = engine.run(*words.split(), "--stack", stack)
        assert hits(words, f"{done.stdout}{done.stderr}", ALL) == []


def _answers(_: Any, method: str, path: str, *_more: Any, **_named: Any) -> dict[str, Any]:
    """Of a cluster with one pod, which allows nothing to be changed."""
    if method != "GET":
        raise ApiError(403, "this is not allowed")
    if path == "/version":
        return {"gitVersion": "v1.36.3"}
    return {"items": [pod("butikk", "api", "osl-w-2")] if path.endswith("/pods") else []}


@pytest.mark.parametrize(
    ("command", "answers"),
    [(command, answers) for command in READ for answers in (False, True) if not answers or command not in LOCAL],
)
def test_no_command_shows_or_keeps_one(person: Person, command: str, *, answers: bool) -> None:
    stack = "bergen" if answers else "oslo"
    with mock.patch("components.kubernetes_api.Cluster.request", _answers) if answers else nullcontext():
        person.keeps_no_secret(person.types(*READ[command], stack=stack))


BEYOND = ("asyncssh.connect", "components.kubernetes_api.Cluster.request")
"""Where a command leaves this machine."""


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize(
    ("command", "point"),
    [(command, "subprocess.run") for command in READ]
    + [(command, point) for command in READ if command not in LOCAL for point in BEYOND],
)
def test_no_crash_of_a_command_shows_one(person: Person, command: str, point: str) -> None:
    with mock.patch(point, side_effect=ZeroDivisionError("a fault of ours")):
        person.keeps_no_secret(person.types(*READ[command], stack="bergen"))


@cache
def _document(command: str) -> str:
    """What the engine gives the command on standard input, as the program declares it."""
    here = {"address": "127.0.0.1", "port": 1, "dialAttempts": 1}
    if command == "upgrade":  # of a cluster that kubeadm made
        plan = bootstraps.bootstrap()
        document = json.loads(upgrade_document(plan, plan.nodes[0], "gateway-system", SSH_KEY))
        return json.dumps(document | {name: document[name] | here for name in ("server", "first")})
    of_stack = {"kubeconfig": kubeconfig(TOKEN), "sshPrivateKey": SSH_KEY}
    program = run_program("oslo", existing_data(), **of_stack)
    given = {one.inputs["create"].split()[-1]: one.inputs["stdin"] for one in program.of("local:Command")}
    document = json.loads(given[{"decommission": "recommission"}.get(command, command)])
    return json.dumps(document | (here if "port" in document else {}))


@pytest.mark.parametrize("how", STDIN)
@pytest.mark.parametrize("command", DOCUMENTS)
def test_no_command_of_the_engine_shows_one(person: Person, command: str, how: str) -> None:
    text = STDIN[how](_document(command))
    with mock.patch("vds.admission.command.SECONDS", 0), mock.patch("vds.announced.command.SECONDS", 0):
        person.keeps_no_secret(person.types(command, stdin=text), *WRONG_FORM.values())


@pytest.mark.parametrize("stack", STACKS)
def test_a_secret_of_a_wrong_form_is_refused_and_not_shown(platform: Platform, person: Person, stack: str) -> None:
    engine, file = platform.engine, person.folder / f"Pulumi.{stack}.yaml"
    shutil.copy(engine.without_nodes(stack), file)
    for name in STACKS[stack]:
        words = ["config", "set", "--stack", stack, "--config-file", str(file), "--secret", f"vds-platform:{name}"]
        engine.must(*words, stdin=WRONG_FORM[name].value)
    done = engine.run("preview", "--stack", stack, "--config-file", str(file))
    shown = [f"{done.stdout}{done.stderr}"]
    of_oslo = ("inspect cni", "inspect routes") if stack == "oslo" else ()
    for command in ("doctor", *of_oslo):
        shown.append(person.types(*READ[command], "--config-file", str(file), stack=stack))
    person.keeps_no_secret("\n".join(shown), *WRONG_FORM.values())
    assert done.returncode


def test_a_secret_in_clear_is_refused_and_not_shown(platform: Platform, person: Person) -> None:
    file = platform.engine.project / "Pulumi.clear.yaml"
    content = yaml.safe_load(platform.engine.file("oslo").read_text())
    clear = {f"vds-platform:{name}": one.value for name, one in OF_STACK.items()}
    clear["vds-platform:sshKey"] = OF_STACK["sshPrivateKey"].value  # a key that there is not
    content["config"] |= clear
    content["config"]["vds-platform:spec"]["ssh"]["privateKey"] = OF_STACK["sshPrivateKey"].value
    try:
        file.write_text(yaml.safe_dump(content))
        shown = [person.types(*words) for words in (["validate", str(file)], ["versions", str(file)])]
        shown.append(person.types(*READ["doctor"], "--config-file", str(file)))
    finally:
        file.unlink()
    assert "is a secret, and is not encrypted" in shown[0]
    person.keeps_no_secret("\n".join(shown))


def test_an_error_of_the_forge_the_backend_or_the_registry_shows_no_credential(
    platform: Platform, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = []
    with monkeypatch.context() as patch:
        patch.setenv("GITHUB_REPOSITORY", "o/r")
        patch.setenv("GITHUB_API_URL", "https://127.0.0.1:1")
        shown.append(person.types("post-comment", "-s", "oslo", "--head", "HEAD"))
        patch.setenv("CI_API_V4_URL", "https://127.0.0.1:1")
        patch.setenv("CI_PROJECT_ID", "7")
        patch.setenv("GITLAB_CI", "true")
        shown.append(person.types("post-comment", "-s", "oslo", "--head", "HEAD"))
    with monkeypatch.context() as patch:
        patch.setenv("PULUMI_CONFIG_PASSPHRASE", REGISTRY.value)  # of something else
        shown += [person.types(*READ[command]) for command in ("doctor", "preview-comment", "inspect cni")]
    with monkeypatch.context() as patch:
        patch.setenv("PULUMI_BACKEND_URL", f"s3://user:{quote(REGISTRY.value, safe='')}@127.0.0.1:1/state")
        shown += [person.types(*READ[command]) for command in ("doctor", "evidence")]
    person.keeps_no_secret("\n".join(shown))


def test_no_secret_of_a_tenant_that_the_state_has_in_clear_is_in_the_evidence(
    platform: Platform, person: Person
) -> None:
    exported = platform.engine.export("oslo")
    provider = "urn:pulumi:oslo::vds-platform::pulumi:providers:kubernetes::cluster::id"
    data = {"password": base64.b64encode(TENANTS.value.encode()).decode()}
    pod = {"containers": [{"name": "a", "image": "a", "env": [{"name": "DB_PASSWORD", "value": TENANTS.value}]}]}
    objects = {"core/v1:Secret": {"data": data, "stringData": {"a": TENANTS.value}}, "core/v1:Pod": {"spec": pod}}
    for kind, rest in objects.items():
        inputs = {"metadata": {"namespace": "butikk", "name": "db"}, **rest}
        urn = f"urn:pulumi:oslo::vds-platform::kubernetes:{kind}::db"
        entry = {"urn": urn, "custom": True, "type": f"kubernetes:{kind}", "provider": provider}
        exported["deployment"]["resources"].append(entry | {"inputs": inputs, "outputs": inputs})
    state = platform.engine.folder / "state-with-a-tenants-secret.json"
    try:
        state.write_text(json.dumps(exported))
        shown = person.types(*READ["evidence"], "--state", str(state))
        assert "evidence-oslo" in shown
        person.keeps_no_secret(shown)
    finally:
        state.unlink()


def test_nothing_that_the_engine_keeps_has_one(platform: Platform) -> None:
    """Its backend with history and backups, its home, the program's caches, event logs and temporary files."""
    left = hits_below(platform.engine.folder, ALL)
    # pulumi-kubernetes writes the kubeconfig to a temporary file for Helm and never removes it.
    assert [hit for hit in left if not hit.where.startswith("tmp/kubeconfig")] == []
