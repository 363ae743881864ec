"""From a stack file's text to a spec: every mistake in it at once."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pulumi
from pydantic import ValidationError, create_model

from components.core.finding import Finding
from components.core.messages import in_full, violations
from components.core.model import Spec
from components.stackfile.referenced_files import with_bundle_version, with_host_keys
from components.stackfile.rules import LISTS, platform_problems
from components.stackfile.spec import PlatformSpec


class SpecError(pulumi.RunError):
    """A stack file with problems, all of them, one a line. The engine shows the text and stops: nothing changed."""

    def __init__(self, problems: Sequence[Finding]) -> None:
        self.problems = tuple(problems)
        count, lines = in_full(problems)
        super().__init__(f"the stack file has {count}; nothing was changed:{lines}")


def parse(data: Mapping[str, Any], *, base_dir: Path) -> PlatformSpec:
    """A stack file's `vds-platform:spec` as a spec. Raises SpecError with every problem in it.

    Files that it names are relative to `base_dir`.
    """
    try:
        spec, sound = PlatformSpec.model_validate(data), set(PlatformSpec.model_fields)
        problems = []
    except ValidationError as error:
        spec, sound = _sound_parts(data, error)
        problems = violations(error, data)
    sound |= {f"some {name}" for name in LISTS & sound}
    if {"ssh", "some nodes"} <= sound:
        spec, unreadable = with_host_keys(spec, base_dir)
        problems += unreadable
    if "gateway" in sound:
        spec, unread = with_bundle_version(spec, base_dir)
        problems += unread
    problems += platform_problems(spec, sound)
    if problems:
        raise SpecError(problems)
    return spec


def _sound_parts(data: Any, error: ValidationError) -> tuple[PlatformSpec, set[str]]:
    """Only those parts of a broken spec that are right by themselves, and their names: one typo hides no problem.

    A list with broken items is there without them, as `some nodes`.
    """
    construct: Callable[..., PlatformSpec] = PlatformSpec.model_construct  # its checked signature wants every part
    if not isinstance(data, Mapping):
        return construct(), set()
    places = [detail["loc"] for detail in error.errors() if detail["loc"]]
    broken = {place[0] for place in places}
    given = {alias: value for alias, value in data.items() if isinstance(alias, str) and alias not in broken}
    for name in LISTS & broken:
        wrong = {place[1] if len(place) > 1 else None for place in places if place[0] == name}
        kept = [item for index, item in enumerate(data[name]) if index not in wrong] if None not in wrong else []
        if kept:
            given[name] = kept
    sound: Any = {
        name: (field.annotation, field)
        for name, field in PlatformSpec.model_fields.items()
        if field.alias not in broken or field.alias in given
    }
    parts = create_model("SoundParts", __base__=Spec, **sound).model_validate(given)
    return construct(**{name: getattr(parts, name) for name in sound}), {
        f"some {name}" if name in broken else name for name in sound
    }
