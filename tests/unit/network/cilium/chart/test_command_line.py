import pytest

from components.network.cilium.chart.command_line import (
    HelmError,
    command_line,
    command_words,
    is_command_line,
    merge_words,
)


def given(*words, option="--set"):
    return merge_words({}, [(option, word) for word in words])


def test_words_have_the_types_that_helm_gives_them():
    text = "yes=true,no=false,none=null,many=6443,octal=0700,float=1.14,zero=0,empty=,text=strict"
    assert given(text) == {
        "yes": True,
        "no": False,
        "none": None,
        "many": 6443,
        "octal": "0700",
        "float": "1.14",
        "zero": 0,
        "empty": "",
        "text": "strict",
    }


def test_set_string_leaves_every_word_text():
    assert given("kubeProxyReplacement=true,MTU=1500", option="--set-string") == {
        "kubeProxyReplacement": "true",
        "MTU": "1500",
    }


def test_dots_make_groups_and_a_backslash_keeps_them_names():
    assert given(r"nodeSelector.kubernetes\.io/os=linux") == {"nodeSelector": {"kubernetes.io/os": "linux"}}
    assert given(r"note=one\,two") == {"note": "one,two"}


def test_braces_make_lists_and_brackets_fill_them():
    assert given("devices={eth0,eth1}") == {"devices": ["eth0", "eth1"]}
    assert given("tolerations[1].key=a") == {"tolerations": [None, {"key": "a"}]}
    assert given("a[0][1]=x") == {"a": [[None, "x"]]}


def test_later_words_win_and_the_values_given_stay_as_they_were():
    values = {"tunnel": "vxlan", "bpf": {"masquerade": True}}
    words = [("--set", "tunnel=geneve"), ("--set", "tunnel=disabled"), ("--set", "bpf.tproxy=true")]
    assert merge_words(values, words) == {"tunnel": "disabled", "bpf": {"masquerade": True, "tproxy": True}}
    assert values == {"tunnel": "vxlan", "bpf": {"masquerade": True}}


def test_the_kind_of_an_option_decides_wherever_it_stands():
    """`MergeValues`: --set-json, --set, --set-string, --set-file, --set-literal, each kind in its own order."""
    words = [("--set-literal", "a=4"), ("--set-string", "a=3"), ("--set", "a=2"), ("--set-json", "a=1")]
    assert merge_words({"a": 0}, words) == {"a": "4"}
    assert merge_words({"a": 0}, words[1:]) == {"a": "3"}
    assert merge_words({"a": 0}, words[2:]) == {"a": 2}
    assert merge_words({"a": 0}, words[3:]) == {"a": 1}


def test_json_and_literal_words_are_taken_as_they_are():
    assert given('devices=["eth0"]', option="--set-json") == {"devices": ["eth0"]}
    assert given('a={"b": 1}', option="--set-json") == {"a": {"b": 1}}
    assert given("note=a,b={c}", option="--set-literal") == {"note": "a,b={c}"}


@pytest.mark.parametrize("word", ["a", "a=b,c", "a[x]=1", "a[99999999]=1"])
def test_a_word_that_helm_does_not_take_is_refused_in_helms_words(word):
    with pytest.raises(HelmError, match="correct the words of --set"):
        given(word)


def test_a_file_of_set_file_is_not_read():
    assert given("ca=/etc/shadow", option="--set-file") == {"ca": "(the file /etc/shadow)"}


def test_a_pasted_command_line_is_read_over_its_continued_lines():
    line = command_line(
        "helm repo add cilium https://helm.cilium.io/\n"
        "$ sudo helm upgrade --install cilium cilium/cilium --version=1.14.4 \\\n"
        "  -f site.yaml,more.yaml --set 'a=b c' \\\n"
        "  --set-string port=6443   # the API server's\n"
        "kubectl get pods --set not=ours\n"
    )
    assert line.version == "1.14.4"
    assert line.files == ("site.yaml", "more.yaml")
    assert line.words == (("--set", "a=b c"), ("--set-string", "port=6443"))


@pytest.mark.parametrize(
    "text",
    [
        "helm -n kube-system install cilium cilium/cilium --set tunnel=disabled",
        "helm --kube-context prod --debug upgrade cilium cilium/cilium --set tunnel=disabled",
        "KUBECONFIG=/etc/admin.conf helm upgrade cilium cilium/cilium --set tunnel=disabled",
        "$ HELM_DEBUG=1 sudo -E KUBECONFIG=x helm --namespace=kube-system template c c/c --set tunnel=disabled",
    ],
)
def test_a_command_line_is_known_by_its_verb_and_not_by_its_place(text):
    assert is_command_line(text)
    assert command_line(text).words == (("--set", "tunnel=disabled"),)


@pytest.mark.parametrize("text", ["helm repo add cilium x", "# helm -n a install x", "helm: install"])
def test_other_words_of_helm_are_no_command_line(text):
    assert not is_command_line(text)


def test_a_line_of_the_cilium_cli_is_read_with_its_old_names_too():
    line = command_line("cilium upgrade --version v1.14.4 --helm-set tunnel=disabled --helm-set-string a=1 --set b=2")
    assert line.version == "v1.14.4"
    assert line.words == (("--set", "tunnel=disabled"), ("--set-string", "a=1"), ("--set", "b=2"))
    assert not is_command_line("cilium status --wait")


def test_line_breaks_that_a_web_page_left_as_two_characters_are_line_breaks():
    line = command_line(r"helm install cilium cilium/cilium --version 1.16.1 \n  --set loadBalancer.mode=dsr")
    assert (line.version, line.words) == ("1.16.1", (("--set", "loadBalancer.mode=dsr"),))


def test_words_that_a_shell_has_split_are_read_too():
    line = command_words(["helm", "install", "cilium", "cilium/cilium", "--set", "tunnel=disabled", "--wait"])
    assert line.words == (("--set", "tunnel=disabled"),)


@pytest.mark.parametrize("text", ["helm install x --set 'a=b", "kubectl apply", "helm install x --set"])
def test_a_command_line_that_cannot_be_read_says_what_to_do(text):
    with pytest.raises(HelmError, match=r"paste|close its quotes|write its value"):
        command_line(text)


def test_a_values_file_that_mentions_helm_is_no_command_line():
    assert not is_command_line("# helm install cilium cilium/cilium -f this-file\ntunnel: disabled\n")
    assert is_command_line("helm install cilium cilium/cilium\n")


@pytest.mark.parametrize("word", ["--reuse-values", "--reuse-values=true", "--reset-then-reuse-values"])
def test_values_of_the_installed_release_are_not_guessed(word):
    with pytest.raises(HelmError, match="helm get values cilium"):
        command_line(f"helm upgrade cilium cilium/cilium {word} --set MTU=1400")


def test_reuse_that_is_switched_off_takes_no_other_values():
    assert command_line("helm upgrade cilium cilium/cilium --reuse-values=false --set a=1").words == (("--set", "a=1"),)


def test_a_values_file_may_follow_its_option_without_a_blank():
    assert command_line("helm install cilium cilium/cilium -fone.yaml -f=two.yaml -f three.yaml --force").files == (
        "one.yaml",
        "two.yaml",
        "three.yaml",
    )
