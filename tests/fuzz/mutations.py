"""Changes of a valid example, as an author who errs or attacks would make them."""

import copy
from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import strategies as st

Path = tuple[Any, ...]
Mutation = tuple[int, str, Any]
"""Which value (counted), what happens to it, and an odd value for it."""

DEEP: Any = "x"
for _ in range(150):
    DEEP = [DEEP]
FIXED = [
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, -(2**63), 1e308, 0.5, 10**25, [], {}, "", " ", "null", "true"),
    *("0", "-1", "1e5", "07", "0x1f", "1:30", "2026-13-45", "2026-01-01", ".inf", "~", "*", "&a", "${x}", "{{ .x }}"),
    *(
        "a\0b",
        "\x1b[2K",
        "\u202e",
        "\u2028",
        "\u00e5",
        "s\u00e5nn",
        "\U0001f600",
        "\u00b2",
        "\u0661",
        "a\nb: c",
        "../../etc",
        "/",
    ),
    *("../../etc", "/", "=", ",", "a.b.c", "[0]", "x" * 64),
    *("192.0.2.11", "192.0.2.0/24", "0.0.0.0/0", "::/0", "300.1.1.1", "10.0.0.1/8", "example.no", "xn--a", "a" * 5000),
    *(
        "https://[",
        "http://user:pw@x",
        "oci://",
        "file:///",
        "-",
        "--post-renderer=x",
        "=",
        ",",
        "a.b.c",
        "[0]",
        "x" * 64,
    ),
    *([None], [[]], [{}], {"": ""}, {"name": None}, {"secure": "x"}, ["a", 1, None], {"a": {"b": [1]}}, DEEP),
]
ODD = st.sampled_from(FIXED) | st.text(max_size=12) | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
OPERATIONS = ("replace", "remove", "twice", "swap", "rename", "wrap", "append", "cut")
MUTATIONS: st.SearchStrategy[list[Mutation]] = st.lists(
    st.tuples(st.integers(0, 5000), st.sampled_from(OPERATIONS), ODD), min_size=1, max_size=4
)
TOKENS = [
    *("\t", ": ", "- ", "&a ", "*a", "<<: ", "[", "]", "{", "}", '"', "'", "|", ">", "#", "!!int ", "%", "@", "---"),
    *("\0", "?"),
]
EDITS: st.SearchStrategy[list[tuple[int, str, str]]] = st.lists(
    st.tuples(
        st.integers(0, 50_000),
        st.sampled_from(("insert", "remove", "line twice", "line away", "indent", "dedent")),
        st.sampled_from(TOKENS) | st.text(max_size=5),
    ),
    max_size=3,
)


def paths(value: Any, above: Path = ()) -> Iterator[Path]:
    """The path of every value, in order."""
    yield above
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in inner:
        yield from paths(below, (*above, key))


def mutated(value: Any, mutations: Sequence[Mutation]) -> Any:
    """A copy with these changes."""
    root = [copy.deepcopy(value)]
    for where, operation, odd in mutations:
        known = list(paths(root))[1:]
        path = known[where % len(known)]
        other = known[(where * 7 + 3) % len(known)]
        _change(root, path, operation, copy.deepcopy(odd), copy.deepcopy(_at(root, other)))
    return root[0]


def _at(root: Any, path: Path) -> Any:
    for step in path:
        root = root[step]
    return root


def _change(root: Any, path: Path, operation: str, odd: Any, other: Any) -> None:
    *above, last = path
    group = _at(root, tuple(above))
    value = group[last]
    if operation == "remove" and len(path) > 1:
        del group[last]
    elif operation == "twice" and isinstance(group, list) and len(path) > 1:
        group.insert(last, copy.deepcopy(value))
    elif operation == "swap":
        group[last] = other
    elif operation == "rename" and isinstance(group, dict):
        group[odd if isinstance(odd, str) else str(odd)] = group.pop(last)
    elif operation == "wrap":
        group[last] = [value] if isinstance(odd, str) else {"x": value}
    elif operation == "append" and isinstance(value, list):
        value.append(odd)
    elif operation == "append" and isinstance(value, dict):
        value["odd"] = odd
    elif operation in ("append", "cut") and isinstance(value, str):
        group[last] = value + str(odd)[:80] if operation == "append" else value[: len(value) // 2]
    else:
        group[last] = odd


def edited(text: str, edits: Sequence[tuple[int, str, str]]) -> str:
    """A text with these changes."""
    for where, operation, token in edits:
        at = where % (len(text) + 1)
        lines = text.split("\n")
        row = where % len(lines)
        if operation == "insert":
            text = text[:at] + token + text[at:]
        elif operation == "remove":
            text = text[:at] + text[at + 1 + len(token) :]
        else:
            lines[row : row + 1] = {
                "line twice": [lines[row]] * 2,
                "line away": [],
                "indent": [" " + lines[row]],
                "dedent": [lines[row][1:]],
            }[operation]
            text = "\n".join(lines)
    return text
