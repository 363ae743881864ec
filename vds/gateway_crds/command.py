"""`vds gateway-crds`: what the stack's bundle of CRDs would do to the ones in the cluster. Changes nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from components.core.manifests import Manifest
from components.gateway.bundle import VERSION, Bundle, mark
from components.gateway.crd_rules import bundle_problems
from components.stackfile.config import gateway_crds
from components.stackfile.parsing import SpecError
from vds.shared.errors import OperationError
from vds.shared.kubernetes import Api, ApiError, Cluster, UnreachableError, found
from vds.shared.stack import open_stack

_PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def gateway_crds_command(
    stack: Annotated[str, typer.Option("--stack", "-s", help="The stack, as `pulumi stack ls` names it.")],
    *,
    config_file: Annotated[Path | None, typer.Option(help="Stands for Pulumi.<stack>.yaml.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Hold the stack's bundle of Gateway API CRDs against the live ones, before an update applies it.

    Ends with 0 if it may be applied, with 1 if it would lose something, with 2 if it could not ask.
    """
    opened = open_stack(stack, config_file=config_file)
    try:
        bundles = gateway_crds(opened.spec)
    except SpecError as error:
        raise OperationError(str(error)) from None
    if not bundles:
        raise OperationError(
            f"stack {stack} has gateway.crds of kind existing: there is no bundle to hold against them"
        )
    live = live_crds(Cluster(opened.kubeconfig), bundles[0])
    problems = bundle_problems(live, bundles[0])
    if as_json:
        rows = [{"item": problem.subject, "message": problem.message} for problem in problems]
        print(json.dumps({"live": len(live), "bundle": bundles[0].version, "problems": rows}, indent=2))
    else:
        releases = ", ".join(sorted({mark(item, VERSION) or "of no release" for item in live})) or "none"
        print(f"in the cluster: {len(live)} of {len(bundles[0].crds)} CRDs ({releases}); bundle: v{bundles[0].version}")
        for problem in problems:
            print(f"✗ {problem}")
        if not problems:
            print("✓ the bundle may be applied")
    raise typer.Exit(1 if problems else 0)


def live_crds(api: Api, bundle: Bundle) -> list[Manifest]:
    """The bundle's CRDs as they are in the cluster; those that are not there are left out. Raises OperationError."""
    try:
        asked = [found(api, f"{_PATH}/{item['metadata']['name']}") for item in bundle.crds]
    except (ApiError, UnreachableError) as error:
        raise OperationError(f"the cluster could not be asked for its CRDs: {error}") from None
    return [item for item in asked if item is not None]


def register(app: typer.Typer) -> None:
    """Add the command to the operator's."""
    app.command("gateway-crds")(gateway_crds_command)
