"""Security settings: on without being written, off by name, until a day."""

import json
from datetime import date

import pytest

from components.kubeadm.render import documents, settings
from components.kubeadm.rules import cluster_problems, expired_exceptions
from components.kubeadm.scripts import script_without_secrets
from components.kubeadm.security.encryption import encryption_config, key_name, rewrite_script, write_script
from components.kubeadm.security.model import KEYS, SecuritySpec
from components.kubeadm.security.render import ADMISSION, AUDIT_POLICY, AUTHENTICATION, KERNEL_DEFAULTS, files
from components.stackfile.parsing import SpecError, parse
from tests.support.bootstraps import CREDENTIALS, ENCRYPTION_KEY, bootstrap, bootstrap_data
from tests.support.stacks import ROOT

REASON = "an old application needs it until it is replaced"


def data(**security):
    made = bootstrap_data()
    made["cluster"]["security"] = security
    return made


def off(*names):
    return data(exceptions=[{"setting": name, "until": "2027-06-30", "reason": REASON} for name in names])


def arguments(made, component="apiServer"):
    plan = bootstrap(made)
    cluster = documents(plan, plan.nodes[0], CREDENTIALS)[1]
    return {item["name"]: item["value"] for item in cluster[component]["extraArgs"]}


def kubelet(made):
    plan = bootstrap(made)
    return documents(plan, plan.nodes[0], CREDENTIALS)[2]


def file(made, path, version="1.36.3"):
    return json.loads(files(bootstrap(made).cluster.security, version)[path])


def test_everything_is_on_in_a_stack_file_that_does_not_name_it():
    found = arguments(bootstrap_data())
    assert found["encryption-provider-config"].endswith("/encryption.json")
    assert found["audit-policy-file"] == AUDIT_POLICY
    assert found["enable-admission-plugins"] == "NodeRestriction,DenyServiceExternalIPs,EventRateLimit"
    assert found["profiling"] == arguments(bootstrap_data(), "controllerManager")["profiling"] == "false"
    assert kubelet(bootstrap_data())["protectKernelDefaults"] is kubelet(bootstrap_data())["seccompDefault"] is True
    anonymous = file(bootstrap_data(), AUTHENTICATION)["anonymous"]
    assert [item["path"] for item in anonymous["conditions"]] == [
        "/healthz",
        "/livez",
        "/readyz",
        "/api/v1/namespaces/kube-public/configmaps/cluster-info",
    ]


def pod_security(made):
    [plugin] = [item for item in file(made, ADMISSION)["plugins"] if item["name"] == "PodSecurity"]
    return plugin["configuration"]["defaults"]["enforce"]


@pytest.mark.parametrize(
    ("setting", "holds"),
    [
        ("audit-log", lambda made: "audit-log-path" in arguments(made)),
        ("anonymous-requests", lambda made: "conditions" in file(made, AUTHENTICATION)["anonymous"]),
        ("external-ips", lambda made: "DenyServiceExternalIPs" in arguments(made)["enable-admission-plugins"]),
        ("pod-security", lambda made: pod_security(made) == "baseline"),
        ("event-rate-limit", lambda made: "EventRateLimit" in arguments(made)["enable-admission-plugins"]),
        ("kernel-defaults", lambda made: kubelet(made)["protectKernelDefaults"]),
        ("seccomp-default", lambda made: kubelet(made)["seccompDefault"]),
        (
            "encryption-at-rest",
            lambda made: "secretbox" in encryption(made, ENCRYPTION_KEY)["resources"][0]["providers"][0],
        ),
    ],
)
def test_a_setting_is_switched_off_by_its_name_and_alone(setting, holds):
    assert holds(bootstrap_data())
    assert not holds(off(setting))
    others = {"external-ips", "seccomp-default", "audit-log"} - {setting}
    assert holds(off(*others))


def encryption(made, keys):
    return json.loads(encryption_config(bootstrap(made).cluster.security, keys))


def test_the_first_key_encrypts_and_all_of_them_decrypt():
    second = "B" * 43 + "="
    [resources] = encryption(bootstrap_data(), f"{ENCRYPTION_KEY},{second}")["resources"]
    assert resources["resources"] == ["secrets"]
    boxes, identity = resources["providers"]
    assert [key["secret"] for key in boxes["secretbox"]["keys"]] == [ENCRYPTION_KEY, second]
    assert identity == {"identity": {}}


def test_an_exception_from_encryption_keeps_the_keys_for_what_is_encrypted_already():
    [resources] = encryption(off("encryption-at-rest"), ENCRYPTION_KEY)["resources"]
    assert [list(provider) for provider in resources["providers"]] == [["identity"], ["secretbox"]]


def test_the_name_of_a_key_shows_nothing_of_it_and_is_another_for_each():
    assert ENCRYPTION_KEY[:4] not in key_name(ENCRYPTION_KEY)
    assert key_name(ENCRYPTION_KEY) != key_name("B" * 43 + "=")


def test_only_the_script_that_writes_the_keys_has_them():
    given = {"security": SecuritySpec(), "keys": ENCRYPTION_KEY}
    assert ENCRYPTION_KEY in write_script("osl-cp-1", "https://198.51.100.11:6443", first=True, **given)
    assert ENCRYPTION_KEY not in rewrite_script("osl-cp-1", "https://198.51.100.11:6443", **given)


@pytest.mark.parametrize("text", ["", "hunter2", ENCRYPTION_KEY[:-1], f"{ENCRYPTION_KEY},", f"{ENCRYPTION_KEY} "])
def test_a_key_has_32_bytes(text):
    assert not KEYS.fullmatch(text)
    assert KEYS.fullmatch(f"{ENCRYPTION_KEY},{ENCRYPTION_KEY}")


def test_the_audit_log_never_has_a_body():
    rules = file(bootstrap_data(), AUDIT_POLICY)["rules"]
    assert {rule["level"] for rule in rules} == {"None", "Metadata"}
    first, last = rules[0], rules[-1]
    assert first["level"] == last["level"] == "Metadata"
    assert "secrets" in first["resources"][0]["resources"]
    assert set(last) == {"level"}, "what no rule names is recorded"


PROVIDER = {"issuer": "https://id.example.no/realms/oslo", "audiences": ["kubernetes"]}


def test_users_come_from_the_identity_provider_with_a_prefix_and_never_as_kubernetes_own():
    [provider] = file(data(identityProviders=[PROVIDER]), AUTHENTICATION)["jwt"]
    assert provider["issuer"] == {"url": PROVIDER["issuer"], "audiences": ["kubernetes"]}
    assert provider["claimMappings"] == {
        "username": {"claim": "sub", "prefix": "oidc:"},
        "groups": {"claim": "groups", "prefix": ""},
    }
    assert [rule["expression"] for rule in provider["userValidationRules"]] == [
        "!user.username.startsWith('system:')",
        "user.groups.all(group, !group.startsWith('system:'))",
    ]


@pytest.mark.parametrize(("version", "api"), [("1.33.9", "v1beta1"), ("1.34.0", "v1"), ("1.36.3", "v1")])
def test_the_authentication_file_is_of_the_api_that_the_version_has(version, api):
    assert file(bootstrap_data(), AUTHENTICATION, version)["apiVersion"] == f"apiserver.config.k8s.io/{api}"


@pytest.mark.parametrize(
    ("security", "says"),
    [
        ({"identityProviders": [PROVIDER | {"issuer": "http://id.example.no"}]}, "issuer"),
        ({"identityProviders": [PROVIDER | {"audiences": []}]}, "audiences"),
        ({"identityProviders": [PROVIDER, PROVIDER]}, "https://id.example.no/realms/oslo twice"),
        ({"identityProviders": [PROVIDER | {"caCertificate": "hunter2"}]}, "write certificates in PEM"),
        ({"exceptions": [{"setting": "audit", "until": "2027-06-30", "reason": REASON}]}, "setting"),
        ({"exceptions": [{"setting": "audit-log", "reason": REASON}]}, "until"),
        ({"exceptions": [{"setting": "audit-log", "until": "2027-06-30", "reason": REASON}] * 2}, "audit-log twice"),
    ],
)
def test_what_is_wrong_is_said(security, says):
    with pytest.raises(SpecError) as caught:
        parse(data(**security), base_dir=ROOT)
    assert says in str(caught.value)


def test_an_exception_ends_with_its_last_day():
    cluster = bootstrap(off("audit-log")).cluster
    assert expired_exceptions(cluster, date(2027, 6, 30)) == []
    [found] = expired_exceptions(cluster, date(2027, 7, 1))
    assert "the exception for audit-log ended on 2027-06-30" in str(found)


def test_a_kernel_setting_with_which_the_kubelet_does_not_start_is_refused():
    def wrong(made):
        made["nodes"][0]["sysctls"] = [{"key": "kernel.panic", "value": "60", "how": "exact"}]
        plan = parse(made, base_dir=ROOT)
        return cluster_problems(plan.cluster, plan.network, plan.nodes, ["NO", "US"])

    with pytest.raises(SpecError) as caught:
        wrong(bootstrap_data())
    assert "sets kernel.panic to 60, and its kubelet starts only with 10" in str(caught.value)
    assert wrong(off("kernel-defaults")) == []


def test_a_node_has_the_kernel_settings_that_its_kubelet_demands():
    plan = parse(bootstrap_data(), base_dir=ROOT)
    assert {item.key: item.value for item in plan.node_requirements.sysctls} == KERNEL_DEFAULTS
    assert parse(off("kernel-defaults"), base_dir=ROOT).node_requirements.sysctls == ()


def test_a_changed_policy_starts_the_control_plane_again_and_leaves_workers_alone():
    before, after = bootstrap(), bootstrap(off("pod-security"))
    control_plane, worker = before.nodes[0], before.workers[0]
    assert settings(before, control_plane) != settings(after, control_plane)
    assert settings(before, worker) == settings(after, worker)
    assert ADMISSION in script_without_secrets(before, control_plane)
    assert ADMISSION not in script_without_secrets(before, worker).replace("api_server_files", "")
