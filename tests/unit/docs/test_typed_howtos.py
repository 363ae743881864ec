"""What the lab types of guides (upgrade, restore, canary) is on the page, and is whole pieces of shell."""

import subprocess

import pytest
import yaml

from tests.support import howtos
from tests.support.bootstraps import bootstrap_data
from tests.support.stacks import problems

PAGES = ("upgrade-kubernetes", "restore-a-cluster", "ship-a-canary")
RECIPIENT = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"  # of age's README


@pytest.mark.parametrize(
    ("name", "block"), [(name, block) for name in PAGES for block in howtos.blocks(name)], ids=lambda text: text[:30]
)
def test_a_block_is_a_whole_piece_of_shell(name: str, block: str) -> None:
    done = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True)
    assert (name, done.stderr) == (name, "")


@pytest.mark.parametrize("name", PAGES)
def test_every_command_of_the_operator_is_typed(name: str) -> None:
    typed = "".join(howtos.blocks(name))
    others = howtos.page(name)
    for line in [line.strip() for line in typed.splitlines()]:
        others = others.replace(line, "")
    assert "\n.venv/bin/vds " not in others
    assert "\npulumi " not in others


def test_the_stack_file_of_the_restore_is_right() -> None:
    data = bootstrap_data()
    data["cluster"].pop("backup", None)
    places = data["residency"]["places"]
    data["residency"]["places"] = [place for place in places if "backup" not in place["purposes"]]
    [block] = howtos.blocks("restore-a-cluster", "yaml")
    howtos.written(data, block, {"age1…": RECIPIENT})
    assert problems(data) == []
    assert yaml.safe_load(block)["cluster"]["backup"]["everyMinutes"] == 60
