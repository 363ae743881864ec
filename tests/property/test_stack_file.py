"""Whatever a stack file holds, loading it is a spec or a list of problems: never a traceback."""

import copy

from hypothesis import given
from hypothesis import strategies as st

from tests.support.examples import examples
from tests.support.stacks import problems, stack_data

OSLO = stack_data("oslo")
JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.just([]), st.just({}), st.just([{}])
)


def places(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


PLACES = [path for path in places(OSLO) if path]


@examples(60)
@given(st.lists(st.tuples(st.sampled_from(PLACES), JUNK), min_size=1, max_size=4))
def test_junk_anywhere_is_problems_or_a_spec(changes):
    data = copy.deepcopy(OSLO)
    for path, junk in changes:
        target = data
        try:
            for step in path[:-1]:
                target = target[step]
            target[path[-1]] = junk
        except (TypeError, KeyError, IndexError):
            continue
    for problem in problems(data):
        item, _, message = problem.partition(": ")
        assert item
        assert message
        assert "\n" not in problem
