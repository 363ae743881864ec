"""The stack file's `processing`: who is responsible for personal data, why it is processed, and whose data it is.

Every field is optional. `vds evidence` writes them into the record of processing; missing fields are shown as "not
declared". Letters in parentheses refer to Article 30 of Regulation (EU) 2016/679 (GDPR).
"""

from typing import Literal

from pydantic import Field

from components.core.model import Spec
from components.core.types import CountryCode, DnsLabel


class Party(Spec):
    """A company, an agency or a person, and how to reach it."""

    name: str = Field(min_length=1)
    """The name."""
    contact: str = Field(min_length=1)
    """An e-mail or postal address."""
    country: CountryCode | None = None
    """Where it is established."""


class Purpose(Spec):
    """What is processed, and why: Article 30(1)(b), (c) and (f)."""

    purposes: tuple[str, ...] = ()
    """Why the data is processed: (b)."""
    data_subjects: tuple[str, ...] = ()
    """Categories of data subjects, for example `applicants`."""
    data_categories: tuple[str, ...] = ()
    """Categories of personal data, for example `income`."""
    recipients: tuple[str, ...] = ()
    """Categories of recipients: (d)."""
    erasure: str | None = None
    """Time limit for erasure: (f)."""


class Controller(Purpose):
    """The controller of one tenant's data."""

    tenant: DnsLabel
    """The tenant whose data it is."""
    controller: Party


class Processing(Purpose):
    """The stack file's `processing`."""

    role: Literal["controller", "processor"] | None = None
    """Role of the platform's operator: Article 30(1) for a controller, 30(2) for a processor."""
    operator: Party | None = None
    """Who runs the platform."""
    joint_controllers: tuple[Party, ...] = ()
    representative: Party | None = None
    """Representative in the EU, if the operator is outside."""
    data_protection_officer: Party | None = None
    controllers: tuple[Controller, ...] = ()
    """Controllers of the tenants' data."""
    safeguards: tuple[str, ...] = ()
    """Documented safeguards for transfers to a third country: (e)."""
    measures: tuple[str, ...] = ()
    """Technical and organisational measures under Article 32(1), besides the checked policies: (g)."""
