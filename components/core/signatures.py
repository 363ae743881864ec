"""Pulumi's marks of special values in JSON (sdk/go/common/resource/sig of Pulumi; they have not changed since 1.0)."""

SIGNATURE = "4dabf18193072939515e22adb298388d"
"""Key of an object that is a special value: a secret, an asset, an archive."""
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105  a mark, and public
"""Value of that key for a secret."""
