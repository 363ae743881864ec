"""Errors that a user can do something about."""


class OperationError(Exception):
    """A command could not be done: wrong use, unreadable input, no connection. The text says what to do."""

    exit_code = 2

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class IncompleteError(OperationError):
    """A command ran and did not finish its work. A second run continues from there."""

    exit_code = 1
