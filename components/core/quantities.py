"""Kubernetes resource quantities. Pure."""

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

_QUANTITY = re.compile(r"\+?([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?[0-9]{1,3}))?", re.ASCII)
"""The grammar of k8s.io/apimachinery/pkg/api/resource, without negative numbers: no request or limit may be one."""
_SUFFIXES = {
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate(("n", "u", "m", "", "k", *"MGTPE"), -3)},
    **{f"{suffix}i": Decimal(1024) ** power for power, suffix in enumerate("KMGTPE", 1)},
}


def quantity_value(quantity: str) -> Decimal:
    """The number behind a Kubernetes quantity: `500m` → 0.5 (cores), `1Gi` → 1073741824 (bytes).

    Own code, because `kubernetes.utils.parse_quantity` needs 0.3 s to import and comes with the extra `lab` only; a
    property test compares the two.

    Raises ValueError for anything that is not one.
    """
    match = _QUANTITY.fullmatch(quantity)
    if not match:
        raise ValueError("write a Kubernetes quantity, as in '500m', '2' or '4Gi'")
    number, suffix, exponent = match.groups()
    return Decimal(number) * _SUFFIXES[suffix or ""] * Decimal(10) ** int(exponent or 0)


def _quantity(value: Any) -> Any:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str):
        raise ValueError("write a Kubernetes quantity in quotes, as in '500m', '2' or '4Gi'")
    quantity_value(text)
    return text


Quantity = Annotated[
    str,
    BeforeValidator(_quantity),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": f"^{_QUANTITY.pattern}$"},
                {"type": "integer", "minimum": 0},
            ],
            "description": "a Kubernetes quantity, as in '500m', '2' or '4Gi'",
        }
    ),
]
"""A Kubernetes resource quantity, kept as the author wrote it."""
