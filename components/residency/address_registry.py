"""Countries of addresses, from the statistics files of the regional internet registries.

The files are `delegated-<registry>-extended-<day>` of AFRINIC, APNIC, ARIN, LACNIC and RIPE NCC, and the NRO's file of
all of them, in the RIR statistics exchange format, version 2 (APNIC, "RIR statistics exchange format"). They say in
which country the holder of an address is registered. They do not say where the machine is.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from datetime import date
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import NamedTuple

from components.core.endpoints import outside_of
from components.core.finding import Finding
from components.core.types import RefusedError
from components.nodes.model import NodeSpec
from components.pools.addresses import AddressBlock
from components.pools.model import MetalLbSpec
from components.residency.model import Place, Residency
from components.residency.rules import place_of

LARGEST_BYTES = 200_000_000
"""Of one file; the NRO's has 40 MB."""
_REGISTRIES = ("afrinic", "apnic", "arin", "iana", "lacnic", "nro", "ripencc")
_STATUSES = ("allocated", "assigned", "available", "reserved")
_MOST_NAMED = 3


class Registered(NamedTuple):
    """A record of addresses."""

    registry: str
    country: str
    """Two capital letters; empty where the registry has not given the addresses to a holder."""
    first: int
    last: int
    version: int
    """Of IP."""


class RegistryFile(NamedTuple):
    """The records of one file that were asked for."""

    registry: str
    day: date
    """The last day that it is about."""
    records: tuple[Registered, ...]


class Wanted(NamedTuple):
    """Addresses of the stack file, with the countries that it says of them."""

    item: str
    """As messages name it."""
    block: AddressBlock
    countries: tuple[str, ...]
    """Where they are, and under whose law their holder is; empty where the stack file says nothing of them."""
    field: str


def read_registry(text: str, blocks: Sequence[AddressBlock]) -> RegistryFile:
    """Its records of these addresses. Raises RefusedError for a file that is not whole, or of another format."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    registry, count, day = _header(lines[0] if lines else "")
    found: list[Registered] = []
    counted = dict.fromkeys(("asn", "ipv4", "ipv6"), 0)
    totals: dict[str, int] = {}
    for number, line in enumerate(lines[1:], 2):
        row = line.split("|")
        if len(row) == 6 and row[5] == "summary" and row[2] in counted and row[4].isdigit():
            totals[row[2]] = int(row[4])
            continue
        record = _record(row, number)
        counted[row[2]] += 1
        if record and any(_overlaps(record, block) for block in blocks):
            found.append(record)
    if sum(counted.values()) != count:
        raise RefusedError(f"has {sum(counted.values())} records, and its head says {count}", "download it again")
    for kind, total in totals.items():
        if counted[kind] != total:
            said = f"has {counted[kind]} records of {kind}, and its summary says {total}"
            raise RefusedError(said, "download it again")
    return RegistryFile(registry, day, tuple(found))


def _header(line: str) -> tuple[str, int, date]:
    row = line.split("|")
    if len(row) == 7 and re.fullmatch(r"2(\.\d+)?", row[0]) and row[1] in _REGISTRIES and row[3].isdigit():
        try:
            return row[1], int(row[3]), date.fromisoformat(f"{row[5][:4]}-{row[5][4:6]}-{row[5][6:]}")
        except ValueError:
            pass
    raise RefusedError(
        "does not begin with the head of a registry's statistics file, version 2",
        "name a file delegated-<registry>-extended-<day>, unpacked",
    )


def _record(row: Sequence[str], number: int) -> Registered | None:
    """None for a number of an autonomous system."""
    try:
        registry, country, kind, start, value, _, status = row[:7]
        if status not in _STATUSES or not re.fullmatch(r"([A-Z]{2})?", country):
            raise ValueError
        held = country if status in ("allocated", "assigned") and country != "ZZ" else ""
        if kind == "asn" and start.isdigit() and value.isdigit():
            return None
        if kind == "ipv4" and int(value) > 0:
            first = int(IPv4Address(start))
            return Registered(registry, held, first, int(IPv4Address(first + int(value) - 1)), 4)
        if kind == "ipv6":
            network = IPv6Network(f"{IPv6Address(start)}/{int(value)}")
            return Registered(registry, held, int(network[0]), int(network[-1]), 6)
        raise ValueError
    except ValueError:
        raise RefusedError(f"has a record in line {number} that is not understood", "download it again") from None


def _overlaps(record: Registered, block: AddressBlock) -> bool:
    same = record.version == block.first.version
    return same and record.first <= int(block.last) and int(block.first) <= record.last


def wanted_addresses(nodes: Sequence[NodeSpec], metallb: MetalLbSpec, residency: Residency) -> list[Wanted]:
    """Every public address of nodes, pools and places."""
    found = [*_of_nodes(nodes), *_of_pools(metallb, residency.places), *_of_places(residency.places)]
    return [one for one in found if outside_of(_cidr(one.block)) is not None]


def _cidr(block: AddressBlock) -> str:
    return block.text if "/" in block.text else str(block.first)


def _of_nodes(nodes: Sequence[NodeSpec]) -> Iterator[Wanted]:
    for node in nodes:
        for field, address in (("address", node.address), ("sshAddress", node.ssh_address)):
            if address is not None:
                block = AddressBlock(address, address, str(address))
                countries = (node.country, node.provider.country)
                yield Wanted(f"node {node.name}", block, countries, f"nodes[{node.name}].{field}")


def _of_pools(metallb: MetalLbSpec, places: Sequence[Place]) -> Iterator[Wanted]:
    for pool in metallb.pools:
        for block in pool.addresses:
            place = place_of(str(block.first), places)
            countries = (place.country, place.entity_country) if place else ()
            yield Wanted(f"pool '{pool.name}'", block, countries, f"metallb.pools[{pool.name}].addresses")


def _of_places(places: Sequence[Place]) -> Iterator[Wanted]:
    for place in places:
        for network in place.networks:
            block = AddressBlock(network[0], network[-1], str(network))
            countries = (place.country, place.entity_country)
            yield Wanted(
                f"residency place '{place.name}'", block, countries, f"residency.places[{place.name}].networks"
            )


def registry_problems(
    wanted: Sequence[Wanted], files: Sequence[RegistryFile], allowed: Collection[str]
) -> Iterator[Finding]:
    """Addresses whose holder is registered in another country than the stack file says, or that no file has."""
    sources = ", ".join(f"{file.registry} of {file.day}" for file in files)
    for one in wanted:
        records = [record for file in files for record in file.records if _overlaps(record, one.block)]
        if not all(record.country for record in records) or not _covered(one.block, records):
            yield Finding(
                "residency-address",
                one.item,
                f"{one.block} has addresses without a country in the registry files ({sources})",
                "add the file of the registry that assigned them to residency.addressRegistries, or correct it",
                decided=False,
                value=one.block.text,
                fields=(one.field,),
            )
        expected = one.countries or tuple(sorted(allowed))
        others = sorted({record.country for record in records if record.country} - set(expected))
        if others:
            said = f"the stack file says {' and '.join(dict.fromkeys(expected))}" if one.countries else ""
            refused = [country for country in others if country not in allowed]
            beyond = f"not allowed: {', '.join(refused[:_MOST_NAMED])}" if refused else ""
            yield Finding(
                "residency-address",
                one.item,
                f"the holder of {one.block} is registered in {', '.join(others[:_MOST_NAMED])} ({sources}); "
                + "; ".join(part for part in (said, beyond) if part),
                "ask the provider whose address it is and where the machine is, and correct the country or that of the "
                "provider or entity",
                value=one.block.text,
                fields=(one.field,),
            )


def _covered(block: AddressBlock, records: Sequence[Registered]) -> bool:
    """Whether every address of the block is in a record."""
    following = int(block.first)
    for record in sorted(records, key=lambda one: one.first):
        if record.first > following:
            return False
        following = max(following, record.last + 1)
    return following > int(block.last)
