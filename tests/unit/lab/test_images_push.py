"""What is sent to a registry, and what is not sent again; the registry is one of this test, on loopback."""

import hashlib
import http.server
import json
import sys
import threading
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.images import charts
from lab.images.documents import CONFIG_TYPE, MANIFEST_TYPE, Blob, Image, blob, configuration, manifest
from lab.images.layers import MEDIA_TYPE, File, Layer
from lab.images.push import push
from lab.images.registry import Registry
from lab.processes import LabError
from lab.progress import Progress
from lab.toolchain.build import Tools


class Store(http.server.ThreadingHTTPServer):
    """Blobs and tags as a registry keeps them, and every request that came."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.blobs: dict[tuple[str, str], bytes] = {}
        self.tags: dict[tuple[str, str], bytes] = {}
        self.asked: list[str] = []
        self.refuses = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Store
    protocol_version = "HTTP/1.1"
    upload = b""

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def handle_any(self) -> None:
        self.server.asked.append(self.command)
        parts = urllib.parse.urlsplit(self.path)
        kind = "/manifests/" if "/manifests/" in parts.path else "/blobs/"
        name, last = parts.path.removeprefix("/v2/").split(kind)
        content = self.body()
        if self.command == self.server.refuses:
            self.answer(507, b"no space left")
        elif self.command == "HEAD":
            found = (self.server.tags if kind == "/manifests/" else self.server.blobs).get((name, last))
            self.answer(404) if found is None else self.answer(200, Docker_Content_Digest=blob(found).digest)
        elif self.command == "POST":
            self.answer(202, Location=f"{self.server.url}/v2/{name}/blobs/uploads/1?_state=s")
        elif self.command == "PATCH":
            type(self).upload = content
            self.answer(202, Location=f"/v2/{name}/blobs/uploads/1?_state=t")
        elif kind == "/manifests/":
            self.server.tags[name, last] = content
            self.answer(201)
        else:
            digest = urllib.parse.parse_qs(parts.query)["digest"][0]
            right = blob(type(self).upload).digest == digest
            self.server.blobs[name, digest] = type(self).upload
            self.answer(201 if right else 400)

    do_HEAD = do_POST = do_PATCH = do_PUT = handle_any  # noqa: N815  # the names that http.server calls

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with Store() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program"
    path.write_bytes(b"\x7fELF" + bytes(2 << 20))
    return path


def image(program: Path, *, port: str = "80/tcp") -> Image:
    layers = (Layer([File("etc/passwd", b"root")]), Layer([File("it", program, 0o755)]))
    return Image("some/it", "v1", layers, entrypoint=("/it",), ports=(port,), user="7:7")


def pushed(store: Store, one: Image) -> str:
    store.asked.clear()
    with Registry(store.url) as registry:
        return push(registry, one, Progress(total=1, quiet=True))


def test_everything_that_the_tag_leads_to_is_there(store: Store, program: Path) -> None:
    digest = pushed(store, image(program))
    content = store.tags["some/it", "v1"]
    assert blob(content).digest == digest
    said = json.loads(content)
    assert said["mediaType"] == MANIFEST_TYPE
    for described, kind in ((said["config"], CONFIG_TYPE), *((layer, MEDIA_TYPE) for layer in said["layers"])):
        found = store.blobs["some/it", described["digest"]]
        assert described == {"mediaType": kind, "digest": blob(found).digest, "size": len(found)}
    config = json.loads(store.blobs["some/it", said["config"]["digest"]])
    assert config["rootfs"]["diff_ids"] == [layer["digest"] for layer in said["layers"]]
    assert config["config"]["Entrypoint"] == ["/it"]
    assert config["config"]["User"] == "7:7"
    assert config["config"]["ExposedPorts"] == {"80/tcp": {}}


def test_an_image_that_is_there_costs_one_question(store: Store, program: Path) -> None:
    digest = pushed(store, image(program))
    assert pushed(store, image(program)) == digest
    assert store.asked == ["HEAD"]


def test_another_configuration_sends_no_layer_again(store: Store, program: Path) -> None:
    digest = pushed(store, image(program))
    assert pushed(store, image(program, port="81/tcp")) != digest
    assert store.asked.count("PATCH") == 1  # the configuration
    assert store.asked.count("PUT") == 2  # with the manifest


def test_another_program_is_sent_and_nothing_else(store: Store, program: Path) -> None:
    digest = pushed(store, image(program))
    program.write_bytes(b"\x7fELF another")
    assert pushed(store, image(program)) != digest
    assert store.asked.count("PATCH") == 2  # its layer and the configuration


def test_a_registry_that_has_lost_everything_gets_everything(store: Store, program: Path) -> None:
    digest = pushed(store, image(program))
    store.tags.clear()
    store.blobs.clear()
    assert pushed(store, image(program)) == digest
    assert store.asked.count("PATCH") == 3


def test_a_refusal_names_the_registry_and_what_it_says(store: Store, program: Path) -> None:
    store.refuses = "PATCH"
    with pytest.raises(LabError, match=r"127\.0\.0\.1:\d+ refuses PATCH /v2/some/it.* 507: no space left"):
        pushed(store, image(program))
    assert store.tags == {}


def test_a_registry_that_is_not_there_is_named(program: Path) -> None:
    with (
        pytest.raises(LabError, match=r"http://127\.0\.0\.1:1 does not answer"),
        Registry("http://127.0.0.1:1") as none,
    ):
        none.digest("some/it", "v1")


@pytest.mark.parametrize("url", ["registry.example.no", "ftp://registry.example.no", "https://registry.example.no/v2"])
def test_what_is_no_registry_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="no registry"):
        Registry(url)


def test_the_same_image_has_the_same_documents() -> None:
    layers = (Blob("sha256:" + "a" * 64, 10), Blob("sha256:" + "b" * 64, 20))
    one = Image("n", "t", (), entrypoint=("/n",))
    config = configuration(one, layers)
    assert config == configuration(one, layers)
    assert manifest(config, layers) == (
        b'{"config":{"digest":"sha256:'
        + hashlib.sha256(config).hexdigest().encode()
        + f'","mediaType":"{CONFIG_TYPE}","size":{len(config)}}},'.encode()
        + f'"layers":[{{"digest":"{layers[0].digest}","mediaType":"{MEDIA_TYPE}","size":10}},'.encode()
        + f'{{"digest":"{layers[1].digest}","mediaType":"{MEDIA_TYPE}","size":20}}],'.encode()
        + f'"mediaType":"{MANIFEST_TYPE}","schemaVersion":2}}'.encode()
    )


# --- charts -------------------------------------------------------------------------------------------------

# Stands for Helm: packs a file by the chart's name and version, and lets the tag lead to something new at each push.
HELM = """\
import os, pathlib, sys, time, urllib.request
assert all(os.environ[f"HELM_{kind}_HOME"].startswith("/") for kind in ("CACHE", "CONFIG", "DATA"))
verb, source, *rest = sys.argv[1:]
with open(__file__ + ".calls", "a") as calls:
    calls.write(" ".join(sys.argv[1:]) + "\\n")
if verb == "package":
    name = pathlib.Path(source).name
    pathlib.Path(rest[rest.index("--destination") + 1], f"{name}-1.2.3.tgz").write_text(name)
else:
    assert "--plain-http" in rest
    name = pathlib.Path(source).read_text()
    url = rest[0].replace("oci://", "http://").replace("/charts", f"/v2/charts/{name}/manifests/1.2.3")
    urllib.request.urlopen(urllib.request.Request(url, str(time.time_ns()).encode(), method="PUT"))
"""


@pytest.fixture
def helm(tmp_path: Path) -> Tools:
    """Helm, and the modules of two charts."""
    script = tmp_path / "helm.py"
    script.write_text(f"#!{sys.executable}\n{HELM}")
    script.chmod(0o755)
    for folder in charts._CHARTS.values():
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "Chart.yaml").write_text("version: 1.2.3\n")
    return Tools({"helm": script}, {}, {}, dict.fromkeys(charts._CHARTS, tmp_path))


def test_charts_are_packed_once_and_pushed_once(store: Store, helm: Tools, tmp_path: Path) -> None:
    def push_charts() -> dict[str, str]:
        quiet = Progress(total=1, quiet=True)
        with Registry(store.url) as registry:
            return {c.reference: charts.push(helm, registry, None, c, quiet) for c in charts.ensure(helm, quiet)}

    def verbs() -> list[str]:
        return [line.split()[0] for line in (tmp_path / "helm.py.calls").read_text().splitlines()]

    first = push_charts()
    assert first == {
        f"charts/{name}:1.2.3": blob(store.tags[f"charts/{name}", "1.2.3"]).digest for name in ("cilium", "metallb")
    }
    assert push_charts() == first
    assert sorted(verbs()) == ["package", "package", "push", "push"]
    del store.tags["charts/metallb", "1.2.3"]
    second = push_charts()
    assert second["charts/cilium:1.2.3"] == first["charts/cilium:1.2.3"]
    assert second["charts/metallb:1.2.3"] != first["charts/metallb:1.2.3"]
    assert sorted(verbs()) == ["package", "package", "push", "push", "push"]


def test_what_helm_says_is_passed_on(store: Store, helm: Tools) -> None:
    helm.path("helm").write_text("#!/bin/sh\necho no such chart >&2; exit 1\n")
    with pytest.raises(LabError, match=r"helm package .* failed: no such chart"):
        charts.ensure(helm, Progress(total=1, quiet=True))
