import pytest

from components.network.cilium.chart.set_syntax import (
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


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("True", True),
        ("FALSE", False),
        ("Null", None),
        ("-05", -5),
        ("+7", 7),
        ("9223372036854775808", "9223372036854775808"),
        ("²", "²"),
        ("٣", "٣"),
    ],
)
def test_words_are_typed_as_helms_own_parser_types_them(word, value):
    """Its `typedVal`: letters of any case, and what Go's ParseInt takes."""
    assert given(f"a={word}") == {"a": value}


def test_set_string_leaves_every_word_text():
    assert given("kubeProxyReplacement=true,MTU=1500", option="--set-string") == {
        "kubeProxyReplacement": "true",
        "MTU": "1500",
    }


def test_dots_make_groups_and_a_backslash_keeps_them_names():
    assert given(r"nodeSelector.kubernetes\.io/os=linux") == {"nodeSelector": {"kubernetes.io/os": "linux"}}
    assert given(r"note=one\,two") == {"note": "one,two"}


def test_braces_make_lists_and_brackets_fill_them():
    assert given("devices={eth0,eth1},none={}") == {"devices": ["eth0", "eth1"], "none": []}
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


def test_an_object_of_json_is_merged_and_a_key_of_json_is_set_whole():
    values = {"bpf": {"masquerade": True, "hostLegacyRouting": False}}
    over = [("--set-json", '{"bpf": {"masquerade": false}}')]
    assert merge_words(values, over) == {"bpf": {"masquerade": False, "hostLegacyRouting": False}}
    assert merge_words(values, [("--set-json", 'bpf={"tproxy": true}')]) == {"bpf": {"tproxy": True}}
    assert given('a=[1, 2] ,b={"c": null},d=', option="--set-json") == {"a": [1, 2], "b": {"c": None}, "d": None}


def test_a_group_below_a_word_is_what_helm_stops_at():
    with pytest.raises(HelmError, match="tunnel is set already, and is no group"):
        merge_words({"tunnel": "vxlan"}, [("--set", "tunnel.port=1")])


def test_json_and_literal_words_are_taken_as_they_are():
    assert given('devices=["eth0"]', option="--set-json") == {"devices": ["eth0"]}
    assert given('{"a": {"b": 1}}', option="--set-json") == {"a": {"b": 1}}
    assert given("note=a,b={c}", option="--set-literal") == {"note": "a,b={c}"}


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("a", "'a' has no value"),
        ("a=b,c", "'c' has no value"),
        ("=b", "a key is empty"),
        ("a..b=1", "a key is empty"),
        ("a[x]=1", "no place in a list"),
        ("a[99999999]=1", "no place in a list"),
        ("a={b", "a list has no end"),
    ],
)
def test_a_word_that_helm_would_not_take_is_named_with_its_remedy(word, says):
    with pytest.raises(HelmError, match=f"--set .*{says}"):
        given(word)


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
