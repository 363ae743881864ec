"""What selectors of network policies ask of namespaces and pods, in every grammar. Pure."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import product
from typing import NamedTuple

from components.core import labels
from components.core.manifests import FieldError, Fields

IsTenant = Callable[[str], bool]

_LEVELS = tuple(f"pod-security.kubernetes.io/{mode}" for mode in ("enforce", "audit", "warn"))
_OF_EVERY_TENANT = {labels.MANAGED_BY: labels.MANAGER, **dict.fromkeys(_LEVELS, "restricted")}
"""Labels with the value that every tenant's namespace has, so that to ask for them is to ask for nothing."""
NAMES = (labels.NAMESPACE_NAME, labels.TENANT)
"""Labels whose value is the name of a tenant's namespace."""
_POD_NAMESPACE = "io.kubernetes.pod.namespace"
_NAMESPACE_LABELS = "io.cilium.k8s.namespace.labels."
"""Cilium's labels of a pod for what its namespace is called and how it is labelled."""
_CALICO_NAMES = ("projectcalico.org/name", "projectcalico.org/namespace")
_CALICO_LABELS = "pcns."


class Asked(NamedTuple):
    """One thing that a selector asks for."""

    label: str
    operator: str
    """In, NotIn, Exists or DoesNotExist; another word for what is neither."""
    values: tuple[str, ...] = ()
    of: str = "namespace"
    """What has the label: `namespace`, `pod`, or `other` for what is no pod."""


Selector = list[Asked]
"""All of it is asked for; an empty one selects everything."""


def kubernetes(selector: Fields, of: str = "namespace") -> Selector:
    """A label selector of Kubernetes'."""
    wanted = selector.group("matchLabels")
    found = [Asked(label, "In", (wanted.text(label),), of) for label in wanted]
    for expression in selector.groups("matchExpressions"):
        values = tuple(expression.texts("values"))
        found.append(Asked(expression.text("key"), expression.text("operator"), values, of))
    return found


def cilium(selector: Fields) -> Selector:
    """A selector of Cilium's: labels of pods, and of their namespaces by a prefix."""
    return [_of_cilium(one) for one in kubernetes(selector, "pod")]


def _of_cilium(one: Asked) -> Asked:
    name = one.label.removeprefix("k8s:").removeprefix("any:")
    if name.startswith("reserved"):
        return one._replace(of="other")
    if name == _POD_NAMESPACE:
        return one._replace(label=labels.NAMESPACE_NAME, of="namespace")
    of_namespace = name.startswith(_NAMESPACE_LABELS)
    return one._replace(label=name.removeprefix(_NAMESPACE_LABELS), of="namespace" if of_namespace else "pod")


_TOKEN = re.compile(
    r"\s*(?:(all|global)\(\s*\)|has\(\s*([^()\s]+)\s*\)|(&&|\|\||!(?!=)|[(){},])|(==|!=)"
    r"|(not\s+in|in|contains|starts\s+with|ends\s+with)(?=[\s{'\"])|'([^']*)'|\"([^\"]*)\"|([A-Za-z0-9_./-]+))"
)
_OPPOSITE = {"In": "NotIn", "NotIn": "In", "Exists": "DoesNotExist", "DoesNotExist": "Exists"}
_CALICO = {"==": "In", "!=": "NotIn", "in": "In", "not in": "NotIn"}


def calico(expression: str, path: str, of: str = "namespace") -> list[Selector]:
    """A selector of Calico's: alternatives. Raises FieldError for what is no expression."""
    if not expression.strip():
        return [[]]
    try:
        parser = _Parser(expression, of)
        found = parser.either()
        if parser.tokens:
            raise ValueError
    except (ValueError, IndexError):
        raise FieldError(path, "is no selector of Calico's") from None
    return found


def calico_selectors(peer: Fields) -> list[Selector]:
    """Of Calico's peers and policies: namespaces and pods together."""
    namespaces = calico(peer.text("namespaceSelector"), peer.at("namespaceSelector"))
    pods = calico(peer.text("selector"), peer.at("selector"), "pod")
    return [left + right for left in namespaces for right in pods]


class _Parser:
    """Of Calico's expressions (libcalico-go/lib/selector/parser)."""

    def __init__(self, expression: str, of: str) -> None:
        self.tokens: list[tuple[str, str]] = []
        self.of = of
        at, end = 0, len(expression.rstrip())
        while at < end:
            match = _TOKEN.match(expression, at)
            if match is None:
                raise ValueError
            at = match.end()
            kinds = ("call", "has", "sign", "compare", "word", "text", "text", "label")
            self.tokens += [(kind, said) for kind, said in zip(kinds, match.groups(), strict=True) if said is not None]

    def either(self) -> list[Selector]:
        found = self.both()
        while self._next("||"):
            found = found + self.both()
        return found

    def both(self) -> list[Selector]:
        found = self.one()
        while self._next("&&"):
            found = [left + right for left, right in product(found, self.one())]
        return found

    def one(self) -> list[Selector]:
        kind, said = self.tokens.pop(0)
        if (kind, said) == ("sign", "!"):
            return [
                [_opposite(asked) for asked in chosen] for chosen in product(*self.one())
            ]  # not (a and b, or c): not a and not c, or not b and not c
        if (kind, said) == ("sign", "("):
            found = self.either()
            if not self._next(")"):
                raise ValueError
            return found
        if kind == "call":
            return [[]] if said == "all" else [[Asked("", said, of="other")]]
        if kind == "has":
            return [[self._asked(said, "Exists", ())]]
        if kind != "label":
            raise ValueError
        operator = " ".join(self.tokens.pop(0)[1].split())
        return [[self._asked(said, _CALICO.get(operator, operator), tuple(self._values(operator)))]]

    def _values(self, operator: str) -> Iterator[str]:
        if operator not in ("in", "not in"):
            yield self._text()
            return
        if not self._next("{"):
            raise ValueError
        while not self._next("}"):
            yield self._text()
            self._next(",")

    def _text(self) -> str:
        kind, said = self.tokens.pop(0)
        if kind != "text":
            raise ValueError
        return said

    def _next(self, sign: str) -> bool:
        if self.tokens and self.tokens[0] == ("sign", sign):
            self.tokens.pop(0)
            return True
        return False

    def _asked(self, label: str, operator: str, values: tuple[str, ...]) -> Asked:
        if label in _CALICO_NAMES:
            return Asked(labels.NAMESPACE_NAME, operator, values)
        if label.startswith(_CALICO_LABELS):
            return Asked(label.removeprefix(_CALICO_LABELS), operator, values)
        return Asked(label, operator, values, self.of)


def _opposite(asked: Asked) -> Asked:
    return asked._replace(operator=_OPPOSITE.get(asked.operator, f"not {asked.operator}"))


def selects(selector: Iterable[Asked], name: str, written: Mapping[str, str]) -> bool:
    """Whether a selector selects every pod of a namespace, by its name and its labels."""
    has = {**written, labels.NAMESPACE_NAME: name}
    fits = {
        "In": lambda one: has.get(one.label) in one.values,
        "NotIn": lambda one: has.get(one.label) not in one.values,
        "Exists": lambda one: one.label in has,
        "DoesNotExist": lambda one: one.label not in has,
    }
    return all(one.of == "namespace" and one.operator in fits and fits[one.operator](one) for one in selector)


def names_of(selector: Iterable[Asked]) -> set[str]:
    """The namespaces that a selector names."""
    return {value for one in selector if _by_name(one) for value in one.values}


def _by_name(one: Asked) -> bool:
    return one.of == "namespace" and one.label in NAMES and one.operator == "In"


def may_select_tenants(selector: Iterable[Asked], is_tenant: IsTenant) -> bool:
    """Whether a selector of the whole cluster may select a tenant's pods."""
    return all(
        one.of != "other" and (not _by_name(one) or any(is_tenant(value) for value in one.values)) for one in selector
    )


def reach(selector: Iterable[Asked], own: Collection[str], is_tenant: IsTenant) -> str:
    """In words which namespaces of other tenants a selector selects; empty where it selects none, or only those that
    have a label of their own."""
    others: set[str] = set()
    but = " there is"
    for one in selector:
        everybodys = _OF_EVERY_TENANT.get(one.label)
        if one.of == "pod" or (one.operator == "Exists" and (everybodys or one.label in NAMES)):
            continue
        if one.operator in ("NotIn", "DoesNotExist"):
            but = " but those after NotIn" if one.operator == "NotIn" else f" without the label {one.label}"
        elif _by_name(one):
            others = {value for value in one.values if value not in own and is_tenant(value)}
            if not others:
                return ""
        elif one.operator != "In" or everybodys not in one.values:
            return ""
    return f"the namespace {', '.join(sorted(others))} of another tenant" if others else f"every namespace{but}"
