"""docs/howto/see-who-reaches-whom.md: its commands print what it says."""

import re
import shlex
from pathlib import Path

import pytest

from tests.support.commands import vds
from tests.support.stacks import ROOT

GUIDE = (ROOT / "docs/howto/see-who-reaches-whom.md").read_text(encoding="utf-8")
TYPED = re.findall(r"```\n\.venv/bin/vds (reach [^\n]*)\n```\n\n```text\n(.*?)```", GUIDE, re.DOTALL)


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (shop,) = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
    (tmp_path / "shop.yaml").write_text(shop)
    (tmp_path / "shop-without-the-second-rule.yaml").write_text(shop.partition("    - from: [{ namespaceSelector")[0])
    monkeypatch.chdir(tmp_path)


def test_the_guide_shows_what_some_commands_print() -> None:
    assert len(TYPED) == 4


@pytest.mark.parametrize(("words", "printed"), TYPED)
def test_a_command_prints_what_the_guide_shows(words: str, printed: str) -> None:
    done = vds(*shlex.split(words))
    assert (done.stdout, done.stderr) == (printed, "")
    assert done.exit_code == (0 if "--port" in words else 1)


def test_the_commands_for_all_pairs_run(tmp_path: Path) -> None:
    commands = re.findall(r"vds (reach --file shop\.yaml.*)", GUIDE)
    assert len(commands) == 4
    for words in commands:
        done = vds(*shlex.split(re.sub(r"/\w+(?=/shop)", str(tmp_path), words)))
        assert (done.exit_code, done.stderr) == (0, "")
    assert "bank/db" in (tmp_path / "shop.html").read_text(encoding="utf-8")
