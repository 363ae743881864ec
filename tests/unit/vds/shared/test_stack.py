"""A stack as commands open it, with a fake engine on the PATH."""

import json
import os
from pathlib import Path

import pytest
import yaml

from tests.support.bootstraps import bootstrap_data
from tests.support.kubeconfigs import kubeconfig
from tests.support.stacks import existing_data, stack_data
from tests.support.tools import Tools
from vds.shared.errors import OperationError
from vds.shared.stack import open_stack

# As pulumi 3.274.1 wrote them.
OF_EMPTY = "v1:9yFuNTDyIu4=:v1:ixzX5E3LZ7W2Q/ro:/4lYGlTQeWBVM9Zn1MroaM5Gx0GMsQ=="
OF_A_WORD = "v1:Ch4kmAyGTbM=:v1:WGfAOYy8C+ruYgQM:Ybk5kfdh5XTjvbxBItC1s1cCF+8xJg=="
KEY = "-----BEGIN A KEY-----"
KUBECONFIG = kubeconfig()


@pytest.fixture
def engine(tmp_path, monkeypatch):
    """`answer(...)` says what the fake `pulumi` prints."""
    tools = Tools(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{tools.folder}:{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)

    def answer(data=None, *, error="", **secrets):
        values = {"sshPrivateKey": KEY, "kubeconfig": KUBECONFIG, **secrets}
        config = {f"vds-platform:{name}": {"value": text, "secret": True} for name, text in values.items() if text}
        if data is not None:
            config["vds-platform:spec"] = {"value": json.dumps(data), "objectValue": data, "secret": False}
        (tmp_path / "answer.json").write_text(json.dumps(config))
        tools.add("pulumi", f"echo '{error}' >&2; exit 6" if error else f"cat '{tmp_path}/answer.json'")
        return tools

    return answer


def refused(*arguments, **options):
    with pytest.raises(OperationError) as caught:
        open_stack(*arguments, **options)
    return str(caught.value)


def test_a_sound_stack_opens_with_its_spec_and_secrets(engine):
    tools = engine(existing_data())
    opened = open_stack("oslo")
    assert (opened.spec.environment, opened.ssh_private_key, opened.kubeconfig) == ("oslo", KEY, KUBECONFIG)
    assert tools.words("pulumi") == [
        ["--non-interactive", "config", "--show-secrets", "--json", "--stack", "oslo"],
    ]


@pytest.mark.parametrize("name", ["sshPrivateKey", "kubeconfig"])
def test_a_secret_as_plain_configuration_is_refused(engine, tmp_path, name):
    engine(existing_data())
    answer = json.loads((tmp_path / "answer.json").read_text())
    answer[f"vds-platform:{name}"]["secret"] = False
    (tmp_path / "answer.json").write_text(json.dumps(answer))
    text = refused("oslo")
    assert f"vds-platform:{name}: is a secret, and is not encrypted in the file" in text
    assert KEY not in text


def test_a_stack_with_an_empty_passphrase_is_refused(engine, tmp_path):
    engine(existing_data())
    (tmp_path / "Pulumi.oslo.yaml").write_text(f"encryptionsalt: {OF_EMPTY}\n")
    assert "encryptionsalt: is made with an empty passphrase" in refused("oslo")
    (tmp_path / "Pulumi.oslo.yaml").write_text(f"encryptionsalt: {OF_A_WORD}\n")
    open_stack("oslo")


def test_a_kubeconfig_without_tls_is_refused(engine):
    engine(existing_data(), kubeconfig=KUBECONFIG.replace("https:", "http:"))
    assert "vds-platform:kubeconfig" in refused("oslo")


def test_shared_settings_are_read_from_the_project(engine, tmp_path):
    data = existing_data()
    (tmp_path / "defaults.yaml").write_text(json.dumps({"network": data.pop("network")}))
    engine(data, defaults="defaults.yaml")
    assert open_stack("oslo").spec.network.underlay_mtu == 1500
    (tmp_path / "defaults.yaml").unlink()
    assert "'defaults.yaml' can't be read" in refused("oslo")


def test_a_stack_that_has_not_its_environments_name_is_refused(engine):
    engine(existing_data())
    assert "environment: oslo, but the stack is bergen" in refused("bergen")


def test_another_stack_file_is_passed_on(engine, tmp_path):
    tools = engine(stack_data("oslo"))
    (tmp_path / "Pulumi.variant.yaml").touch()
    open_stack("oslo", config_file=tmp_path / "Pulumi.variant.yaml")
    assert tools.words("pulumi")[0][-2:] == ["--config-file", str(tmp_path / "Pulumi.variant.yaml")]


def test_a_stack_file_that_is_not_there_is_refused_before_the_engine_takes_it_for_an_empty_one(engine, tmp_path):
    tools = engine(stack_data("oslo"))
    assert "no such file: correct its name" in refused("oslo", config_file=tmp_path / "none.yaml")
    assert tools.calls == []


def test_no_secret_is_shown_by_repr(engine):
    engine(stack_data("oslo"))
    shown = repr(open_stack("oslo"))
    assert KEY not in shown
    assert KUBECONFIG not in shown


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("error: no stack named 'oslo' found", "pulumi stack ls"),
        ("error: incorrect passphrase", "correct PULUMI_CONFIG_PASSPHRASE"),
        ("error: passphrase must be set with PULUMI_CONFIG_PASSPHRASE", "set PULUMI_CONFIG_PASSPHRASE_FILE"),
        ("error: PULUMI_ACCESS_TOKEN must be set for login", "pulumi login"),
        ("error: no Pulumi.yaml project file found", "in the project"),
        ("error: something else", "something else"),
    ],
)
def test_what_the_engine_refuses_is_said_with_what_to_do(engine, said, remedy):
    engine(error=said.replace("'", "’"))
    message = refused("oslo")
    assert message.startswith("stack oslo: ")
    assert remedy in message


def test_everything_that_is_wrong_is_said_at_once(engine):
    data = existing_data()
    data["nodes"][0]["country"] = "SE"
    data["nodes"][1]["adress"] = "192.0.2.1"
    engine(data, kubeconfig="")
    message = refused("oslo")
    assert message.startswith("stack oslo has ")
    for part in (
        "the machine is in SE",
        "adress",
        "vds-platform:kubeconfig: is missing: run `pulumi config set --secret",
    ):
        assert part in message
    assert KEY not in message


def test_a_mistake_is_at_its_line_of_the_file_that_the_engine_has_read(engine, tmp_path):
    data = existing_data()
    data["nodes"][0]["country"] = "SE"
    engine(data)
    assert "Pulumi.oslo.yaml:" not in refused("oslo")
    text = yaml.safe_dump({"config": {"vds-platform:spec": data}})
    for name, options in (("Pulumi.oslo.yaml", {}), ("copy.yaml", {"config_file": Path("copy.yaml")})):
        (tmp_path / name).write_text(text)
        line = next(number for number, line in enumerate(text.splitlines(), 1) if "country: SE" in line)
        assert f"{name}:{line} " in refused("oslo", **options)
    engine(data | {"environment": "other"})  # the file was changed meanwhile
    assert "Pulumi.oslo.yaml:" not in refused("oslo")


def test_a_stack_without_a_spec_says_where_to_begin(engine):
    engine(None, sshPrivateKey="", kubeconfig="")
    message = refused("oslo")
    assert "stack oslo has 3 problems:" in message
    assert "vds-platform:spec: is missing: copy Pulumi.oslo.yaml" in message


def test_an_answer_that_is_no_json_is_not_repeated(engine, tmp_path):
    tools = engine(stack_data("oslo"))
    tools.add("pulumi", f"echo 'warning {KEY}'")
    assert KEY not in refused("oslo")


@pytest.fixture
def kubeadm(engine, tmp_path):
    """`made(...)` says what `pulumi stack output` prints of a stack that makes its cluster."""

    def made(printed):
        tools = engine(bootstrap_data(), kubeconfig="")
        (tmp_path / "outputs.json").write_text(printed)
        tools.add("pulumi", f"[ \"$2\" = stack ] && exec cat '{tmp_path}/outputs.json'; cat '{tmp_path}/answer.json'")
        return tools

    return made


def test_of_a_stack_that_made_its_cluster_the_kubeconfig_is_what_it_exported(kubeadm):
    tools = kubeadm(json.dumps({"nodes": {}, "kubeconfig": KUBECONFIG}))
    opened = open_stack("oslo")
    assert (opened.kubeconfig, opened.admin) == (KUBECONFIG, KUBECONFIG)
    assert tools.words("pulumi")[1] == [
        *("--non-interactive", "stack", "output", "--show-secrets", "--json", "--stack", "oslo"),
    ]


def test_before_it_has_made_its_cluster_only_what_needs_one_says_so(kubeadm):
    kubeadm("{}")
    opened = open_stack("oslo")
    assert opened.admin is None
    with pytest.raises(OperationError, match="stack oslo has no cluster yet: run `pulumi up`"):
        _ = opened.kubeconfig


def test_outputs_that_are_no_json_are_not_repeated(kubeadm):
    kubeadm(f"warning {KUBECONFIG}")
    assert KUBECONFIG not in refused("oslo")


def test_a_machine_without_the_engine_is_told_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert refused("oslo") == "pulumi is not on the PATH: install it, or add its folder to PATH"
