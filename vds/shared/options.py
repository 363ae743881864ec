"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer


def stack_names(folder: Path | None = None) -> list[str]:
    """The stacks that have a stack file in this folder."""
    return sorted(file.name.split(".")[1] for file in (folder or Path.cwd()).glob("Pulumi.*.yaml"))


StackName = Annotated[
    str,
    typer.Option(
        "--stack", "-s", help="Name of the stack, as in `pulumi stack ls`.", autocompletion=lambda: stack_names()
    ),
]
ConfigFile = Annotated[Path | None, typer.Option(help="Read this file instead of Pulumi.STACK.yaml.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
PackConfig = Annotated[
    Path | None, typer.Option("--policy-pack-config", help="Configuration of the policies, the JSON of `pulumi up`.")
]
