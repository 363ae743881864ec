"""The committed pages say what the policies do."""

from pathlib import Path

from policies.docs import FOLDER, pages, stale, write
from policies.engine import ENGINE_POLICIES


def test_the_committed_pages_are_the_pack_s() -> None:
    assert stale() == [], "run `make policies`"


def test_every_policy_links_to_its_page_and_says_what_to_do() -> None:
    for policy in ENGINE_POLICIES:
        assert policy.url == f"docs/policies/{policy.name}.md"
        assert (FOLDER.parent.parent / policy.url).is_file()
        assert policy.severity is not None
        assert policy.framework is not None
        assert policy.framework.reference
        assert policy.remediation_steps in pages()[f"{policy.name}.md"]
        assert policy.description in pages()["README.md"]


def test_pages_of_policies_that_are_gone_go_too(tmp_path: Path) -> None:
    (tmp_path / "gone.md").write_text("# gone")
    assert "gone.md" in stale(tmp_path)
    write(tmp_path)
    assert stale(tmp_path) == []
