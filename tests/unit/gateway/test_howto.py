"""The secret that the guide to HTTPS makes of two files is what the platform takes."""

import re
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import yaml

from components.gateway.certificates import certificate_problems, issuer_problems
from components.gateway.model import GatewaySpec
from tests.support.agency import guide_problems
from tests.support.certificates import BEGAN, made
from tests.support.stacks import ROOT, problems, stack, stack_data

GUIDE = (ROOT / "docs/howto/serve-https.md").read_text()
FIRST = (ROOT / "docs/howto/first-environment.md").read_text()


def test_the_command_of_the_guide_makes_a_secret_without_problems(tmp_path: Path) -> None:
    data = stack_data("oslo")["gateway"]
    certificate, key = made("*.example.no")
    (tmp_path / "fullchain.pem").write_text(certificate)
    (tmp_path / "privkey.pem").write_text(key)
    [command] = re.findall(r"(\.venv/bin/python -c 'import json.*?privkey\.pem) \|", GUIDE, re.DOTALL)
    command = command.replace(".venv/bin/python", sys.executable)
    done = subprocess.run(["sh", "-ec", command], cwd=tmp_path, check=True, capture_output=True, text=True)
    gateway = GatewaySpec.model_validate(data)
    assert certificate_problems(done.stdout, gateway, BEGAN.timestamp() + 1) == []


# --- the guide to HTTPS ----------------------------------------------------------------------------------

SNIPPETS = [yaml.safe_load(text.replace("…", "")) for text in re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)]


def said(**gateway: Any) -> list[str]:
    data = stack_data("oslo")
    data["gateway"] |= {"bundleVersion": "1.6.1", **gateway}
    return problems(data)


def test_the_guides_authority_signs(tmp_path: Path) -> None:
    [command] = re.findall(r"(\(umask 077; openssl req[^`]*?-out authority\.crt\))\n", FIRST)
    subprocess.run(["sh", "-ec", command], cwd=tmp_path, check=True, capture_output=True)
    [issuer] = [one["gateway"]["issuer"] for one in SNIPPETS if "validFrom" in str(one)]
    issuer |= {"caCertificate": (tmp_path / "authority.crt").read_text(), "validFrom": str(date.today())}
    assert said(issuer=issuer) == []
    data = stack("oslo").gateway.model_dump(by_alias=True)
    spec = GatewaySpec.model_validate({**data, "issuer": issuer})
    key = (tmp_path / "authority.key").read_text()
    assert issuer_problems({"issuerKey": key}, spec, datetime.now(UTC).timestamp()) == []


def test_the_guides_acme_is_accepted() -> None:
    [issuer] = [one["gateway"]["issuer"] for one in SNIPPETS if "acme" in str(one)]
    listeners = [
        {"name": "http", "port": 80, "protocol": "HTTP", "redirect": "https"},
        {"name": "a", "port": 443, "protocol": "HTTPS", "hostname": "a.example.no", "certificateSecret": "a"},
    ]
    assert said(issuer=issuer, listeners=listeners) == []
    [solver] = [one["solver"] for one in SNIPPETS if "solver" in one]
    assert said(issuer={**issuer, "acme": {**issuer["acme"], "solver": solver}}) == []


def test_the_guides_listener_and_routes_are_accepted() -> None:
    [listeners] = [one["listeners"] for one in SNIPPETS if "listeners" in one]
    assert said(listeners=[*stack_data("oslo")["gateway"]["listeners"], *listeners]) == []
    [routes] = [one for one in SNIPPETS if "butikk:routes" in one]
    image = f"registry.example.no/butikk/api@sha256:{'0' * 64}"
    api = {"namespace": "butikk-prod", "image": image, "canary": {"image": image}}
    assert guide_problems({**routes, "butikk:apps": {"api": api}}) == []


def test_the_articles_numbers_can_be_written() -> None:
    rows = dict(re.findall(r"`(limits\.\w+): (\d+)`", GUIDE))
    limits = {name.removeprefix("limits."): int(number) for name, number in rows.items()}
    articles = {"bodyMebibytes": 50, "connectSeconds": 10, "readSeconds": 120, "sendSeconds": 120}
    assert limits == {**articles, "connectAttempts": 3}
    assert said(limits=limits) == []
