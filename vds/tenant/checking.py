"""What is wrong with registrations and agencies' projects, without a cluster."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from components.agency.project import File, check
from components.core.finding import Finding
from components.stackfile.parsing import check_file, read_text, stack_of
from components.stackfile.registration import RULE, Published, claims, problems_of
from components.stackfile.registration_config import read_folder
from vds.shared.errors import OperationError
from vds.tenant.folder import PROJECT_FILE, chosen

_CONTRACT = "contract.yaml"


def check_agency(folder: Path, stacks: Sequence[str]) -> tuple[int, list[Finding]]:
    """The number of stacks, and what is wrong with the project. Raises OperationError for a file that can't be read."""
    names = stacks or [stack_of(str(file)) or "" for file in sorted(folder.glob("Pulumi.*.yaml"))]
    if not names:
        raise OperationError(f"{folder}: has no stack, as in Pulumi.prod.yaml: run `pulumi stack init`")
    try:
        project, contract = _file(folder / PROJECT_FILE), _file(folder / _CONTRACT)
        found = [one for name in names for one in check(project, _file(folder / f"Pulumi.{name}.yaml"), contract)]
    except OSError as error:
        remedy = "save it with `kubectl get contract contract --output yaml`" if _CONTRACT in str(error) else "name it"
        raise OperationError(f"{error.filename}: can't be read ({error.strerror or error}): {remedy}") from None
    return len(names), list(dict.fromkeys(found))


def _file(path: Path) -> File:
    return File(str(path), read_text(path))


def check_registrations(folder: Path, tenants: Sequence[str], today: date) -> tuple[int, list[Finding]]:
    """The number of registrations, and all findings in the order of the files.

    An environment is known by its stack file, which is in the platform's checkout: in the folder, or the one above.
    A registration whose environment is not known is undecided.
    """
    files, beside = chosen(folder, tenants, everything=not tenants), read_folder(folder)
    known = {name: _published(name, folder) for name in {one.environment for one in files if one.environment}}
    found: list[Finding] = []
    for file in files:
        environment = known.get(file.environment) if file.environment else None
        found += problems_of(file, claims(beside, file.environment), today, environment)
        if file.environment and environment is None:
            said = (
                f"is not checked against environment {file.environment}: Pulumi.{file.environment}.yaml can't be used"
            )
            remedy = "run this in the platform's checkout, or `vds validate` says what is wrong with that file"
            found.append(Finding(RULE, "registration", said, remedy, decided=False, file=file.name, lines=(file.line,)))
    return len(files), found


def _published(environment: str, folder: Path) -> Published | None:
    for place in (folder, folder.resolve().parent):
        file = place / f"Pulumi.{environment}.yaml"
        if not file.is_file():
            continue
        try:
            checked = check_file(read_text(file), str(file), place)
        except OSError:
            return None
        return Published(checked.spec.published, checked.spec.residency) if checked.spec else None
    return None
