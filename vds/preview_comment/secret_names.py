"""Whether the name of a value says that the value is a secret. Pure.

A name with a word for a secret is one, and so is every key, unless another word of it is among those listed here: names
of Secrets, files and times are shown, and keys that are public or no keys of cryptography.
"""

import re

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SECRET = re.compile(
    r"(pass(word|wd|phrase|code)|pwd|secret|token|credential|creds?|apikey|privkey|privatekey|keytab|mnemonic|bcrypt"
    r"|htpasswd|requirepass|masterauth|kubeconfig|dockerconfigjson|dockercfg|pgpass|netrc)s?$"
)
"""The end of a word that makes the whole name a secret's, as in `db-password-old` and `PGPASSWORD`."""
_SECRET_AT_END = frozenset(
    {"auth", "auths", "authorization", "bearer", "cookie", "cookies", "dsn", "jwt", "otp", "pass", "sig", "signature"}
)
"""Words that say so only at the end: `mesh-auth-interval` is none."""
_ABOUT = re.compile(
    "age|algorithm|annotations|audience|audiences|claim|class|count|creation|dir|directory|disabled|duration"
    "|enabled|endpoint|expiration|expiry|field|file|files|fingerprint|folder|format|header|host|hours|interval|issuer|kind"
    "|labels|length|lifetime|limit|manager|max|min|minutes|mode|mount|name|names|namespace|namespaces|optional"
    "|path|paths|period|policy|prefix|provider|ref|reference|refs|requests|required|reviews|rotation|scope|scopes"
    "|seconds|selector|size|source|sources|store|timeout|ttl|type|uri|url|user|username|version"
)
"""Last words of names that say something about a secret and not the secret: `secretName`, `token-ttl`."""
_REFERENCES = frozenset({"ca", "cert", "certificate", "default", "existing", "image", "pull", "ssl", "tls"})
"""`existingSecret` and the like have the name of a Secret."""
_PLAIN_KEYS = re.compile(
    "annotation|attribute|authorized|cache|column|config|data|dictionary|field|foreign|group|header|host|index"
    "|json|kms|known|label|lock|lookup|map|message|metadata|metric|node|object|partition|primary|property|pub"
    "|public|registry|resource|route|row|selector|sort|tag|taint|toleration|topology|translation|unique|zone"
)
"""What stands before `key` in the name of a key that is public, or no key of cryptography."""
_PASSES = frozenset({"proxy", "fastcgi", "uwsgi", "scgi", "grpc", "memcached"})  # nginx's directives
_ENDINGS = re.compile(
    "b|base|base64|content|current|data|default|dev|encoded|hash|material|new|old|pem|plain|previous|primary|prod"
    "|secondary|staging|test|text|value"
)
"""Last words that change nothing: `client-key-data`."""


def is_secret(name: str, *, group: bool = False) -> bool:
    """Whether a value of this name is a secret. `group`: the value is a group, as the settings in `auth`."""
    words = _words(name)
    if not words or _ABOUT.fullmatch(words[-1]):
        return False
    if "".join(words).endswith("dockerconfigjson"):
        return True
    for at, word in enumerate(words):
        if _SECRET.search(word):
            referred = word in ("secret", "secrets") and at == len(words) - 1 and at and words[at - 1] in _REFERENCES
            return not referred
    while len(words) > 1 and (_ENDINGS.fullmatch(words[-1]) or words[-1].isdigit()):
        words.pop()
    before = words[-2] if len(words) > 1 else ""
    if words[-1] in ("key", "keys"):
        return bool(before) and not _PLAIN_KEYS.fullmatch(before)
    return not group and words[-1] in _SECRET_AT_END and not (words[-1] == "pass" and before in _PASSES)


def is_about(name: str) -> bool:
    """Whether a value of this name says something about a secret: it is shown within a group of secrets too."""
    words = _words(name)
    return bool(words) and (words == ["key"] or _ABOUT.fullmatch(words[-1]) is not None)


def _words(name: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(name)]
