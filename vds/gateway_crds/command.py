"""`vds gateway-crds`: compares the stack's bundle of CRDs with the CRDs in the cluster."""

import typer

from components.core.manifests import Manifest
from components.gateway.bundle import VERSION, Bundle, mark
from components.gateway.crd_rules import bundle_problems
from components.kubernetes_api import Api, ApiError, Cluster, UnreachableError, get
from components.stackfile.config import gateway_crds
from components.stackfile.parsing import SpecError
from vds.shared.errors import OperationError
from vds.shared.options import AsJson, ConfigFile, StackName
from vds.shared.output import print_json
from vds.shared.stack import open_stack

_PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def gateway_crds_command(stack: StackName, *, config_file: ConfigFile = None, as_json: AsJson = False) -> None:
    """Run this before an update that changes the bundle in the stack file. Changes nothing.

    Exit code 1: the update would remove something that the cluster has.
    """
    opened = open_stack(stack, config_file=config_file)
    try:
        bundles = gateway_crds(opened.spec)
    except SpecError as error:
        raise OperationError(str(error)) from None
    if not bundles:
        raise OperationError(
            f"stack {stack} has gateway.crds of kind existing: there is no bundle to compare with the cluster"
        )
    live = live_crds(Cluster(opened.kubeconfig), bundles[0])
    problems = list(bundle_problems(live, bundles[0]))
    if as_json:
        rows = [{"item": one.subject, "message": one.message, "remedy": one.remedy} for one in problems]
        print_json({"live": len(live), "bundle": bundles[0].version, "problems": rows})
    else:
        releases = ", ".join(sorted({mark(item, VERSION) or "of no release" for item in live})) or "none"
        print(f"in the cluster: {len(live)} of {len(bundles[0].crds)} CRDs ({releases}); bundle: v{bundles[0].version}")
        for problem in problems:
            print(f"✗ {problem}")
        if not problems:
            print("✓ the bundle can be applied")
    raise typer.Exit(1 if problems else 0)


def live_crds(api: Api, bundle: Bundle) -> list[Manifest]:
    """Those CRDs of the bundle that the cluster has, as they are there. Raises OperationError."""
    try:
        answers = [get(api, f"{_PATH}/{item['metadata']['name']}") for item in bundle.crds]
    except (ApiError, UnreachableError) as error:
        raise OperationError(f"the cluster did not give its CRDs: {error}") from None
    return [item for item in answers if item is not None]
