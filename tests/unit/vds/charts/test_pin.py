"""A new lock of charts, and charts compared with a lock."""

import hashlib

from components.charts.lock import WantedChart
from tests.support.charts import lock
from vds.charts.fetch import UnavailableError
from vds.charts.pin import checked, refreshed

DIGEST = hashlib.sha256(b"a chart").hexdigest()
REPOSITORY = "https://charts.example.no/stable"


def want(name="web", version="1.0.0", source=REPOSITORY):
    return WantedChart(name, version, REPOSITORY, source, "cni.version")


def digests(**known):
    def digest(chart, _version, _repository):
        if chart not in known:
            raise UnavailableError("nobody answers")
        return known[chart]

    return digest


def test_what_can_not_be_reached_is_said_and_the_rest_is_kept():
    before = lock(("web", "1.0.0", "1" * 64), ("old", "0.1.0", "2" * 64))
    after, said = refreshed(before, [want(), want("api")], digests(api=DIGEST), replace=False)
    assert {(item.name, item.sha256) for item in after.charts} == {
        ("web", "1" * 64),
        ("old", "2" * 64),
        ("api", DIGEST),
    }
    assert [(item.state, item.message) for item in said] == [
        ("unreachable", "nobody answers; its entry is kept"),
        ("pinned", DIGEST),
    ]


def test_a_release_that_changed_after_it_was_pinned_is_taken_over_only_when_asked():
    before = lock(("web", "1.0.0", "1" * 64))
    kept, [said] = refreshed(before, [want()], digests(web=DIGEST), replace=False)
    assert kept == before
    assert said.state == "replaced"
    taken, [said] = refreshed(before, [want()], digests(web=DIGEST), replace=True)
    assert said.ok
    assert taken.charts[0].sha256 == DIGEST


def test_a_check_reads_the_mirror_and_not_the_maker():
    asked = []

    def digest(_chart, _version, repository):
        asked.append(repository)
        return DIGEST

    [said] = checked(lock(("web", "1.0.0", DIGEST)), [want(source="mirror")], digest)
    assert said.ok
    assert asked == ["mirror"]


def test_a_check_says_what_is_another_chart_and_what_is_not_pinned():
    said = checked(lock(("web", "1.0.0", "1" * 64)), [want(), want("api")], digests(web=DIGEST))
    assert [item.state for item in said] == ["replaced", "unlocked"]
