"""Hides secrets in a preview.

The engine masks what the program marked as secret. That is not enough for what others mark wrongly: a key that came
in as a plain value is still a key. What has a secret's name is hidden, and what looks like a secret. A line of a text
that has one is hidden as a whole.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import chain, pairwise
from typing import Any

from components.core.unknown import SIGNATURE
from components.core.untrusted import json_value
from vds.preview_comment.secret_names import is_about, is_secret

SECRET = "[secret]"  # noqa: S105 - the engine's own word for a value that it hides
UNKNOWN = "[known when it runs]"

_UNKNOWN = re.compile(r"04da6b54-80e4-46f7-96ec-b56ff0331ba9")
"""What the engine writes for a value that it does not know yet (sdk/go/common/resource/plugin/rpc.go)."""
_OF_A_SECRET = frozenset({"data", "stringData", "dataJson"})
_NAME_FIELDS = ("name", "key", "Name", "Key", "header")
_VALUE_FIELDS = frozenset({"value", "values", "default", "content"})
"""Where the name of a value stands beside it, as in a container's environment."""
_HIDES_ALL_PARTS = ("PRIVATE KEY", "SECRET-KEY", "LS0tLS1CRUdJTi", "Secret")
_HIDES_ALL = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY|\bAGE-SECRET-KEY-1|LS0tLS1CRUdJTi"
    r"|(?m:^[\s{,-]{0,99}[\"']?kind[\"']?\s{0,9}:\s{0,9}[\"']?Secret\b)"
    r"|[{,]\s{0,9}\"kind\"\s{0,9}:\s{0,9}\"Secret\""
)
"""What makes a whole text secret: a PEM key, also in base64; a Secret in a text."""
_LOGIN = re.compile(
    # Of http a password has no slash, so that a port and a path with an @ are none.
    r"://[^/\s:@]{0,99}:[^/\s@]{1,512}@|(?<!http)(?<!https)://[^\s:@]{0,99}:[^\s@]{1,512}@|://(?!git@)[\w~.+-]{8,256}@"
    r"|(?<![\w/.+-])[\w.+-]{1,64}:[^\s:@/'\"]{1,256}@(?!sha\d{3}:)[\w(\[]"
)
"""`user:password@`, in URLs and in the connection strings of Go's drivers."""
_HASH = re.compile(
    r"\$(2[abxy]|apr1|argon2\w{0,2}|scrypt|pbkdf2[\w-]{0,9}|y)\$[\w./=,$-]{4,}|\$[156]\$[\w./-]{2,}\$[\w./]{8,}"
    r"|\{S?SHA\d{0,3}\}[\w+/=]{8,}"
)
"""The hash of a password, as htpasswd, /etc/shadow and LDAP have it."""
_FORMS = re.compile(
    r"\b(?:[Bb]earer [\w.~+/=-]{8,}|[Bb]asic [\w+/=-]{8,}|BEARER [\w.~+/=-]{8,}"
    r"|gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{30,}"
    r"|gl[a-z]{2,5}-[\w-]{20,}|(?:AKIA|ASIA)[0-9A-Z]{16}\b|pul-[0-9a-f]{40}|hv[bsr]\.[\w-]{8,}"
    r"|[sr]k[-_](?:live|test|proj|ant|or)[-_][\w-]{8,}|sk-[\w-]{20,}|xox[a-z]-[\w-]{8,}|xapp-\d[\w-]{8,}|AIza[\w-]{35}"
    r"|ya29\.[\w-]{8,}|npm_\w{30,}|pypi-[\w-]{16,}|dckr_pat_[\w-]{8,}|do[opr]_v1_\w{16,}|gl(?:sa|c)_\w{16,}"
    r"|SG\.[\w-]{8,}\.[\w-]{8,}|shp(?:at|ca|pa|ss)_\w{16,}|ATATT3\w{8,}|hf_\w{20,}|nvapi-[\w-]{16,}|tskey-[\w-]{8,}"
    r"|whsec_\w{8,}|AC[0-9a-f]{32}\b|PMAK-[\w-]{16,}|NRAK-\w{16,}|hooks\.slack\.com/\w|discord(?:app)?\.com/api/webhooks/\w"
    r"|(?:\w{1,63}\.)?webhook\.office\.com/\w|api\.telegram\.org/bot\w|(?<!-)eyJ[\w-]{8,8192}\.[\w-]{8,8192}\."
    r"|[a-z0-9]{6}\.[a-z0-9]{16}(?![\w.-]))"
)
"""Headers, web hooks, JWTs, bootstrap tokens of Kubernetes, and tokens by the prefix that their services document."""
_PROGRAMS = re.compile(
    r"\b(?:curl|wget|sshpass|mysql|mariadb|redis-cli|ldap|docker|podman|helm|skopeo|crane|buildah|oras|nerdctl|htpasswd"
    r"|openssl|smbclient|chpasswd|mkpasswd|login)"
)
_COMMANDS = re.compile(
    r"\b(curl|wget)\b.{0,500}\s(-u|--user|--proxy-user|-U)[ =]?\S{1,99}:\S"
    r"|\b(sshpass|mysql\w*|mariadb[\w-]*)\b.{0,500}\s-p\s?[^\s-]|\bredis-cli\b.{0,500}\s-a\s?\S"
    r"|\bldap\w+\b.{0,500}\s-w\s?\S"
    r"|\b(docker|podman|helm|skopeo|crane|buildah|oras|nerdctl)\b.{0,500}\blogin\b.{0,500}\s-p\s?\S"
    r"|\bhtpasswd\b.{0,200}\s-\w{0,5}b|\bopenssl\b.{0,500}\b(pass|env):\S|\bsmbclient\b.{0,500}%\S|\bchpasswd\b"
    r"|\bmkpasswd\s+\S|\blogin\s+\S{1,99}\s+password\s+\S"
)
"""Commands with an option for a password that has another name."""
_LOGIN_OPTIONS = ("-u", "-U", "--user", "--proxy-user")
"""Before `user:password`; containers have them before `1000:1000`."""
_PAIR = re.compile(
    r"\b(?:name|key)=[\"']([^\"']{1,80})[\"']\s{1,9}value=(?=[\"'][^\"'])"  # XML
    r"|<([A-Za-z][\w.:-]{0,80})(?:\s[^<>]{0,200})?>\s{0,9}(?=[^<\s])"
    r"|(?<![\w./])(\w[\w./-]{0,200})[\"'\])]{0,2}[ \t]{0,9}(?::=|=>|[:=])[ \t]{0,9}(?=\S)"  # YAML, JSON, shell, URLs
    r"|(?<!\S)--?([A-Za-z][\w.-]{1,80})[ \t]{1,9}(?=[^\s-])"  # options
    r"|\(\s{0,9}[\"']([^\"']{1,80})[\"']\s{0,9},\s{0,9}(?=[\"'][^\"'])"  # define('NAME', '…')
)
_TWO_WORDS = re.compile(r"\s*(?:(?:ENV|ARG|export|set|setenv)\s+)?([A-Za-z][\w.-]{0,80})\s+(\S+)\s*;?\s*", re.I)
"""A line of a configuration as that of Redis."""
_NO_SECRET = re.compile(
    r"[\"']?(\$\{?[A-Za-z_(]|\{\{|%[({]|\[secret\]|(true|false|null|none|yes|no|on|off)(?![\w-])|\[\]|\{\}|~$)"
    r"|\"\"|''|[,;\]})]|[|>&][-+0-9]*$|[\[{(]$",
    re.I,
)
"""A value that only refers to a secret, or that is empty."""
_OPENS = re.compile(
    r"\s*(?:- )?[\"']?([A-Za-z][\w./-]{0,80})[\"']?\s*[:=]\s*([|>][-+0-9]*|[\[{(]|\"\"\"|''')?\s*(#.*)?"
)
"""A name whose value is on the next lines."""
_PROSE = re.compile(
    "an?|are|be|can('t|not)?|do|does|has|have|in|is|may|must|names|needs|no|not|of|or|remove|should|the|this|use|was"
    "|which|write"
)
"""Words after a colon with which a message continues."""
_HINTS = tuple(
    re.findall(r"\w+", "auth bcrypt bearer cookie cred dsn jwt key kubeconfig mnemonic otp pass pwd secret sig token")
)
"""A part of every word that makes a name a secret's: most lines have none, and need no search for names."""
_LONG_WORD = re.compile(r"(?<![\w+/=:.@-])[A-Za-z0-9+/_=-]{24,512}(?![\w+/=-])")
_PUBLIC = re.compile(
    r"[\"']?(ssh|ecdsa|sk-ssh)-[\w@.-]+ AAAA|age1[a-z0-9]{50,}|sha\d+[:-]|AAAA"
    r"|-----BEGIN [A-Z0-9 ]*(CERTIFICATE|PUBLIC|CRL)"
)
"""The start of what is public, whatever its name is."""
_BLANK = re.compile(r"[ \t]")
_PEM = re.compile(r"-----(BEGIN|END) [A-Z0-9 ]+-----")


def masked(value: Any, *, kind: str = "", path: tuple[str, ...] = ()) -> Any:
    """The value with every secret in it replaced, and every unknown named. `kind` is the resource's type."""
    if isinstance(value, Mapping):
        if SIGNATURE in value:
            return SECRET
        is_object = value.get("kind") == "Secret" or (not path and kind.endswith((":Secret", ":SecretPatch")))
        is_object = is_object or (path == ("items", "[]") and kind.endswith(":SecretList"))
        beside = next((value[field] for field in _NAME_FIELDS if isinstance(value.get(field), str)), "")
        return {
            key: _hidden(item, everything=True)
            if is_object and key in _OF_A_SECRET
            else _hidden(item)
            if _is_secret(beside if beside and key.lower() in _VALUE_FIELDS else key, item)
            else masked(item, kind=kind, path=(*path, key))
            for key, item in value.items()
        }
    if isinstance(value, list):
        return _masked_list(value, kind, path)
    return masked_text(value) if isinstance(value, str) else value


def with_unknowns(text: str) -> str:
    """The text with a word in place of each value that the engine does not know yet."""
    return _UNKNOWN.sub(UNKNOWN, text)


def masked_text(text: str) -> str:
    """A value with a word in place of each line that has a secret in it."""
    if _hides_all(text):
        return SECRET
    if "\n" not in text and text[:1] in ("{", "[") and text != SECRET:
        try:
            found = json_value(text)
        except ValueError:
            pass
        else:
            return SECRET if masked(found) != found else with_unknowns(text)
    lines, deeper, public = text.split("\n"), -1, False
    for number, line in enumerate(lines):
        if not line.strip(" \t\r]}),;"):
            continue
        indent = len(line) - len(line.lstrip())
        if indent < deeper or (indent == deeper and not line.lstrip().startswith("- ")):
            deeper = -1
        marker = _PEM.search(line)
        public = bool(marker and marker[1] == "BEGIN") or (public and not marker)
        secret = (marker or not public) and next(_spans(line), None)
        opened = _OPENS.fullmatch(line)
        if secret or (deeper >= 0 and not public and not is_about(line.strip(" -\t\"'").split(":")[0])):
            lines[number] = SECRET
        is_group = opened is not None and not (opened[2] or "").startswith(("|", ">"))
        if deeper < 0 and ((opened and is_secret(opened[1], group=is_group)) or (secret and line.endswith("\\"))):
            deeper = indent
    return with_unknowns("\n".join(lines))


def masked_message(text: str) -> str:
    """What a policy or the engine says, with a word in place of each secret: the rest of a line is needed."""
    if _hides_all(text):
        return SECRET
    return with_unknowns("\n".join(map(_masked_line, text.split("\n"))))


def _hides_all(text: str) -> bool:
    return any(part in text for part in _HIDES_ALL_PARTS) and _HIDES_ALL.search(text) is not None


def _masked_line(line: str) -> str:
    parts, done = [], 0
    for start, end in sorted(_spans(line, prose=True)):
        if end > done:
            parts += [line[done : max(start, done)], SECRET] if start >= done else []
            done = end
    return "".join([*parts, line[done:]])


def _is_secret(name: str, value: Any) -> bool:
    # `automountServiceAccountToken: false` and the like are switches, and say nothing.
    if isinstance(value, bool) or value in (None, "", [], {}):
        return False
    if isinstance(value, str) and (_PUBLIC.match(value) or _NO_SECRET.match(value)):
        return False
    is_count = name.endswith("s") and isinstance(value, str | int) and re.fullmatch(r"\d{1,6}", str(value))
    return not is_count and is_secret(name, group=isinstance(value, Mapping))


def _hidden(value: Any, *, everything: bool = False) -> Any:
    """The value of a secret. A group keeps its names and what only says something about a secret."""
    if isinstance(value, Mapping) and SIGNATURE not in value:
        return {
            key: masked(item)
            if not everything and (is_about(key) or isinstance(item, bool) or item is None)
            else _hidden(item, everything=everything)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_hidden(item, everything=everything) for item in value]
    is_public = isinstance(value, str) and not everything and _PUBLIC.match(value)
    return masked(value) if is_public else SECRET


def _masked_list(value: list[Any], kind: str, path: tuple[str, ...]) -> list[Any]:
    found, before = [], ""
    for item in value:
        text = item if isinstance(item, str) else ""
        named = before.startswith("-") and "=" not in before and is_secret(before) and not text.startswith("-")
        login = before in _LOGIN_OPTIONS and re.search(r":.*[^\d]", text)
        found.append(SECRET if text and (named or login) else masked(item, kind=kind, path=(*path, "[]")))
        before = text
    words = [item for item in value if isinstance(item, str)]
    if len(words) > 1 and SECRET not in found and _COMMANDS.search(" ".join(words)):
        return [value[0], *(SECRET if isinstance(item, str) else item for item in found[1:])]
    return found


def _spans(line: str, *, prose: bool = False) -> Iterator[tuple[int, int]]:
    """Where secrets are in a line. `prose`: the line is a sentence, perhaps with a name before a colon."""
    forms = [_FORMS, *([_LOGIN] if "@" in line else ()), *([_HASH] if "$" in line or "{" in line else ())]
    for match in chain.from_iterable(form.finditer(line) for form in forms):
        yield _run(line, *match.span())
    for match in _LONG_WORD.finditer(line):
        if not _PUBLIC.match(match[0]) and _is_random(match[0]):
            yield match.span()
    if _PROGRAMS.search(line) and _COMMANDS.search(line):
        yield 0, len(line)
    lower = line.lower()
    if not any(hint in lower for hint in _HINTS):
        return
    for match in _PAIR.finditer(line):
        name = next(filter(None, match.groups()))
        if is_secret(name) and not _NO_SECRET.match(line, match.end()) and not _PUBLIC.match(line, match.end()):
            start, end = _run(line, match.end(), match.end() + 1)
            if not (prose and _PROSE.fullmatch(line[match.end() : end].strip(".,;:").lower())):
                yield max(start, match.end()), end
    two = None if prose else _TWO_WORDS.fullmatch(line)
    if two and is_secret(two[1]) and not _NO_SECRET.match(two[2]):
        yield two.span(2)


_LONGEST_RUN = 1000


def _run(line: str, start: int, end: int) -> tuple[int, int]:
    """The span with everything up to the next blank on both sides."""
    before = max(line.rfind(blank, max(0, start - _LONGEST_RUN), start) for blank in " \t")
    after = _BLANK.search(line, end)
    return (before + 1 if before >= 0 else max(0, start - _LONGEST_RUN)), after.start() if after else len(line)


def _is_random(word: str) -> bool:
    """Whether capitals, small letters and digits change as often as in a random word: six times in ten characters.

    In names with capitals inside them it is three times.
    """
    kinds = ["0" if char.isdigit() else "A" if char.isupper() else "a" for char in word if char.isalnum()]
    changes = sum(one != other for one, other in pairwise(kinds))
    return min(kinds.count(kind) for kind in "0Aa") >= 2 and changes >= 0.4 * len(kinds)
