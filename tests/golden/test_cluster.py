"""A cluster that kubeadm makes, three control planes and two workers: whole documents and a whole script."""

import pytest

from components.kubeadm.backup.render import units
from components.kubeadm.render import kubeadm_config
from components.kubeadm.scripts import member_script
from tests.support.backups import spec
from tests.support.bootstraps import CREDENTIALS, bootstrap, bootstrap_data
from tests.support.golden import assert_golden


@pytest.mark.parametrize("name", ["osl-cp-1", "osl-cp-2", "osl-w-1"])
def test_what_kubeadm_is_given(name):
    plan = bootstrap()
    node = next(node for node in plan.nodes if node.name == name)
    assert_golden(f"kubeadm-{name}.json", kubeadm_config(plan, node, CREDENTIALS))


def test_what_kubeadm_is_given_beside_kube_proxy():
    data = bootstrap_data()
    data["cni"]["serviceProxy"] = "nftables"
    plan = bootstrap(data)
    assert_golden("kubeadm-with-kube-proxy.json", kubeadm_config(plan, plan.nodes[0], CREDENTIALS))


def test_the_script_of_the_first_control_plane():
    plan = bootstrap()
    assert_golden("kubeadm-osl-cp-1.sh", member_script(plan, plan.nodes[0], CREDENTIALS))


def test_the_units_of_a_control_planes_backup():
    text = "".join(f"# {name}\n{unit}\n" for name, unit in units(spec()).items())
    assert_golden("kubeadm-backup-units.txt", text)
