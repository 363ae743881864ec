"""A value that is not known yet, where a resource is read without the engine, and Pulumi's marks of special values."""


class Unknown:
    """In place of a value that is not known yet."""


UNKNOWN = Unknown()


SIGNATURE = "4dabf18193072939515e22adb298388d"
"""Key of an object that is a special value: a secret, an asset, an archive."""
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105  a mark, and public
"""Value of that key for a secret."""
