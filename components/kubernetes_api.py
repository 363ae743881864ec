"""The client of the Kubernetes API, by the text of a kubeconfig."""

import base64
import datetime
import os
import re
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from io import RawIOBase
from typing import Any, ClassVar, Protocol, Required
from urllib.parse import urlsplit

from pydantic import ConfigDict, TypeAdapter
from typing_extensions import TypedDict

from components.core.kubeconfig import ended_certificate, ending_certificate
from components.core.untrusted import YamlError, printable_json, without_escapes, yaml_value

MERGE_PATCH = "application/merge-patch+json"
SERVER_SIDE_APPLY = "application/apply-patch+yaml"

_BY_PATH = {"cluster": ("certificate-authority",), "user": ("client-certificate", "client-key")}
"""By kind of entry of a kubeconfig, what the client reads from a file."""
LARGEST_ANSWER = 100_000_000
"""Bytes: the list of 10,000 pods."""
_CUT_TRIES, _CUT_PAUSE_SECONDS = 3, 1.0
"""How often something is read on a new connection if a load balancer has cut the one to an API server that restarts.
client-go does so too, ten times."""


class _Fields(TypedDict, total=False):
    __pydantic_config__ = ConfigDict(strict=True, extra="allow", hide_input_in_errors=True)  # type: ignore[misc]


class _Metadata(_Fields, total=False):
    name: str
    namespace: str
    uid: str
    labels: dict[str, str] | None
    annotations: dict[str, str] | None
    ownerReferences: list[dict[str, Any]] | None


class _Named(_Metadata, total=False):
    name: Required[str]  # type: ignore[misc]


class _Condition(_Fields, total=False):
    type: Required[str]
    status: Required[str]
    reason: str
    message: str


class _Status(_Fields, total=False):
    conditions: list[_Condition] | None
    addresses: list[dict[str, Any]] | None
    phase: str


class _Item(_Fields, total=False):
    metadata: Required[_Named]
    spec: dict[str, Any] | None
    status: _Status | None


class _Resource(_Fields, total=False):
    name: Required[str]
    kind: Required[str]
    namespaced: Required[bool]


class _Answer(_Fields, total=False):
    """Of an object, a list, a Status, a version and a list of kinds: what they have in common with any of these."""

    metadata: _Metadata | None
    items: list[_Item] | None
    spec: dict[str, Any] | None
    status: _Status | str | None
    resources: list[_Resource]
    gitVersion: str


_ANSWER: TypeAdapter[Any] = TypeAdapter(_Answer)

Manifest = Mapping[str, Any]
Query = Sequence[tuple[str, str]]


RENEW = (
    "run `kubeadm certs renew all` on every control plane and restart its static pods, then read the new kubeconfig "
    "(docs/howto/bootstrap-a-cluster.md, renew certificates)"
)


class KubeconfigError(ValueError):
    """The text of a kubeconfig is not one; the error does not repeat it, because it holds credentials."""


class UnreachableError(Exception):
    """The API server did not answer; the text has its address and the reason."""


class PodError(UnreachableError):
    """A pod was reached through port forwarding, and gave no whole answer or one with another status than 200."""


class ApiError(Exception):
    """The API server refused a request."""

    def __init__(self, status: int, message: str, causes: Sequence[str] = ()) -> None:
        """`causes` are the details, for example the disruption budget that stops an eviction."""
        super().__init__(message)
        self.status = status
        self.causes = tuple(causes)

    @property
    def may_pass(self) -> bool:
        """Whether the same request can be taken later."""
        return self.status >= 500 or self.status == 429


class CredentialsError(ApiError):
    """A certificate has ended, or the API server refuses the kubeconfig; the text says what to do. Waiting does not
    help."""

    def __init__(self, message: str) -> None:
        super().__init__(401, message)


class Api(Protocol):
    """What a command needs of an API server."""

    def request(self, method: str, path: str, body: Any = None, *, query: Query = ()) -> dict[str, Any]:
        """One request; the answer. Raises ApiError for a status of 400 or more, UnreachableError without an answer."""


class Cluster:
    """A connection to an API server."""

    connect_seconds: ClassVar = 5
    answer_seconds: ClassVar = 10
    retries: ClassVar[Any] = None
    """Of urllib3. By default none but `_again`: a command has its own time limit, and reports what it waits for."""

    def __init__(self, kubeconfig: str) -> None:
        """Raises KubeconfigError if this is not a kubeconfig."""
        from kubernetes import client, config
        from kubernetes.config.config_exception import ConfigException

        self._kubeconfig = kubeconfig
        self._files: list[RawIOBase] = []
        self._give_back = weakref.finalize(self, _close, self._files)
        try:
            settings = client.Configuration()
            config.load_kube_config_from_dict(  # type: ignore[no-untyped-call]
                self._in_memory(yaml_value(kubeconfig)), client_configuration=settings, persist_config=False
            )
        except (YamlError, ConfigException, AttributeError, KeyError, TypeError, ValueError):
            raise KubeconfigError(
                "this is not a kubeconfig: name another file, or set the stack's again, "
                "pulumi config set --secret vds-platform:kubeconfig"
            ) from None
        settings.retries = self.retries or _again()
        self._api = client.ApiClient(settings)
        self._paths: dict[tuple[str, str], tuple[str, bool]] = {}
        self.host = str(settings.host)

    def _in_memory(self, kubeconfig: dict[str, Any]) -> dict[str, Any]:
        """The kubeconfig with its certificates and keys in files of memory.

        Python's TLS takes a key only by the path of a file, and the library would write it to the folder of temporary
        files, where it stays if the process is killed. These end with the process.
        """
        for kind, names in _BY_PATH.items():
            for entry in kubeconfig[f"{kind}s"]:
                fields = entry[kind]
                for name in names:
                    if data := fields.pop(f"{name}-data", None):
                        file = os.fdopen(os.memfd_create("vds-platform"), "wb", buffering=0)
                        file.write(base64.b64decode(data))
                        self._files.append(file)
                        fields[name] = f"/proc/self/fd/{file.fileno()}"
        return kubeconfig

    @property
    def _ended(self) -> str:
        return ended_certificate(self._kubeconfig, datetime.datetime.now(datetime.UTC))

    @property
    def ends_soon(self) -> str:
        """The client certificate that ends within `ADVISED_DAYS`, by name and last day; empty without one."""
        return ending_certificate(self._kubeconfig, datetime.datetime.now(datetime.UTC))

    def close(self) -> None:
        """Give the files back."""
        self._give_back()

    def request(
        self, method: str, path: str, body: Any = None, *, query: Query = (), content_type: str = ""
    ) -> dict[str, Any]:
        """One request; the answer. Raises ApiError for a status of 400 or more, UnreachableError without an answer."""
        text = self.text(method, path, body, query=query, content_type=content_type)
        try:
            found: dict[str, Any] = _ANSWER.validate_python(printable_json(text, most=LARGEST_ANSWER))
            return found
        except ValueError:
            raise UnreachableError(f"{self.host}: does not answer as a Kubernetes API server") from None

    def text(self, method: str, path: str, body: Any = None, *, query: Query = (), content_type: str = "") -> str:
        """The same for an answer that is not JSON."""
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        content_type = content_type or (MERGE_PATCH if method == "PATCH" else "application/json")
        prepared = self._api.param_serialize(
            method,
            path,
            query_params=list(query),
            header_params={"Accept": "application/json", "Content-Type": content_type},
            body=body,
            auth_settings=["BearerToken"],  # without it the kubeconfig's token is not sent
        )
        call = partial(self._api.call_api, *prepared, _request_timeout=(self.connect_seconds, self.answer_seconds))
        try:
            answer, content = _answer(call, tries=_CUT_TRIES if method == "GET" else 1)
            status = int(answer.status)
        except (ApiException, HTTPError, OSError) as error:
            if "certificate has expired" in str(error):
                raise CredentialsError(f"{self.host}: its certificate {_end_of_served(self.host)}: {RENEW}") from None
            said = error.reason or error if isinstance(error, ApiException) else _reason(error)
            if ended := self._ended:  # its other certificates are as old, and without them it does not start
                raise CredentialsError(f"{self.host}: {' '.join(str(said).split())}; {ended}: {RENEW}") from None
            raise UnreachableError(f"{self.host}: {' '.join(str(said).split())}") from None
        if status == 401:
            why = self._ended or "if its certificate has expired"
            raise CredentialsError(f"{self.host}: refuses the kubeconfig: {why}: {RENEW}")
        if len(content) > LARGEST_ANSWER:
            answer.response.close()
            raise UnreachableError(f"{self.host}: answers with more than {LARGEST_ANSWER} bytes")
        text = without_escapes(str(content, errors="replace"))
        if status >= 400:
            raise _refusal(status, text)
        return text

    def pod_text(self, namespace: str, pod: str, port: int, path: str, most: float = answer_seconds) -> str:
        """What a port of a pod answers to a GET, on the pod's own loopback address. `most`: seconds between two parts
        of its answer.

        Raises:
            ApiError: the API server refuses.
            PodError: the pod gives no whole answer in time, or one with another status than 200.
            UnreachableError: the API server does not answer.
        """
        import websocket
        from kubernetes import client
        from kubernetes.client.exceptions import ApiException
        from kubernetes.stream import portforward
        from urllib3.connection import HTTPConnection
        from urllib3.exceptions import HTTPError

        websocket.setdefaulttimeout(self.answer_seconds)  # of all connections of the library: it has no other way
        core, connection = client.CoreV1Api(self._api), HTTPConnection("localhost", port, timeout=most)
        reached = False
        try:
            opened = portforward(
                core.connect_get_namespaced_pod_portforward,
                pod,
                namespace,
                ports=str(port),
                _headers={"sec-websocket-protocol": "v4.channel.k8s.io"},  # the one of a kubelet's port forwarding
            )
            connection.sock, reached = opened.socket(port), True
            connection.sock.settimeout(most)
            connection.request("GET", path, preload_content=False)
            answer = connection.getresponse()
            content = answer.read(LARGEST_ANSWER + 1)
        except ApiException as error:
            said = " ".join(str(error.reason).split())
            if (found := re.search(r"Handshake status (4\d\d)", said)) is not None:
                raise ApiError(int(found[1]), said) from None
            raise UnreachableError(f"{self.host}: {said}") from None
        except (HTTPError, OSError, ValueError) as error:
            kind = PodError if reached else UnreachableError
            raise kind(f"pod {pod}, port {port}: {_reason(error)}") from None
        finally:
            connection.close()
        if len(content) > LARGEST_ANSWER:
            raise PodError(f"pod {pod}, port {port}: answers with more than {LARGEST_ANSWER} bytes")
        if answer.status != 200:
            raise PodError(f"port {port} answers with status {answer.status}")
        return str(content, errors="replace")

    def path_of(self, manifest: Manifest) -> str:
        """The API path of an object. The API server knows the plural of its kind, and whether it has a namespace."""
        version, kind, metadata = manifest["apiVersion"], manifest["kind"], manifest["metadata"]
        prefix = f"/apis/{version}" if "/" in version else f"/api/{version}"
        if (version, kind) not in self._paths:
            for resource in self.request("GET", prefix)["resources"]:
                if "/" not in resource["name"]:  # a subresource
                    self._paths[version, resource["kind"]] = resource["name"], resource["namespaced"]
        if (version, kind) not in self._paths:
            raise ApiError(404, f"the cluster has no kind {kind} in {version}")
        plural, namespaced = self._paths[version, kind]
        scope = f"/namespaces/{metadata.get('namespace') or 'default'}" if namespaced else ""
        return f"{prefix}{scope}/{plural}/{metadata['name']}"


def _again() -> Any:
    """When the API server has not taken a request and says when to send it again: while it starts, or is overloaded.

    At most ten times, as client-go does. Not a POST: an eviction that a disruption budget stops is answered in this
    way too, and its command reports that.
    """
    from urllib3 import Retry

    methods = ("GET", "PUT", "PATCH", "DELETE")
    return Retry(
        total=10,
        connect=False,
        read=False,
        redirect=False,
        other=False,
        allowed_methods=methods,
        raise_on_status=False,
        retry_after_max=10,
    )


def _answer(call: Callable[[], Any], *, tries: int) -> tuple[Any, bytes]:
    """The answer and its body. A connection that was cut is opened again, as often as `tries` allows."""
    from kubernetes.client.exceptions import ApiException
    from urllib3.exceptions import HTTPError

    while True:
        tries -= 1
        try:
            answer = call()
            return answer, answer.response.read(LARGEST_ANSWER + 1)
        except (ApiException, HTTPError, OSError) as error:
            if not tries or not _was_cut(error):
                raise
        time.sleep(_CUT_PAUSE_SECONDS)


def _was_cut(error: Exception) -> bool:
    """Whether a connection ended without a whole answer, also before TLS was agreed on."""
    from urllib3.exceptions import ProtocolError

    reason = getattr(error, "reason", None) or error  # urllib3 and the library wrap it
    return isinstance(reason, ProtocolError) or "EOF occurred in violation of protocol" in str(reason)


def _close(files: list[RawIOBase]) -> None:
    while files:
        files.pop().close()


def get(api: Api, path: str) -> dict[str, Any] | None:
    """The object at this path, or None."""
    try:
        return api.request("GET", path)
    except ApiError as error:
        if error.status == 404:
            return None
        raise


def cluster_uid(api: Api) -> str:
    """Tells clusters apart: the UID of the namespace kube-system, which exists as long as its cluster."""
    return str(api.request("GET", "/api/v1/namespaces/kube-system")["metadata"]["uid"])


def list_items(api: Api, path: str, *, query: Query = ()) -> list[dict[str, Any]]:
    """The items of a list."""
    return list(api.request("GET", path, query=query).get("items") or ())


def _refusal(status: int, text: str) -> ApiError:
    try:
        answer = printable_json(text)
        details = answer.get("details") or {}
        causes = [cause["message"] for cause in details.get("causes") or () if "message" in cause]
        return ApiError(status, str(answer["message"]), causes)
    except (ValueError, KeyError, TypeError, AttributeError):
        return ApiError(status, f"status {status}")


def _end_of_served(host: str) -> str:
    """When the certificate that a server serves has ended."""
    import ssl

    from cryptography import x509

    server = urlsplit(host)
    try:
        served = ssl.get_server_certificate((str(server.hostname), server.port or 443), timeout=Cluster.connect_seconds)
        return f"ended on {x509.load_pem_x509_certificate(served.encode()).not_valid_after_utc.date()}"
    except (OSError, ValueError):
        return "has expired"


def _reason(error: Exception) -> str:
    from urllib3.exceptions import NewConnectionError, TimeoutError

    if isinstance(error, TimeoutError) and not isinstance(error, NewConnectionError):  # a refusal is a subclass
        return "no answer in time"
    return re.sub(r"^.*: |\[Errno \d+\] ", "", str(error)) or type(error).__name__
