"""Identifiers made from names and the one time of a state: the same state gives the same documents. Pure."""

import json
import re
from uuid import UUID, uuid5

_ROOT = UUID("6c1f3d0e-5b0f-5f64-9d3e-0a7b6f1f2c11")
_NO_TIME = "1970-01-01T00:00:00Z"
"""Of a state that names no time."""
_TIME = re.compile(r"((19|20)\d\d-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,6})?\d*(Z|[+-]\d\d:\d\d)")


def name_uuid(*names: str) -> UUID:
    """The same for the same names, which no other list of names has."""
    return uuid5(_ROOT, json.dumps(names))


def time_of(state_made_at: str) -> str:
    """When the engine wrote the state, with six digits of a second at most: OSCAL and CycloneDX take no more."""
    match = _TIME.fullmatch(state_made_at)
    return f"{match[1]}{match[3] or ''}{match[4]}" if match else _NO_TIME
