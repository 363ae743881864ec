"""The stack file's `cluster.backup`: snapshots of etcd in a bucket."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, WithJsonSchema

from components.core.model import Spec
from components.core.types import DnsName, Port, RefusedError

_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
"""The alphabet of Bech32 (BIP 173), in the order of its values."""
_RECIPIENT = re.compile(rf"age1[{_BECH32}]{{58}}")


def _checksum(value: str) -> int:
    """BIP 173's checksum of a recipient; 1 where it is right."""
    human, _, data = value.rpartition("1")
    values = [ord(one) >> 5 for one in human] + [0] + [ord(one) & 31 for one in human]
    checksum = 1
    for number in [*values, *(_BECH32.index(one) for one in data)]:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ number
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            checksum ^= generator if top >> bit & 1 else 0
    return checksum


def _recipient(value: str) -> str:
    if "SECRET-KEY" in value.upper():
        raise RefusedError("is a secret key (not repeated)", "make a new one, and write its public key, age1…")
    if not _RECIPIENT.fullmatch(value):
        raise RefusedError("is no recipient of age", "write the public key that age-keygen prints, age1…")
    if _checksum(value) != 1:
        raise RefusedError("is damaged: its checksum is wrong", "copy the public key again, as a whole")
    return value


Recipient = Annotated[
    str, AfterValidator(_recipient), WithJsonSchema({"type": "string", "pattern": f"^{_RECIPIENT.pattern}$"})
]
"""A public key of age (X25519, in Bech32)."""


class BackupSpec(Spec):
    """Snapshots of etcd, encrypted on the control plane and kept in an S3 bucket.

    The update needs the secret `vds-platform:backupAccessKey`. A check and a restore need `vds-platform:backupIdentity`
    too, which no node keeps.
    """

    host: DnsName
    """The server that has the bucket, by HTTPS. `residency.places` must have it, with the purpose backup."""
    port: Port = 443
    """Its TCP port."""
    bucket: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")
    """The bucket's name. The snapshots of an environment are below its name there."""
    region: str = Field(pattern=r"^[a-z0-9-]{1,40}$")
    """The region that requests are signed for, as the owner of the bucket says."""
    recipient: Recipient
    """The public key that snapshots are encrypted with: age1…, as `age-keygen` prints it."""
    every_minutes: int = Field(default=60, ge=5, le=1440)
    """Minutes between two snapshots: the most that is lost with all control planes."""
    keep: int | None = Field(default=None, ge=2, le=900)
    """How many snapshots stay; older ones are deleted after each upload. Left out: none is deleted by the platform, so
    the access key needs only the right to write, and the bucket's own lifecycle deletes."""

    @property
    def endpoint(self) -> str:
        """The server's URL."""
        return f"https://{self.host}" + (f":{self.port}" if self.port != 443 else "")
