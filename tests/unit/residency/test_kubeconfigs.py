"""Which clusters the kubeconfig of the engine's environment names."""

from pathlib import Path

import pytest
import yaml

from components.residency.kubeconfigs import UnreadableKubeconfigError, all_hosts, seen_clusters


def written(file: Path, current: str | None = None, **servers: str) -> str:
    body = {
        "clusters": [{"name": f"c-{name}", "cluster": {"server": url}} for name, url in servers.items()],
        "contexts": [{"name": name, "context": {"cluster": f"c-{name}", "user": "u"}} for name in servers],
        "users": [{"name": "u", "user": {"token": "hunter2"}}],
        **({"current-context": current} if current else {}),
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(body))
    return str(file)


def test_the_file_of_the_home_folder_counts_where_no_other_is_named(tmp_path: Path) -> None:
    written(tmp_path / ".kube/config", "us", us="https://a.eks.amazonaws.com", no="https://10.0.0.1:6443")
    found = seen_clusters({"HOME": str(tmp_path)})
    assert found == {"us": ["a.eks.amazonaws.com"], "no": [], "": ["a.eks.amazonaws.com"]}
    assert "hunter2" not in str(found)


def test_several_files_are_merged_and_the_first_counts(tmp_path: Path) -> None:
    first = written(tmp_path / "one", None, a="https://one.example.com")
    second = written(tmp_path / "two", "b", a="https://two.example.com", b="https://b.example.com")
    found = seen_clusters({"KUBECONFIG": f"{first}:/not/there:{second}"})
    assert found == {"a": ["one.example.com"], "b": ["b.example.com"], "": ["b.example.com"]}


def test_without_a_kubeconfig_there_is_no_cluster_and_one_that_cannot_be_read_is_not_known(tmp_path: Path) -> None:
    assert seen_clusters({"HOME": str(tmp_path)}) == {}
    (tmp_path / "broken").write_text("{")
    assert seen_clusters({"KUBECONFIG": str(tmp_path / "broken")}) is None
    with pytest.raises(UnreadableKubeconfigError):
        all_hosts("/home/me/.kube/config")


def test_a_proxy_in_front_of_the_server_counts_too() -> None:
    cluster = {"server": "https://10.0.0.1", "proxy-url": "socks5://p.example.com:1080"}
    text = yaml.safe_dump({"clusters": [{"name": "c", "cluster": cluster}]})
    assert all_hosts(text) == [("proxy-url", "p.example.com")]
