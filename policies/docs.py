"""A page for every policy, made from the policy itself: `python -m policies.docs` writes them to docs/policies/."""

import json
from collections.abc import Iterator
from pathlib import Path

from components.residency.rules import UNDECIDED
from policies.engine import HAS_NAMESPACES, POLICIES, schema
from policies.policy import Namespaces, Policy

FOLDER = Path(__file__).parent.parent / "docs" / "policies"
INDEX = "README.md"


def pages() -> dict[str, str]:
    """File name → text of every page, the index among them."""
    return {INDEX: _index(), **{f"{policy.id}.md": _page(policy) for policy in POLICIES.values()}}


def stale(folder: Path = FOLDER) -> list[str]:
    """Names of pages that are not as the policies have them, and of those that belong to no policy."""
    wanted = pages()
    there = {file.name: file.read_text(encoding="utf-8") for file in folder.glob("*.md")}
    return sorted(name for name in {*wanted, *there} if wanted.get(name) != there.get(name))


def write(folder: Path = FOLDER) -> None:
    """Make the folder what the policies say."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = pages()
    for file in folder.glob("*.md"):
        if file.name not in wanted:
            file.unlink()
    for name, text in wanted.items():
        (folder / name).write_text(text, encoding="utf-8")


def _index() -> str:
    rows = [
        f"| [{policy.id}]({policy.id}.md) | {policy.title} | {_severity(policy)} | {policy.level({})} "
        f"| {policy.ground} |"
        for policy in sorted(POLICIES.values(), key=lambda policy: policy.id)
    ]
    return "\n".join(
        [
            "# Policies",
            "",
            "Made from `policies/rules/` by `make policies`; do not edit. How to use the pack for your own program:",
            "[docs/howto/enforce-policies.md](../howto/enforce-policies.md).",
            "",
            "| policy | demands | severity | level unless configured | ground |",
            "|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def _page(policy: Policy) -> str:
    judged = "the whole stack, at the end of a preview and of an update"
    return "\n".join(
        [
            f"# {policy.id}",
            "",
            policy.title,
            "",
            "| | |",
            "|---|---|",
            f"| severity | {_severity(policy)} |",
            f"| level unless configured | {policy.level({})} |",
            f"| ground | {policy.ground} |",
            f"| judges | {judged if policy.of_stack else 'each resource, by its inputs'} |",
            "",
            "## Why",
            policy.why,
            "",
            "## What to do",
            policy.remedy,
            "",
            f"A value that it needs and that is not known yet is a violation too: “{UNDECIDED}”.",
            "",
            *_settings(policy),
            "[All policies](README.md)",
            "",
        ]
    )


def _settings(policy: Policy) -> Iterator[str]:
    properties = schema(policy.settings)
    yield "## Configuration"
    yield "In the file of `--policy-pack-config`:"
    yield ""
    example = {"enforcementLevel": "advisory" if policy.mandatory else "mandatory"}
    example |= {key: value["default"] for key, value in properties.items() if "default" in value}
    yield "```json"
    yield json.dumps({policy.id: example}, indent=2, ensure_ascii=False)
    yield "```"
    yield ""
    if properties:
        yield "| setting | type | meaning |"
        yield "|---|---|---|"
        for key, value in sorted(properties.items()):
            meaning = " ".join(value["description"].split())
            yield f"| `{key}` | {value['type']} | {meaning} |"
        yield ""
    if issubclass(policy.settings, Namespaces) and policy.id != HAS_NAMESPACES:
        yield f"[{HAS_NAMESPACES}]({HAS_NAMESPACES}.md) has the list of the platform's namespaces for all policies."
        yield ""


def _severity(policy: Policy) -> str:
    return policy.severity.name.lower()


if __name__ == "__main__":
    write()
