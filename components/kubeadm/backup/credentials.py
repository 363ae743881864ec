"""Secrets of a backup, in `vds-platform:`. No model holds them; their form is checked, and they are never shown."""

import re
from collections.abc import Mapping

from components.core.finding import Finding
from components.core.names import PROJECT

ACCESS_KEY = "backupAccessKey"
"""The access key of the bucket, `ID:SECRET`. Every update needs it."""
IDENTITY = "backupIdentity"
"""The secret key of age that decrypts snapshots. Only a check and a restore need it; no node keeps it."""
READER_KEY = "backupReaderKey"
"""An access key that may read, `ID:SECRET`, for a check and a restore, where `backupAccessKey` may only write."""

_ACCESS = re.compile(r"[A-Za-z0-9._-]{3,128}:[A-Za-z0-9/+=._-]{8,256}")
_FORMS: Mapping[str, tuple[re.Pattern[str], str]] = {
    ACCESS_KEY: (_ACCESS, "ID:SECRET, as the owner of the bucket gives them"),
    READER_KEY: (_ACCESS, "ID:SECRET, as the owner of the bucket gives them"),
    IDENTITY: (re.compile(r"AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}"), "AGE-SECRET-KEY-1…"),
}


def backup_secret_problems(given: Mapping[str, str]) -> list[Finding]:
    """What is wrong with the given secrets. No message has their values."""
    return [
        Finding("cluster-secrets", f"{PROJECT}:{name}", "has the wrong form", f"set {form}")
        for name, (pattern, form) in _FORMS.items()
        if name in given and not pattern.fullmatch(given[name].strip())
    ]
