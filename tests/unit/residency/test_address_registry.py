"""Addresses against the statistics files of registries. The records are made up."""

from pathlib import Path
from typing import Any

import pytest

from components.core.types import RefusedError
from components.pools.addresses import address_block
from components.residency.address_registry import read_registry
from components.stackfile.parsing import SpecError, parse
from tests.support.stacks import stack_data

NODES = "ripencc|NO|ipv4|192.0.2.0|256|20100101|allocated|a1"


def file(
    *records: str, head: str = "2|ripencc|1795000000|{count}|19920101|20261120|+0100", summary: int | None = None
) -> str:
    count = len(records)
    v4 = sum("|ipv4|" in record for record in records) if summary is None else summary
    totals = [f"ripencc|*|ipv4|*|{v4}|summary", "ripencc|*|asn|*|0|summary"]
    return "\n".join(["# made up", head.format(count=count), *totals, *records, ""])


def problems(folder: Path, *files: str, change: Any = None) -> list[str]:
    data = stack_data("lab")
    names = [f"registry-{number}" for number, _ in enumerate(files)]
    for name, text in zip(names, files, strict=True):
        (folder / name).write_text(text)
    data["residency"]["addressRegistries"] = names
    data["gateway"]["crds"] = {"kind": "existing"}
    data["gateway"]["bundleVersion"] = "1.5.1"
    data["ssh"].pop("knownHostsFile", None)
    for number, node in enumerate(data["nodes"]):
        node["hostKey"] = f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{'A' * 42}{number}"
    if change:
        change(data)
    try:
        parse(data, base_dir=folder)
    except SpecError as error:
        return [str(one) for one in error.problems if one.rule == "residency-address"]
    return []


def test_addresses_that_are_registered_where_the_stack_file_says_are_good(tmp_path: Path) -> None:
    assert problems(tmp_path, file(NODES)) == []
    halves = ("ripencc|NO|ipv4|192.0.2.0|100|20100101|allocated", "arin|NO|ipv4|192.0.2.100|156||assigned")
    assert problems(tmp_path, file(*halves)) == []
    assert problems(tmp_path, file(halves[0]), file(halves[1])) == []


def test_a_holder_in_another_country_is_named_with_file_and_day(tmp_path: Path) -> None:
    found = problems(tmp_path, file("ripencc|US|ipv4|192.0.2.0|256|20100101|allocated"))
    [node] = [one for one in found if one.startswith("node osl-w-1")]
    assert (
        "the holder of 192.0.2.21 is registered in US (ripencc of 2026-11-20); the stack file says NO; not allowed: US"
        in node
    )
    assert any(one.startswith("pool 'public': the holder of 192.0.2.200-192.0.2.220") for one in found)
    assert any(one.startswith("residency place 'this-machine': the holder of 192.0.2.0/24") for one in found)


def test_the_country_of_the_provider_counts_as_the_holders(tmp_path: Path) -> None:
    def by_a_swede(data: dict[str, Any]) -> None:
        data["residency"]["allowedCountries"] = ["NO", "SE"]
        data["residency"]["places"][0]["entityCountry"] = "SE"
        for node in data["nodes"]:
            node["provider"]["country"] = "SE"

    swedish = file("ripencc|SE|ipv4|192.0.2.0|256|20100101|allocated")
    assert problems(tmp_path, swedish, change=by_a_swede) == []
    [*found] = problems(tmp_path, swedish)
    assert len(found) == 5


def test_a_part_of_a_pool_abroad_is_found(tmp_path: Path) -> None:
    parts = (
        "ripencc|NO|ipv4|192.0.2.0|210|20100101|allocated",
        "ripencc|DE|ipv4|192.0.2.210|46|20100101|allocated",
    )
    found = problems(tmp_path, file(*parts))
    assert [one.partition(":")[0] for one in found] == ["pool 'public'", "residency place 'this-machine'"]


@pytest.mark.parametrize(
    "record",
    [
        "ripencc|NO|ipv4|198.51.100.0|256|20100101|allocated",
        "ripencc||ipv4|192.0.2.0|256||available",
        "ripencc|ZZ|ipv4|192.0.2.0|256||reserved",
        "ripencc|NO|ipv4|192.0.2.0|32|20100101|allocated",
        "ripencc|NO|ipv6|2001:db8::|32|20100101|allocated",
    ],
)
def test_an_address_that_no_file_has_is_not_passed(tmp_path: Path, record: str) -> None:
    found = problems(tmp_path, file(record))
    assert any("has addresses without a country in the registry files (ripencc of 2026-11-20)" in one for one in found)


def test_private_addresses_are_not_asked_for(tmp_path: Path) -> None:
    def private(data: dict[str, Any]) -> None:
        data["network"]["nodeCidr"] = "10.1.0.0/24"
        data["network"]["apiServer"]["host"] = "10.1.0.10"
        data["residency"]["places"][0]["networks"] = ["10.1.0.0/24"]
        data["metallb"]["pools"][0]["addresses"] = ["10.1.0.200-10.1.0.220"]
        for number, node in enumerate(data["nodes"]):
            node["address"] = f"10.1.0.{number + 11}"

    assert problems(tmp_path, file("ripencc|US|ipv4|192.0.2.0|256|20100101|allocated"), change=private) == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "does not begin with the head"),
        ("ripencc|NO|ipv4|192.0.2.0|256|20100101|allocated\n", "does not begin with the head"),
        (file(NODES, head="1|ripencc|1|{count}|19920101|20261120|+0100"), "does not begin with the head"),
        (file(NODES, head="2|ripencc|1|{count}|19920101|20261320|+0100"), "does not begin with the head"),
        (file(NODES, head="2|evil|1|{count}|19920101|20261120|+0100"), "does not begin with the head"),
        (file(NODES, head="2|ripencc|1|2|19920101|20261120|+0100"), "has 1 records, and its head says 2"),
        (file(NODES, summary=2), "has 1 records of ipv4, and its summary says 2"),
        (file("ripencc|NO|ipv4|192.0.2.0"), "a record in line 4 that is not understood"),
        (file("ripencc|no|ipv4|192.0.2.0|256|20100101|allocated"), "line 4"),
        (file("ripencc|NO|ipv4|192.0.2.0|-1|20100101|allocated"), "line 4"),
        (file("ripencc|NO|ipv4|255.255.255.0|512|20100101|allocated"), "line 4"),
        (file("ripencc|NO|ipv6|2001:db8::1|32|20100101|allocated"), "line 4"),
        (file("ripencc|NO|ipv4|192.0.2.0|256|20100101|owned"), "line 4"),
        (file("ripencc|NO|ipx|192.0.2.0|256|20100101|allocated"), "line 4"),
    ],
)
def test_a_file_that_is_not_whole_or_of_another_format_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(RefusedError, match=reason):
        read_registry(text, [address_block("192.0.2.0/24")])
    [found] = problems(tmp_path, text)
    assert found.startswith("residency.addressRegistries: 'registry-0' ")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    def missing(data: dict[str, Any]) -> None:
        data["residency"]["addressRegistries"] = ["elsewhere"]

    [found] = problems(tmp_path, change=missing)
    assert "'elsewhere' can't be read (No such file or directory)" in found
