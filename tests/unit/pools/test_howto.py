"""The settings in the guide are valid."""

import re

import pytest
import yaml

from components.gateway.model import Limits
from components.pools.model import MetalLbSpec, Pool
from tests.support.stacks import ROOT

PAGE = (ROOT / "docs/howto/announce-addresses.md").read_text(encoding="utf-8")
BLOCKS = [yaml.safe_load(text) for text in re.findall(r"^```yaml\n(.*?)^```", PAGE, re.M | re.S)]


@pytest.mark.parametrize("block", [block for block in BLOCKS if "metallb" in block])
def test_a_whole_section_is_valid(block: dict[str, object]) -> None:
    MetalLbSpec.model_validate(block["metallb"], by_alias=True, by_name=False)


@pytest.mark.parametrize("block", [block for block in BLOCKS if "pools" in block])
def test_a_pool_is_valid(block: dict[str, list[object]]) -> None:
    assert [Pool.model_validate(one, by_alias=True, by_name=False).name for one in block["pools"]] == ["mail"]


@pytest.mark.parametrize("block", [block for block in BLOCKS if "gateway" in block])
def test_limits_of_the_gateway_are_valid(block: dict[str, dict[str, object]]) -> None:
    assert Limits.model_validate(block["gateway"]["limits"], by_alias=True, by_name=False).connect_attempts


def test_there_are_some() -> None:
    assert len(BLOCKS) == 4
