"""A value that is not known yet, where a resource is read without the engine."""


class Unknown:
    """In place of a value that is not known yet."""


UNKNOWN = Unknown()
