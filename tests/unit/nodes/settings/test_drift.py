import json

import pytest

from components.nodes.settings.drift import UnreachableNode, judge
from components.nodes.settings.readback import parse, summary

AT = "2026-11-20T22:41:07Z"


def output(verdict, *facts):
    about = {"node": "osl-1", "kernel": "6.18.44", "container": "true", "at": AT}
    return "\n".join([json.dumps(fact) for fact in (about, *facts)] + [verdict]) + "\n"


def setting(state, live="1"):
    return {"key": "net.ipv4.ip_forward", "how": "exact", "wanted": "1", "before": "0", "live": live, "state": state}


def test_a_node_as_it_was_left_keeps_the_command_that_the_state_has():
    rerun = judge("osl-1", parse(output("converged", setting("applied"))))
    assert rerun.keep
    assert rerun.warning == ""


def test_drift_makes_a_command_that_the_state_cannot_have_yet():
    rerun = judge("osl-1", parse(output("drifted", setting("drifted", live="0"))))
    assert not rerun.keep
    assert rerun.update.endswith(f"sh -s apply drifted-{AT}")


def test_drift_is_named_with_both_values():
    rerun = judge("osl-1", parse(output("drifted", setting("drifted", live="0"))))
    assert "node osl-1 has drifted: net.ipv4.ip_forward is 0, wanted 1" in rerun.warning


def test_lost_files_and_modules_are_named():
    facts = ({"module": "nf_conntrack", "state": "drifted"}, {"file": "/etc/x", "state": "missing"})
    assert parse(output("drifted", *facts)).drifted == ("module nf_conntrack is gone", "/etc/x missing")


@pytest.mark.parametrize("verdict", ["absent", "outdated"])
def test_a_node_that_somebody_else_set_up_or_nobody_did_is_run_without_alarm(verdict):
    rerun = judge("osl-1", parse(output(verdict)))
    assert not rerun.keep
    assert rerun.warning == ""


def test_an_unreachable_node_with_nothing_to_change_is_a_warning():
    rerun = judge("osl-1", UnreachableNode("192.0.2.11 port 22 could not be reached"))
    assert rerun.keep
    assert "could not be reached" in rerun.warning


def test_an_unreachable_nodes_warning_does_not_promise_that_a_new_one_is_left_alone():
    warning = judge("osl-1", UnreachableNode("192.0.2.11 port 22 could not be reached")).warning
    assert "it is not judged" in warning
    assert "If it was never set up, or the stack file changed for it, this run sets it up" in warning


def test_another_host_key_runs_the_command_so_that_it_fails():
    rerun = judge("osl-1", UnreachableNode("shows another host key", untrusted=True))
    assert not rerun.keep


def test_without_a_reading_nothing_is_judged():
    assert judge("osl-1", None) == judge("osl-1", parse(output("converged")))


@pytest.mark.parametrize("text", ["", "Welcome to Debian\nconverged", output("Goodbye!"), output('{"node": "osl-1"}')])
def test_what_is_not_the_scripts_output_is_refused(text):
    with pytest.raises(ValueError, match="script printed"):
        parse(text)


def test_the_summary_has_every_setting_with_its_live_value():
    facts = summary(output("changed", setting("applied")))
    assert facts["settings"] == {"net.ipv4.ip_forward": {"wanted": "1", "live": "1", "state": "applied"}}
    assert facts["inContainer"] is True
