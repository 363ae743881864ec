"""renovate.json finds every pin: its patterns match the files as they are."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from components.charts.lock import ChartLock, LockedChart, lock_text
from components.network.compatibility.releases import table
from tests.support.stacks import ROOT, stack

CONFIG: dict[str, Any] = json.loads((ROOT / "renovate.json").read_text())
MODULES = sorted((ROOT / "lab" / "toolchain").glob("*/go.mod"))


def expression(pattern: str) -> re.Pattern[str]:
    """A pattern of Renovate (RE2) as Python writes it."""
    return re.compile(pattern.replace("(?<", "(?P<"))


def manager(description: str) -> dict[str, Any]:
    (found,) = [item for item in CONFIG["customManagers"] if description in item["description"]]
    return found


def is_for(patterns: list[str], path: str) -> bool:
    return any(expression(pattern.strip("/")).search(path) for pattern in patterns)


def versions(description: str, path: str, text: str | None = None) -> list[dict[str, str]]:
    custom = manager(description)
    assert is_for(custom["managerFilePatterns"], path)
    text = (ROOT / path).read_text() if text is None else text
    return [match.groupdict() for pattern in custom["matchStrings"] for match in expression(pattern).finditer(text)]


@pytest.mark.parametrize("name", ["oslo", "lab"])
def test_the_versions_of_an_environment_are_found(name: str) -> None:
    spec, path = stack(name), f"Pulumi.{name}.yaml"
    assert versions("Cilium", path) == [{"currentValue": spec.cni.version}]
    assert versions("MetalLB", path) == [{"currentValue": spec.metallb.install.version}]
    assert versions("Traefik", path) == [{"currentValue": spec.gateway.install.version}]


def test_certificates_that_cert_manager_makes_have_a_version_that_is_found() -> None:
    text = "issuer:\n  kind: cert-manager\n  version: 1.21.2\n"
    assert versions("cert-manager", "Pulumi.bergen.yaml", text) == [{"currentValue": "1.21.2"}]


def test_pins_in_shared_settings_are_found() -> None:
    path = "examples/two-environments/defaults.yaml"
    text = (ROOT / path).read_text()
    for description in ("Cilium", "MetalLB", "Traefik"):
        assert len(versions(description, "defaults.yaml", text)) == 1


def test_every_newest_patch_of_the_table_is_found_and_stays_in_its_minor() -> None:
    path = "components/network/compatibility/releases.yaml"
    found = versions("table", path)
    newest = [line.newest for releases in table().parts.values() for line in releases.lines.values()]
    assert [one["currentValue"] for one in found] == newest
    (rule,) = [rule for rule in CONFIG["packageRules"] if rule.get("matchFileNames") == [path] and "enabled" in rule]
    assert (rule["matchUpdateTypes"], rule["enabled"]) == (["major", "minor"], False)


def test_the_engine_is_found_where_workflows_install_it() -> None:
    assert len(versions("engine", ".ci/pulumi")) == 1


def test_a_locked_chart_is_found_with_its_checksum() -> None:
    chart = LockedChart(name="cilium", version="1.20.2", repository="https://helm.cilium.io/", sha256="ab" * 32)
    text = lock_text(ChartLock(charts=(chart,)))
    assert versions("lock", "charts.lock.yaml", text) == [
        {"depName": "cilium", "currentValue": "1.20.2", "registryUrl": chart.repository, "currentDigest": chart.sha256}
    ]


@pytest.mark.parametrize("path", ["requirements.txt", "lab/toolchain/go.txt"])
def test_a_python_lock_says_how_it_was_compiled(path: str) -> None:
    """Renovate reads the command from the second line: it needs uv, the source, and options with an equals sign."""
    assert is_for(CONFIG["pip-compile"]["managerFilePatterns"], path)
    command = (ROOT / path).read_text().splitlines()[1].removeprefix("#").split()
    assert command[:3] == ["uv", "pip", "compile"]
    assert (ROOT / path).parent.joinpath(command[3]).exists()
    assert f"--output-file={Path(path).name}" in command


def test_every_go_module_of_the_toolchain_is_found() -> None:
    assert MODULES
    for module in MODULES:
        assert is_for(CONFIG["gomod"]["managerFilePatterns"], str(module.relative_to(ROOT)))


def test_every_tool_s_module_is_enabled() -> None:
    """Renovate skips indirect requirements, and a `tool` line's module is one."""
    (rule,) = [rule for rule in CONFIG["packageRules"] if rule.get("matchDepTypes") == ["indirect"]]
    assert rule["enabled"]
    assert set(rule["matchPackageNames"]) == {module for path in MODULES for module in tool_modules(path.read_text())}


def tool_modules(text: str) -> set[str]:
    required = re.findall(r"^(?:require )?\t?(\S+) v\S+(?: // indirect)?$", text, re.M)
    blocks = re.findall(r"^tool \((.*?)^\)", text, re.M | re.S)
    tools = [*re.findall(r"^tool ([^(\s]+)$", text, re.M), *" ".join(blocks).split()]
    return {max((name for name in required if f"{tool}/".startswith(f"{name}/")), key=len) for tool in tools}
