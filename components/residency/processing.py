"""What only people can say of the processing: who answers for it, why, and of whose data. All of it may be left out.

`vds evidence` writes it into the record of processing and says of the rest that it is not declared. The
letters are those of Article 30 of Regulation (EU) 2016/679.
"""

from typing import Literal

from pydantic import Field

from components.core.model import Spec
from components.core.types import CountryCode, DnsLabel


class Party(Spec):
    """A company, an agency or a person, and how to reach it."""

    name: str = Field(min_length=1)
    contact: str = Field(min_length=1)
    """An address that somebody reads."""
    country: CountryCode | None = None


class Purpose(Spec):
    """What is processed and why: Article 30(1)(b), (c) and (f)."""

    purposes: tuple[str, ...] = ()
    data_subjects: tuple[str, ...] = ()
    """Categories of people, as in `applicants`."""
    data_categories: tuple[str, ...] = ()
    """Categories of personal data, as in `income`."""
    recipients: tuple[str, ...] = ()
    """Categories of those who get to see it: (d)."""
    erasure: str | None = None
    """When it is deleted: (f)."""


class Controller(Purpose):
    """On whose behalf a tenant's data is processed."""

    tenant: DnsLabel
    controller: Party


class Processing(Purpose):
    """The stack file's `processing`."""

    role: Literal["controller", "processor"] | None = None
    """What the platform's operator is to this data. Article 30(1) or 30(2)."""
    operator: Party | None = None
    """Who runs the platform."""
    joint_controllers: tuple[Party, ...] = ()
    representative: Party | None = None
    """In the Union, where the operator is not."""
    data_protection_officer: Party | None = None
    controllers: tuple[Controller, ...] = ()
    """By tenant."""
    safeguards: tuple[str, ...] = ()
    """Documented for transfers to a third country: (e)."""
    measures: tuple[str, ...] = ()
    """Technical and organisational measures, Article 32(1), beside the policies that were judged: (g)."""
