"""The table of releases is consistent, and answers for versions that are not in it."""

from datetime import date, timedelta

import pytest

from components.core.versions import matches, minor, parse
from components.network.compatibility.matrix import Part
from components.network.compatibility.releases import candidates, table

PARTS = table().parts


@pytest.mark.parametrize("part", PARTS)
def test_minors_are_in_order_without_a_gap_and_each_newest_is_of_its_minor(part):
    lines = PARTS[part].lines
    numbers = [parse(name).release for name in lines]
    assert numbers == [(numbers[0][0], numbers[0][1] + step) for step in range(len(numbers))]
    assert all(minor(line.newest) == name and len(parse(line.newest).release) == 3 for name, line in lines.items())
    ends = [line.end for line in lines.values() if line.end]
    assert ends == sorted(ends)


@pytest.mark.parametrize("part", PARTS)
def test_an_advisory_names_versions_of_the_table_and_has_a_fix_that_none_affects(part):
    releases = PARTS[part]
    for advisory in releases.advisories:
        assert advisory.id.startswith("GHSA-")
        for span in advisory.affected:
            fixed = span.partition("<")[2]
            assert releases.line(fixed)
            assert not matches(fixed, span)
            assert parse(fixed) <= parse(releases.line(fixed).newest)


def test_what_a_remedy_proposes_is_maintained_and_not_vulnerable():
    for part, releases in PARTS.items():
        assert candidates(part)
        for version in candidates(part):
            assert not releases.vulnerable(version)
            assert releases.has_ended(version, table().day) is None
    assert candidates(Part.KERNEL) == ()


def test_an_end_counts_from_the_day_after():
    releases = PARTS[Part.KUBERNETES]
    end = date(2027, 2, 28)
    assert releases.has_ended("1.35.1", end) is None
    assert releases.has_ended("1.35.1", end + timedelta(days=1)) == end


def test_a_minor_before_the_oldest_of_the_table_has_ended_too():
    assert PARTS[Part.KUBERNETES].has_ended("1.20", table().day) == date(2025, 7, 15)
    assert PARTS[Part.TRAEFIK].has_ended("2.11.3", table().day) == date(2026, 8, 16)


def test_a_minor_that_a_later_major_has_closed_was_never_released():
    assert PARTS[Part.TRAEFIK].never_existed("2.12.0")
    for version in ("1.7.0", "2.11.55", "3.9.0", "4.0.0"):
        assert not PARTS[Part.TRAEFIK].never_existed(version)
    assert not PARTS[Part.KUBERNETES].never_existed("1.99")


def test_a_minor_without_a_patch_is_not_called_vulnerable():
    assert PARTS[Part.CILIUM].vulnerable("1.19.0")
    assert PARTS[Part.CILIUM].vulnerable("1.19") == ()
