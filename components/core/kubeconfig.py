"""Which kubeconfigs are taken: with TLS to a server that is verified, and with nothing that runs a program or reads a
file of the machine that uses them. Pure."""

import base64
import datetime
import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from cryptography import x509

from components.core.manifests import FieldError, Fields
from components.core.untrusted import YamlError, printable, yaml_value

MOST_CHARACTERS = 1_000_000
"""A kubeconfig with one cluster has 6,000."""


class KubeconfigProblem(NamedTuple):
    """What is wrong with a kubeconfig; repeats no value of it."""

    message: str
    remedy: str


_FILE = ("names a file of the machine that uses it", "write the data itself (kubectl config view --flatten)")
_PROGRAM = (
    "runs a program on the machine that uses it",
    "use a client certificate, or the token of a ServiceAccount",
)
_TAKEN = {
    "cluster": {
        "server",
        "certificate-authority-data",
        "tls-server-name",
        "disable-compression",
        "proxy-url",
        "extensions",
        "insecure-skip-tls-verify",
    },
    "user": {"client-certificate-data", "client-key-data", "token", "extensions"},
    "context": {"cluster", "user", "namespace", "extensions"},
}
"""By kind of entry, its fields; of client-go's tools/clientcmd/api/v1."""
_WHY = {
    **dict.fromkeys(("certificate-authority", "client-certificate", "client-key", "tokenFile"), _FILE),
    **dict.fromkeys(("exec", "auth-provider"), _PROGRAM),
    **dict.fromkeys(
        ("username", "password"), ("is a login that API servers do not take since Kubernetes 1.19", _PROGRAM[1])
    ),
}
_OTHER = ("is a field that is not taken", "remove it")


def kubeconfig_problems(text: str, *, one: bool = True) -> list[KubeconfigProblem]:
    """Everything that is wrong with the text of a kubeconfig. `one`: of cluster, user and context it must have one.

    A text whose credentials were emptied (`public_kubeconfig`) is judged alike.
    """
    try:
        value = yaml_value(text, most=MOST_CHARACTERS)
    except YamlError:
        value = None
    if not isinstance(value, Mapping):
        return [KubeconfigProblem("is not the text of a kubeconfig", "write its text, not its path")]
    try:
        return list(_problems(Fields(value), one=one))
    except FieldError as error:
        return [KubeconfigProblem(str(error), "correct the field")]


ADVISED_DAYS = 30
"""Before the end of an administrator's certificate: it is renewed 60 days before, and read again then."""


def first_end(text: str) -> tuple[str, datetime.datetime] | None:
    """Whose client certificate in a kubeconfig ends first, and when; None without one."""
    try:
        users = Fields(yaml_value(text, most=MOST_CHARACTERS)).groups("users")
        given = [user.group("user").text("client-certificate-data") for user in users]
        certificates = [one for data in filter(None, given) for one in _certificates(data)]
    except (YamlError, FieldError, TypeError, ValueError):
        return None
    first = min(certificates, key=lambda one: one.not_valid_after_utc, default=None)
    return (printable(first.subject.rfc4514_string()), first.not_valid_after_utc) if first else None


def ended_certificate(text: str, now: datetime.datetime) -> str:
    """The first client certificate of a kubeconfig that is no longer valid, by name and last day; empty without one."""
    found = first_end(text)
    if found is None or found[1] > now:
        return ""
    return f"the kubeconfig's client certificate of {found[0]} ended on {found[1].date()}"


def ending_certificate(text: str, now: datetime.datetime) -> str:
    """The first client certificate that ends within ADVISED_DAYS, by name and last day; empty without one."""
    found = first_end(text)
    if found is None or not now < found[1] <= now + datetime.timedelta(days=ADVISED_DAYS):
        return ""
    return f"the kubeconfig's client certificate of {found[0]} ends on {found[1].date()}"


def public_kubeconfig(text: str) -> str:
    """The same without credentials, which anybody may read: servers, authorities, and the names of the users' fields.

    Empty for what is not the text of a kubeconfig.
    """
    try:
        found = Fields(yaml_value(text, most=MOST_CHARACTERS))
        clusters = [
            {"name": entry.text("name"), "cluster": _without(entry.group("cluster"), "proxy-url", "extensions")}
            for entry in found.groups("clusters")
        ]
        users = [
            {"name": entry.text("name"), "user": dict.fromkeys(entry.group("user"), "")}
            for entry in found.groups("users")
        ]
        contexts = [{"name": entry.text("name"), "context": {}} for entry in found.groups("contexts")]
        return json.dumps({"clusters": clusters, "users": users, "contexts": contexts}, sort_keys=True)
    except (YamlError, FieldError, TypeError, ValueError):
        return ""


def _without(fields: Fields, *names: str) -> dict[str, Any]:
    return {name: value for name, value in fields.raw.items() if name not in names}


def _problems(found: Fields, *, one: bool) -> Iterator[KubeconfigProblem]:
    for kind, taken in _TAKEN.items():
        entries = found.groups(f"{kind}s")
        if not entries or (one and len(entries) > 1):
            must = "one" if one else "at least one"
            yield KubeconfigProblem(
                f"has {len(entries)} {kind}s", f"write {must} (kubectl config view --flatten --minify)"
            )
        for entry in entries:
            fields = entry.group(kind)
            for name in fields:
                if name not in taken:
                    why, remedy = _WHY.get(name, _OTHER)
                    yield KubeconfigProblem(f"{fields.at(name)} {why}", remedy)
            if kind == "cluster":
                yield from _cluster(fields)


def _cluster(cluster: Fields) -> Iterator[KubeconfigProblem]:
    if not _is_https(cluster.text("server")):
        yield KubeconfigProblem(f"{cluster.at('server')} is not an https address", "write https://HOST:PORT")
    if cluster.text("insecure-skip-tls-verify", "false") != "false":
        yield KubeconfigProblem(
            f"{cluster.at('insecure-skip-tls-verify')} lets any server answer for the cluster",
            "remove it, and write certificate-authority-data",
        )
    if not _is_authority(cluster.text("certificate-authority-data")):
        yield KubeconfigProblem(
            f"{cluster.at('certificate-authority-data')} has no certificate, so the server is not verified by the "
            "cluster's own authority",
            "write the authority's certificate (PEM, base64)",
        )


def _is_https(server: str) -> bool:
    try:
        parts = urlsplit(server)
        return parts.scheme == "https" and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        return False


def _is_authority(data: str) -> bool:
    try:
        return bool(_certificates(data))
    except ValueError:
        return False


def _certificates(data: str) -> list[x509.Certificate]:
    """PEM in base64, as in a kubeconfig. Raises ValueError."""
    return x509.load_pem_x509_certificates(base64.b64decode(data, validate=True))
