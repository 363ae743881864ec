"""`vds tenant`: registers agencies, updates their stacks, and retires them."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.table import Table

from vds.shared.errors import IncompleteError, OperationError
from vds.shared.options import AsJson
from vds.shared.output import console, print_json

if TYPE_CHECKING:
    from components.kubernetes_api import Cluster
    from components.stackfile.registered_cluster import RegisteredCluster

app = typer.Typer(no_args_is_help=True)

Tenants = Annotated[list[str] | None, typer.Argument(help="Names of tenants.", metavar="[TENANT...]")]
Tenant = Annotated[str, typer.Argument(help="Name of the tenant.")]
Everything = Annotated[bool, typer.Option("--all", help="Every tenant of the folder.")]
Folder = Annotated[Path | None, typer.Option(help="The project vds-tenants. Default: this folder, or tenants/ in it.")]
Namespace = Annotated[str | None, typer.Option(help="One namespace, as in butikk-prod. Default: all of the tenant.")]


@app.command()
def new(
    tenant: Tenant,
    *,
    environment: Annotated[str, typer.Option(help="Name of the environment, as in its stack file.")],
    group: Annotated[list[str], typer.Option(help="Group of the identity provider that owns it; can be repeated.")],
    domain: Annotated[list[str], typer.Option(help="Host name of the tenant; can be repeated.")],
    registry: Annotated[
        list[str], typer.Option(help="Where its images are, as in registry.example.no/butikk/; can be repeated.")
    ],
    namespace: Annotated[
        list[str] | None, typer.Option(help="NAME=SIZE, as in prod=medium; can be repeated. Default: prod=medium.")
    ] = None,
    agency: Annotated[Path | None, typer.Option(help="New folder for the agency's own project.")] = None,
    language: Annotated[Literal["yaml", "python"], typer.Option(help="Language of the agency's project.")] = "yaml",
    repository: Annotated[
        str | None, typer.Option(help="HTTPS address of the platform's Git repository, for --agency.")
    ] = None,
    folder: Folder = None,
) -> None:
    """Write a registration and, with --agency, a project that the agency begins with.

    Exit code 1: an answer is wrong. Exit code 2: something is there already.
    """
    from components.stackfile.registration import problems_of, read_registration
    from vds.tenant.folder import file_of, registrations_folder
    from vds.tenant.template import Answers, agency_files, registration_file, write_project

    file = file_of(registrations_folder(folder), tenant)
    if agency and not repository:
        raise OperationError("write --repository, the address of the platform's Git repository, for --agency")
    sizes = [(key, size or "small") for key, _, size in (one.partition("=") for one in namespace or ["prod=medium"])]
    text = registration_file(Answers(tenant, environment, group, sizes, domain, registry))
    read = read_registration(file, text)
    if problems := problems_of(read, (), date.today()):
        raise IncompleteError(*(str(one._replace(file="", lines=())) for one in problems))
    if there := [path for path in (file, agency) if path and path.exists()]:
        raise OperationError(*(f"{path} is there already: choose another, or edit it" for path in there))
    if agency and repository and read.registration:
        write_project(agency, agency_files(read.registration, language, repository))
        print(f"{agency}: a project for the agency's own repository")
    file.write_text(text, encoding="utf-8")
    print(f"{file}: written; check it with `vds tenant check {tenant}`, then run `vds tenant up {tenant}`")


@app.command()
def check(tenants: Tenants = None, *, folder: Folder = None, as_json: AsJson = False) -> None:
    """Check registrations, or an agency's project, without a cluster.

    Registrations are checked by themselves, beside each other, and against the stack file of their environment. A
    project of an agency is checked against the saved contract, `contract.yaml` beside it: every stack of it, or the
    named ones. Exit code 0: everything is valid. Exit code 1: there are mistakes.
    """
    from components.stackfile.registration import TENANTS
    from vds.tenant.checking import check_agency, check_registrations
    from vds.tenant.folder import PROJECT_FILE, project_name, registrations_folder
    from vds.validate.command import finding_as_json

    here = folder or Path()
    if (here / PROJECT_FILE).is_file() and project_name(here) != TENANTS and not (here / "tenants").is_dir():
        count, found = check_agency(here, tenants or ())
    else:
        count, found = check_registrations(registrations_folder(folder), tenants or (), date.today())
    if as_json:
        print_json([finding_as_json(one) for one in found])
    else:
        for one in found:
            print(one)
        print(f"{count} checked, {len(found) or 'no'} {'problem' if len(found) == 1 else 'problems'}")
    raise typer.Exit(1 if found else 0)


@app.command()
def up(
    tenants: Tenants = None,
    *,
    everything: Everything = False,
    at_once: Annotated[
        int | None, typer.Option("--parallel", min=1, max=64, help="Stacks at a time. Default: one for each CPU.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Leave out those that the last run updated, unless their file changed.")
    ] = False,
    policy_pack: Annotated[Path, typer.Option(help="Folder of the policy pack.")] = Path("policies"),
    folder: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Run `pulumi up` for tenants, several at once. One that fails stops no other. KUBECONFIG names the cluster.

    Exit code 0: all are up to date. Exit code 1: some failed; run it again with --resume. Exit code 2: none was begun.
    """
    from vds.tenant.folder import chosen, registrations_folder, tenant_of
    from vds.tenant.running import Done, parallel, run_all
    from vds.tenant.worker import Outcome

    place = registrations_folder(folder)
    if not policy_pack.is_dir():
        raise OperationError(f"--policy-pack {policy_pack}: there is no such folder: name it")
    _require_kubeconfig()
    wanted = {tenant_of(one): Path(one.name) for one in chosen(place, tenants or (), everything=everything)}
    done = Done(place)
    if not resume:
        done.forget()
    left = done.left(wanted)
    ended = 0

    def report(outcome: Outcome) -> None:
        nonlocal ended
        ended += 1
        said = "up to date" if outcome.ok else outcome.said
        print(
            f"{'✓' if outcome.ok else '✗'} [{ended}/{len(left)}] {outcome.tenant}: {said}", file=sys.stderr, flush=True
        )

    if len(left) < len(wanted):
        print(f"{len(wanted) - len(left)} of {len(wanted)} were updated by the last run", file=sys.stderr)
    outcomes = run_all(left, place, policy_pack, at_once or parallel(), done, report)
    failed = [one for one in outcomes if not one.ok]
    if not failed:
        done.forget()
    if as_json:
        print_json(
            {
                "updated": [one.tenant for one in outcomes if one.ok],
                "skipped": [tenant for tenant in wanted if tenant not in left],
                "failed": {one.tenant: one.said for one in failed},
            }
        )
    raise typer.Exit(1 if failed else 0)


@app.command("list")
def list_command(*, folder: Folder = None, as_json: AsJson = False) -> None:
    """List tenants: those with a file and, where KUBECONFIG is set, those of the cluster."""
    from components.stackfile.registration_config import KUBECONFIG, read_folder
    from vds.tenant.folder import registrations_folder
    from vds.tenant.listing import rows

    files = read_folder(registrations_folder(folder))
    if os.environ.get(KUBECONFIG):
        with _cluster() as (_, cluster):
            made = rows(files, cluster)
    else:
        made = rows(files, None)
    if as_json:
        print_json(made)
        return
    table = Table(*("tenant", "environment", "namespaces", "domains", "state"), box=None)
    for row in made:
        values = (row["tenant"], row["environment"], row["namespaces"], row["domains"], row["state"])
        table.add_row(*(", ".join(value) if isinstance(value, list) else str(value or "–") for value in values))
    console().print(table)


@app.command()
def retire(
    tenant: Tenant,
    *,
    namespace: Namespace = None,
    export_to: Annotated[
        Path | None, typer.Option("--export", help="Stop what runs, and write all objects to this folder.")
    ] = None,
    delete_name: Annotated[
        str | None, typer.Option("--delete", help="Delete this namespace, with its volumes. Export it first.")
    ] = None,
    folder: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Retire a tenant, or one of its namespaces, in two steps: `--export FOLDER`, and later `--delete NAMESPACE`.

    An export has no contents of volumes. Exit code 1: the namespace is not ready to be deleted.
    """
    from vds.tenant.folder import registrations_folder
    from vds.tenant.retiring import delete, export, suspend
    from vds.tenant.stack import forget

    if (export_to is None) == (delete_name is None):
        raise OperationError("write --export FOLDER, or --delete NAMESPACE")
    place = registrations_folder(folder) if delete_name else Path()
    with _cluster() as (api, cluster):
        known = cluster.of(tenant)
        for name in filter(None, (namespace, delete_name)):
            if name not in known:
                raise OperationError(f"{name} is no namespace of tenant {tenant}; it has {', '.join(known) or 'none'}")
        if delete_name is not None:
            delete(api, delete_name, tenant)
            forget(tenant, delete_name, place)
            done: list[dict[str, Any]] = [{"namespace": delete_name, "deleted": True}]
            said = (
                f"{delete_name} is deleted: take it out of Pulumi.{tenant}.yaml, or remove the file after the last one"
            )
            if not as_json:
                print(said)
        elif export_to is not None:
            done = []
            for name in [namespace] if namespace else known:
                stopped = suspend(api, name)
                count, claims = export(api, name, export_to, date.today())
                place = export_to / name
                done.append(
                    {"namespace": name, "changed": stopped, "exported": count, "folder": str(place), "volumes": claims}
                )
                if as_json:
                    continue
                print(f"{name}: {stopped} objects changed, nothing runs any more; {count} objects in {place}")
                if claims:
                    print(f"  copy these volumes yourself, their contents are in no export: {', '.join(claims)}")
    if as_json:
        print_json(done)


@app.command()
def kubeconfig(
    tenant: Tenant,
    *,
    namespace: Namespace = None,
    use: Annotated[
        Literal["people", "ci"], typer.Option("--for", help="A login for people, or a token for CI.")
    ] = "people",
    minutes: Annotated[int, typer.Option(min=10, max=1440, help="How long a token for CI is valid.")] = 60,
    oidc_issuer: Annotated[str | None, typer.Option(help="URL of the identity provider, for people.")] = None,
    oidc_client: Annotated[str, typer.Option(help="Its client for kubectl.")] = "kubernetes",
    output: Annotated[Path | None, typer.Option(help="Write to this file, which only you can read.")] = None,
) -> None:
    """Print a kubeconfig for a tenant. The one for people has no secret; the one for CI has a token that ends."""
    from vds.tenant.access import Oidc, ci_token, for_ci, for_people

    with _cluster() as (api, cluster):
        known, name = cluster.of(tenant), cluster.known.environment.environment
        places = [namespace] if namespace else known
        if not known or not set(places) <= set(known):
            raise OperationError(f"tenant {tenant} has the namespaces {', '.join(known) or 'none'}: correct the name")
        platform = _require_kubeconfig()
        if use == "ci":
            if len(places) > 1:
                raise OperationError(f"a token is for one namespace: write --namespace, one of {', '.join(known)}")
            text = for_ci(platform, name, places[0], ci_token(api, places[0], minutes * 60))
        else:
            if not oidc_issuer:
                raise OperationError("write --oidc-issuer, the URL of the identity provider; or --for ci")
            text = for_people(platform, name, tenant, places, Oidc(oidc_issuer, oidc_client))
    if output is None:
        print(text, end="")
        return
    opened = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.fchmod(opened, 0o600)
    with os.fdopen(opened, "w") as file:
        file.write(text)


def _require_kubeconfig() -> str:
    from components.stackfile.registration_config import KUBECONFIG, kubeconfig_text

    try:
        return kubeconfig_text()
    except OSError as error:
        raise OperationError(f"{KUBECONFIG} {error.strerror or error}") from None


@contextmanager
def _cluster() -> "Iterator[tuple[Cluster, RegisteredCluster]]":
    """The API server that KUBECONFIG names, and what it says of registrations."""
    from components.kubernetes_api import ApiError, Cluster, UnreachableError
    from components.stackfile.registered_cluster import NoEnvironmentError, read_cluster

    api = Cluster(_require_kubeconfig())
    try:
        yield api, read_cluster(api)
    except (ApiError, UnreachableError, NoEnvironmentError) as error:
        raise OperationError(str(error)) from None
    finally:
        api.close()
