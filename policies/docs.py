"""A page for every policy, made from the policy itself: `python -m policies.docs` writes them to docs/policies/."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from policies.about import ABOUT
from policies.engine import UNDECIDED, Rule
from policies.pack import RULES

FOLDER = Path(__file__).parent.parent / "docs" / "policies"
INDEX = "README.md"


def pages() -> dict[str, str]:
    """File name → text of every page, the index among them."""
    return {INDEX: _index(), **{f"{rule.policy.name}.md": _page(rule) for rule in RULES}}


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
        f"| [{rule.policy.name}]({rule.policy.name}.md) | {rule.policy.description} "
        f"| {_severity(rule)} | {_level(rule)} | {_ground(rule)} |"
        for rule in sorted(RULES, key=lambda rule: rule.policy.name)
    ]
    return "\n".join(
        [
            "# Policies",
            "",
            "Made from the pack by `make policies`; nobody writes here. How to use the pack for your own program:",
            "[docs/howto/enforce-policies.md](../howto/enforce-policies.md).",
            "",
            "| policy | demands | severity | level unless configured | ground |",
            "|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def _page(rule: Rule) -> str:
    name, about = rule.policy.name, ABOUT[rule.policy.name]
    judged = (
        "the whole stack, at the end of a preview and of an update" if rule.whole else "each resource, by its inputs"
    )
    unknown = f"A value that it needs and nobody knows yet is a violation too: “{UNDECIDED}”."
    return "\n".join(
        [
            f"# {name}",
            "",
            rule.policy.description or "",
            "",
            "| | |",
            "|---|---|",
            f"| severity | {_severity(rule)} |",
            f"| level unless configured | {_level(rule)} |",
            f"| ground | {_ground(rule)} |",
            f"| judges | {judged} |",
            "",
            "## Why",
            about.why,
            "",
            "## What to do",
            about.remedy,
            "",
            unknown,
            "",
            *_settings(rule),
            "[All policies](README.md)",
            "",
        ]
    )


def _settings(rule: Rule) -> Iterator[str]:
    name = rule.policy.name
    schema = rule.policy.config_schema
    properties: dict[str, dict[str, Any]] = dict(schema.properties) if schema else {}
    yield "## Configuration"
    yield "In the file of `--policy-pack-config`:"
    yield ""
    example = {"enforcementLevel": "advisory" if ABOUT[name].mandatory else "mandatory"}
    example |= {key: value["default"] for key, value in properties.items() if "default" in value}
    yield "```json"
    yield json.dumps({name: example}, indent=2, ensure_ascii=False)
    yield "```"
    yield ""
    if properties:
        yield "| setting | type | meaning |"
        yield "|---|---|---|"
        for key, value in sorted(properties.items()):
            yield f"| `{key}` | {value['type']} | {value['description']} |"
        yield ""


def _severity(rule: Rule) -> str:
    return ABOUT[rule.policy.name].severity.name.lower()


def _level(rule: Rule) -> str:
    return "mandatory" if ABOUT[rule.policy.name].mandatory else "advisory"


def _ground(rule: Rule) -> str:
    about = ABOUT[rule.policy.name]
    return f"{about.framework}, {about.reference}"


if __name__ == "__main__":
    write()
