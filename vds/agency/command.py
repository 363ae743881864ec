"""`vds agency`: an agency's own project, without a cluster."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from vds.shared.errors import OperationError
from vds.shared.options import AsJson
from vds.shared.output import print_json

if TYPE_CHECKING:
    from components.agency.project import File

app = typer.Typer(no_args_is_help=True)

Contract = Annotated[Path, typer.Option(help="A contract, as `kubectl get contract contract --output yaml` prints it.")]


@app.command()
def new(
    folder: Annotated[Path, typer.Argument(help="Where the project is written; it may not have files of its own.")],
    *,
    contract: Contract = Path("contract.yaml"),
    repository: Annotated[str, typer.Option(help="HTTPS address of the platform's Git repository.")],
    version: Annotated[str, typer.Option(help="Released version of the platform, as in 0.1.0.")],
    language: Annotated[Literal["yaml", "python"], typer.Option(help="What the program is written in.")] = "yaml",
) -> None:
    """Write a project with one app, one route and a stack for each namespace. Exit code 2: it is there already, or the
    contract can't be used.
    """
    from components.agency.project import contract_in
    from components.agency.reading import AgencyError
    from components.agency.template import project_files

    try:
        given = contract_in(_read(contract))
    except AgencyError as error:
        raise OperationError(str(error.findings[0])) from None
    if not given.domains:
        raise OperationError(f"{contract}: the contract has no domain: ask the platform team to register one")
    files = project_files(
        language,
        tenant=given.tenant,
        namespaces=given.namespaces,
        domain=given.domains[0],
        registry=given.registries[0],
        repository=repository,
        version=version,
    )
    if there := sorted(name for name in files if (folder / name).exists()):
        raise OperationError(f"{folder} has {', '.join(there)} already: name another folder")
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    print(f"{folder}: written; read {folder / 'README.md'}")


@app.command()
def check(
    folder: Annotated[Path, typer.Argument(help="The project's folder.")] = Path(),
    *,
    stack: Annotated[str, typer.Option("--stack", "-s", help="Name of the stack, as in prod.")],
    contract: Contract = Path("contract.yaml"),
    as_json: AsJson = False,
) -> None:
    """Check the apps and routes of a stack against a contract. Asks neither the engine nor a cluster, and runs nothing.

    Exit code 0: they keep the contract. Exit code 1: there are mistakes, or something that only an update knows. Exit
    code 2: a file can't be read.
    """
    from components.agency import project
    from vds.validate.command import finding_as_json

    program, settings = _read(folder / "Pulumi.yaml"), _read(folder / f"Pulumi.{stack}.yaml")
    found = project.check(program, settings, _read(contract))
    if as_json:
        print_json([finding_as_json(one) for one in found])
    else:
        for one in found:
            print(f"advice: {one}" if one.advice else one)
        count = sum(not one.advice for one in found)
        print(f"stack {stack}: {count or 'no'} {'problem' if count == 1 else 'problems'}")
    raise typer.Exit(1 if any(not one.advice for one in found) else 0)


def _read(file: Path) -> "File":
    from components.agency.project import File

    try:
        return File(str(file), file.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise OperationError(f"{file} can't be read ({why}): name a file that you may read") from None
