"""The program on a stack that is watched: order, secrets, and what the pack says of it."""

import base64
from typing import Any

import pytest

from tests.support.judged import judged
from tests.support.program import Program, run_program
from tests.support.stacks import stack_data

TOKEN = "a-token-of-the-receiver"
RECEIVER = {"url": "https://alarms.example.no/vds"}
STORAGE = {"className": "local-path", "gibibytes": 20}
PLACE = {
    "name": "alarms",
    "hosts": ["alarms.example.no"],
    "country": "NO",
    "entity": "Nordic Alarm AS",
    "entityCountry": "NO",
    "purposes": ["telemetry"],
}


def watched(**monitoring: Any) -> dict[str, Any]:
    data = stack_data("oslo") | {"monitoring": monitoring}
    data["residency"]["places"].append(PLACE)
    return data


@pytest.fixture(scope="module")
def program() -> Program:
    return run_program("oslo", watched(receiver=RECEIVER, storage=STORAGE), alertToken=TOKEN)


def test_every_node_has_the_timer_once_it_is_set_up(program: Program) -> None:
    timers = {item.name: item for item in program.of("remote:Command") if item.name.endswith("-facts-timer")}
    assert set(timers) == {f"{node['name']}-facts-timer" for node in stack_data("oslo")["nodes"]}
    setups = {item.name: item.urn for item in program.of("remote:Command")}
    for name, item in timers.items():
        assert setups[name.replace("-facts-timer", "-setup")] in item.depends_on
        assert item.inputs["create"].endswith("python3 -I - install")
        assert item.inputs["delete"].endswith("python3 -I - remove")


def test_the_receivers_token_is_in_its_secret_alone_and_encrypted_there(program: Program) -> None:
    encoded = base64.b64encode(TOKEN.encode()).decode()
    [secret] = [item for item in program.resources.values() if item.name == "monitoring-token"]
    assert secret.inputs["data"] == {"token": encoded}
    assert "data" in secret.secret_inputs
    for item in program.resources.values():
        if item is not secret:
            assert TOKEN not in str(item.inputs), item.name
            assert encoded not in str(item.inputs), item.name


def test_the_pack_takes_it_and_judges_where_alarms_go() -> None:
    assert judged("oslo", watched(receiver=RECEIVER, storage=STORAGE), alertToken=TOKEN) == []


def test_prometheus_starts_when_its_volume_is_claimed_and_the_claim_is_protected(program: Program) -> None:
    [claim] = program.of("core/v1:PersistentVolumeClaim")
    [prometheus] = program.of("apps/v1:StatefulSet")
    assert claim.urn in prometheus.depends_on
    assert claim.protected


def test_without_the_token_no_header_is_sent() -> None:
    program = run_program("oslo", watched(receiver=RECEIVER))
    assert not [item for item in program.resources.values() if item.name == "monitoring-token"]
    [text] = [
        item.inputs["data"]["alertmanager.yml"]
        for item in program.resources.values()
        if item.name == "monitoring-configmap-alertmanager"
    ]
    assert "https://alarms.example.no/vds" in text
    assert "authorization" not in text
