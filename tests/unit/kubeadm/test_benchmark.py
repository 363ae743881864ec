"""The table of the CIS benchmark."""

from components.kubeadm.security.benchmark import PAGE, POINTS, order, page

SECTIONS = {
    **{"1.1": 21, "1.2": 30, "1.3": 7, "1.4": 2, "2": 7, "3.1": 3, "3.2": 2, "4.1": 10, "4.2": 14, "4.3": 1},
    **{"5.1": 13, "5.2": 12, "5.3": 2, "5.4": 2, "5.5": 1, "5.6": 4},
}
"""How many points each section of the CIS Kubernetes Benchmark 1.12 has."""


def test_every_point_of_the_benchmark_is_there_once():
    numbers = [point.number for point in sorted(POINTS, key=order)]
    assert numbers == [f"{section}.{number}" for section, count in SECTIONS.items() for number in range(1, count + 1)]


def test_what_is_not_checked_says_why():
    for point in POINTS:
        assert point.check or point.why, point.number
        assert not (point.check and point.by in ("not kept", "the operator", "does not apply")), point.number


def test_the_page_is_the_tables():
    assert PAGE.read_text(encoding="utf-8") == page()
