"""What stops a command, in an operator's words."""


class OperationError(Exception):
    """A command cannot do its work: wrong use, unreadable input, no connection. The text says what to do. Exit 2."""
