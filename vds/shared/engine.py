"""What the commands share that the engine runs: their document, what they report, and waiting."""

import sys
from collections.abc import Callable
from typing import TypeVar

from pydantic import ValidationError

from components.core.engine_document import EngineDocument
from vds.shared.clock import Clock
from vds.shared.errors import OperationError

_PAUSE_SECONDS = 2

Document = TypeVar("Document", bound=EngineDocument)


def read_document(model: type[Document]) -> Document:
    """The document on standard input. Raises OperationError; the error repeats no part of the document."""
    if sys.stdin.isatty():
        raise OperationError("pulumi runs this command, with a JSON document on standard input; see --help")
    try:
        return model.model_validate_json(sys.stdin.read())
    except ValidationError as error:
        fields = ", ".join(sorted({".".join(map(str, detail["loc"])) or "JSON" for detail in error.errors()}))
        raise OperationError(
            f"standard input is not the document that pulumi writes (wrong: {fields}); see --help"
        ) from None


def report(text: str) -> None:
    """Shown by the engine as it comes."""
    print(text, file=sys.stderr, flush=True)


def wait(asked: Callable[[], str], clock: Clock, *, seconds: float, report: Callable[[str], None]) -> str:
    """Ask until there is no reason to wait any more. The last reason after this time, empty if there is none."""
    end, said = clock.now() + seconds, ""
    while reason := asked():
        if reason != said:
            report(f"{reason}: waiting")
            said = reason
        if clock.now() >= end:
            break
        clock.sleep(_PAUSE_SECONDS)
    return reason
