"""What the guide for closed networks tells people to write and to run is what the platform takes."""

import re

import pytest
import yaml

from tests.support.bundles import crd, digest, text
from tests.support.stacks import ROOT, problems, stack_data
from vds.main import _MODULES

GUIDE = (ROOT / "docs/howto/closed-networks.md").read_text()


@pytest.mark.parametrize("mirror", re.findall(r"mirror: (\{.*?\})|# or: (\{.*?\})", GUIDE))
def test_every_mirror_of_the_guide_may_be_written(mirror):
    [written] = filter(None, mirror)
    assert problems(stack_data("oslo") | {"charts": {"mirror": yaml.safe_load(written)}}) == []


def test_the_bundle_of_the_guide_may_be_written():
    content = text(crd())
    [written] = re.findall(r"crds: (\{ kind: bundle.*?\})", GUIDE)
    data = stack_data("oslo")
    data["gateway"]["crds"] = yaml.safe_load(written) | {"sha256": digest(content)}
    assert problems(data) == [
        "gateway.crds.path: 'gateway-api/standard-install.yaml' can't be read (No such file or directory): correct it"
    ]


def test_every_command_of_the_guide_exists():
    assert set(re.findall(r"vds ([a-z-]+)", GUIDE)) <= set(_MODULES)


def test_the_mirror_of_images_of_the_guide_may_be_written():
    [written] = re.findall(r"```yaml\n(images:\n.*?)```", GUIDE, re.DOTALL)
    assert problems(stack_data("oslo") | yaml.safe_load(written)) == []
