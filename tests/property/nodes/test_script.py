import json
import re
import subprocess

from hypothesis import given
from hypothesis import strategies as st

from components.core.untrusted import printable
from components.nodes.model import NodeRequirements, NodeSpec, Sysctl
from components.nodes.settings.profiles import PROFILES, RESERVED_PORTS, compose, larger, reserved_ports
from components.nodes.settings.readback import parse
from components.nodes.settings.script import node_script
from tests.support.examples import examples

ANY_TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
VALUES = st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=3).map(lambda numbers: " ".join(map(str, numbers)))
SYSCTLS = st.builds(
    Sysctl,
    key=st.sampled_from(["net.core.somaxconn", "net.ipv4.tcp_rmem", "fs.file-max"]),
    value=VALUES,
    how=st.sampled_from(["minimum", "exact"]),
    required=st.booleans(),
)


def hostile(name, key, value, reason):
    """A node that no stack file could have: the renderer must quote, whoever has validated before it."""
    setting = Sysctl.model_construct(key=key, value=value, how="exact", required=False)
    node = NodeSpec.model_construct(name=name, profiles=(), sysctls=(setting,))
    return node_script(node, NodeRequirements("ebpf", "5.10", reason))


@examples(15)
@given(ANY_TEXT, ANY_TEXT, ANY_TEXT, ANY_TEXT)
def test_every_text_reaches_the_shell_as_it_is(name, key, value, reason):
    """Run for real: the script's own data, printed back by the shell instead of being applied."""
    show = """
show() { printf '%s\\0' "$1" "$5"; }
settings show
printf '%s\\0' "$node" "$kernel_reason"
"""
    script = hostile(name, key, value, reason).replace('\nmain "$@"\n', show)
    done = subprocess.run(["sh", "-s"], input=script.encode(), capture_output=True, check=True)
    assert done.stderr == b""
    ports = [RESERVED_PORTS, reserved_ports(NodeRequirements("ebpf", "5.10", reason))]
    assert done.stdout.decode().split("\0") == [key, value, *ports, name, reason, ""]


@examples(15)
@given(ANY_TEXT.filter(lambda text: "\n" not in text))
def test_every_live_value_is_json(text):
    script = hostile("n", "k", "1", "r").replace('\nmain "$@"\n', '\nline key "$1" wanted x live "$1" state applied\n')
    done = subprocess.run(["sh", "-s", "--", text], input=script.encode(), capture_output=True, check=True)
    printed = json.loads(done.stdout)["live"]
    assert printed == "".join(character for character in text if not re.match(r"[\x00-\x1f\x7f]", character))
    assert parse(done.stdout.decode() + "converged").settings[0].live == printable(printed)


@examples(15)
@given(VALUES, VALUES)
def test_the_shell_and_python_agree_on_the_larger_value(one, other):
    script = hostile("n", "k", "1", "r").replace('\nmain "$@"\n', '\nlarger "$1" "$2"; printf %s "$larger"\n')
    done = subprocess.run(["sh", "-s", "--", one, other], input=script.encode(), capture_output=True, check=True)
    assert done.stdout.decode() == larger(one, other)


@given(st.permutations(list(PROFILES)), st.lists(SYSCTLS, max_size=4))
def test_rendering_is_deterministic_whatever_the_order_of_profiles(profiles, sysctls):
    def rendered(order):
        node = NodeSpec.model_construct(name="osl-1", profiles=tuple(order), sysctls=tuple(sysctls))
        return node_script(node, NodeRequirements("ebpf", "5.10", "Cilium"))

    assert rendered(profiles) == rendered(sorted(profiles))


@given(st.lists(SYSCTLS, max_size=8))
def test_composing_keeps_every_minimum_and_is_done_once(asked):
    composed = compose(asked)
    assert compose(composed) == composed
    assert [setting.key for setting in composed] == sorted({setting.key for setting in asked})
    for setting in composed:
        if setting.how == "minimum":
            for item in asked:
                if item.key == setting.key:
                    assert larger(item.value, setting.value) == setting.value
        assert setting.required == any(item.required for item in asked if item.key == setting.key)
