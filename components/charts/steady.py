"""Marks what charts make at random: certificates, passwords, times. Pure.

A chart that calls such a function is rendered twice. What differs between the two is random, and is replaced by a mark.
"""

import re
from typing import Any

RANDOM = "(random)"
"""In place of a value that differs from rendering to rendering."""
_FUNCTIONS = (
    r"rand\w+|gen(?:PrivateKey|CA|SelfSignedCert|SignedCert)\w*|uuidv4|shuffle|bcrypt|htpasswd|encryptAES"
    r"|now|ago|unixEpoch|getHostByName"
)
_CALL = re.compile(r"\{\{(?:(?!\}\}|\{\{).)*?\b(?:" + _FUNCTIONS + r")\b", re.DOTALL)
_SECONDS = re.compile(r"\{\{(?:(?!\}\}|\{\{).)*?\bunixEpoch\b", re.DOTALL)


def is_random(text: str) -> bool:
    """Whether a template, or a value that may be used as one, calls a function of Helm that is never the same."""
    return _CALL.search(text) is not None


def counts_seconds(text: str) -> bool:
    """Whether it prints the time in seconds: two renderings that are to differ must not be in the same one."""
    return _SECONDS.search(text) is not None


def steady(first: Any, second: Any) -> Any:
    """What two renderings of the same inputs agree on, with RANDOM where they differ.

    Of a text with several lines only the lines that differ are replaced.
    """
    if first == second and type(first) is type(second):
        return first
    if isinstance(first, dict) and isinstance(second, dict):
        both = {key: steady(value, second[key]) for key, value in first.items() if key in second}
        return both if len(both) == len(first) == len(second) else {**both, RANDOM: RANDOM}
    if isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        return [steady(one, other) for one, other in zip(first, second, strict=True)]
    if isinstance(first, str) and isinstance(second, str):
        lines, others = first.split("\n"), second.split("\n")
        if 1 < len(lines) == len(others):
            return "\n".join(one if one == other else RANDOM for one, other in zip(lines, others, strict=True))
    return RANDOM
