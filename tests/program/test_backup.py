"""The program on a stack with a backup: what each control plane gets, what stays secret, and which places are taken."""

import copy

from policies.engine import ENGINE_POLICIES
from tests.support.bootstraps import ACCESS_KEY
from tests.support.judged import ALONE
from tests.support.policy import Resource, violations
from tests.support.program import Program, run_program
from tests.support.stacks import problems, stack_data

SECRET = ACCESS_KEY.partition(":")[2]


def backups(program: Program):
    return {item.name: item for item in program.of("remote:Command") if item.name.endswith("-backup-timer")}


def placed(**changed):
    """The stack with another place of the bucket."""
    data = copy.deepcopy(stack_data("oslo"))
    [place] = [place for place in data["residency"]["places"] if place["name"] == "backups"]
    place.update(changed)
    return data


def test_every_control_plane_has_the_timer_once_it_is_a_member():
    program = run_program("oslo", stack_data("oslo"))
    found = backups(program)
    assert set(found) == {f"osl-cp-{number}-backup-timer" for number in (1, 2, 3)}
    members = {item.name: item.urn for item in program.of("remote:Command")}
    for name, item in found.items():
        assert members[name.replace("-backup-timer", "-member")] in item.depends_on
        assert item.inputs["create"].endswith("python3 -I - install")
        assert item.inputs["delete"].endswith("python3 -I - remove")


def test_the_buckets_key_is_on_standard_input_alone_and_encrypted_there():
    program = run_program("oslo", stack_data("oslo"))
    for item in program.resources.values():
        rest = {name: value for name, value in item.inputs.items() if name != "stdin"}
        assert SECRET not in str(rest), item.name
        assert (SECRET in str(item.inputs.get("stdin"))) == item.name.endswith("-backup-timer"), item.name
    for item in backups(program).values():
        assert item.secret_inputs == {"connection", "stdin"}
        assert item.secret_outputs >= {"stdin", "stdout", "stderr"}
    assert SECRET not in str(program.outputs)


def test_a_bucket_in_a_country_that_is_not_allowed_is_refused():
    assert any("place 'backups' is in SE" in said for said in problems(placed(country="SE")))
    assert any("under the law of US" in said for said in problems(placed(entityCountry="US")))


def test_a_server_without_a_place_or_with_another_purpose_is_refused():
    [said] = problems(placed(hosts=["other.example.no"]))
    assert "bytes go to s3.example.no (backup), which no declared place holds" in said
    [said] = problems(placed(purposes=["state"]))
    assert "for backup, and place 'backups' is declared for state" in said


def test_the_pack_judges_what_the_component_says():
    """As an auditor's pack does, which does not read the stack file."""
    program = run_program("oslo", stack_data("oslo"))
    names = {item.urn: item.name for item in program.resources.values()}

    [record] = program.of(":Residency")
    resources = [item for item in program.resources.values() if not item.type.startswith("pulumi:")]

    def found(purpose):
        for place in record.inputs["places"]:
            if place["name"] == "backups":
                place["purposes"] = [purpose]
        shown = [
            Resource(item.type, item.inputs, item.name, names.get(item.parent), component=not item.provider)
            for item in resources
        ]
        return {one.message for one in violations(ENGINE_POLICIES, shown, ALONE)}

    assert found("backup") == set()
    messages = found("state")
    assert len(messages) == 3, "one of each control plane"
    for message in messages:
        assert "bytes go to s3.example.no for backup, and place 'backups' is declared for state" in message
