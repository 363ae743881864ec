"""Kubernetes resource quantities. Pure."""

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?")
_SUFFIXES: dict[str | None, Decimal] = {
    "m": Decimal("0.001"),
    None: Decimal(1),
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate("kMGTPE", 1)},
    **{f"{suffix}i": Decimal(1024) ** power for power, suffix in enumerate("KMGTPE", 1)},
}


def quantity_value(quantity: str) -> Decimal:
    """The number behind a Kubernetes quantity: `500m` → 0.5 (cores), `1Gi` → 1073741824 (bytes).

    Raises ValueError for anything that is not one.
    """
    match = _QUANTITY.fullmatch(quantity)
    if not match:
        raise ValueError("write a Kubernetes quantity, as in '500m', '2' or '4Gi'")
    return Decimal(match[1]) * _SUFFIXES[match[2]]


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
