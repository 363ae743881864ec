"""The project with the registrations, and what is in it."""

from collections.abc import Sequence
from pathlib import Path

from components.stackfile.parsing import stack_of
from components.stackfile.reader import ReadError, read
from components.stackfile.registration import TENANTS, RegistrationFile, read_registration
from components.stackfile.registration_config import read_folder
from vds.shared.errors import OperationError

PROJECT_FILE = "Pulumi.yaml"
DEFAULT = Path("tenants")


def project_name(folder: Path) -> str:
    """The name of the Pulumi project in a folder; empty if there is none."""
    try:
        root = read((folder / PROJECT_FILE).read_text(encoding="utf-8"), file=PROJECT_FILE)
    except (OSError, ReadError, ValueError):
        return ""
    return str(root.value.get("name", "")) if isinstance(root.value, dict) else ""


def registrations_folder(given: Path | None, option: str = "--folder") -> Path:
    """The folder of the project vds-tenants. Raises OperationError if it is another one; `option` names it."""
    tried = [given] if given else [Path(), DEFAULT]
    for folder in tried:
        if project_name(folder) == TENANTS:
            return folder
    where = str(given) if given else "neither this folder nor tenants/"
    remedy = f"run this in the platform's checkout, or name the folder with {option}"
    raise OperationError(
        f"{where} has the project {TENANTS}: {remedy}" if not given else f"{where}: has no project {TENANTS}: {remedy}"
    )


def file_of(folder: Path, tenant: str) -> Path:
    """The file of a tenant's registration."""
    return folder / f"Pulumi.{tenant}.yaml"


def chosen(folder: Path, tenants: Sequence[str], *, everything: bool) -> list[RegistrationFile]:
    """The registrations of these tenants, or all. Raises OperationError for one without a file, and for none."""
    if everything == bool(tenants):
        raise OperationError("name tenants, or write --all")
    if everything:
        files = read_folder(folder)
        if not files:
            raise OperationError(f"{folder} has no registration: run `vds tenant new`")
        return files
    missing = [name for name in tenants if not file_of(folder, name).is_file()]
    if missing:
        raise OperationError(
            *(f"{file_of(folder, name)}: there is no such file: run `vds tenant new`" for name in missing)
        )
    return [read_registration(file_of(folder, name)) for name in dict.fromkeys(tenants)]


def tenant_of(file: RegistrationFile) -> str:
    """The tenant, and stack, that a file is of by its name."""
    return stack_of(file.name) or file.name
