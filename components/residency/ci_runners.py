"""Labels of the CI runners that get a stack's secrets, read from the project's workflows.

A workflow of GitHub or Forgejo names the label of a runner, and nothing says where that runner is. The residency record
says it: a place with the label among its hosts and the purpose `ci`. Definitions in another project are not read.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from components.core.untrusted import YamlError, yaml_value
from components.residency.model import Runner

_FOLDERS = (".github/workflows", ".forgejo/workflows")
_SAY_NO_PLACE = ("self-hosted", "linux", "x64", "arm64")
"""Labels that every runner of one's own has."""


def ci_runners(project: Path, stack: str) -> tuple[Runner, ...]:
    """A row for each label of each job with a variable STACK that is, or may be, this stack."""
    files = sorted(file for folder in _FOLDERS for file in (project / folder).glob("*.y*ml"))
    return tuple(row for file in files for row in _of_file(file, file.relative_to(project).as_posix(), stack))


def _of_file(file: Path, name: str, stack: str) -> Iterator[Runner]:
    try:
        jobs = yaml_value(file.read_text(encoding="utf-8"))["jobs"]
        for job, body in jobs.items():
            if _is_for(stack, body):
                for label in _labels(body.get("runs-on")):
                    # A label that is an expression, or none at all, is not known.
                    yield Runner("" if "${{" in label else label.lower(), f"{name}, job {job}")
    except (OSError, UnicodeError, YamlError, AttributeError, KeyError, TypeError):
        yield Runner("", f"{name}, which can't be read as a workflow")


def _is_for(stack: str, job: Mapping[str, Any]) -> bool:
    named = (job.get("env") or {}).get("STACK")
    if named is None or "${{" not in str(named):
        return named == stack
    stacks = ((job.get("strategy") or {}).get("matrix") or {}).get("stack")
    return not isinstance(stacks, list) or stack in stacks


def _labels(runs_on: Any) -> list[str]:
    if isinstance(runs_on, Mapping):
        return [*_labels(runs_on.get("group")), *_labels(runs_on.get("labels") or [])]
    labels = [str(label) for label in (runs_on if isinstance(runs_on, list) else [runs_on or ""])]
    return [label for label in labels if label.lower() not in _SAY_NO_PLACE] or labels[:1]
