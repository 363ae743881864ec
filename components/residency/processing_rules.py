"""Rules for the stack file's `processing`."""

from collections.abc import Iterable, Iterator

from components.core.duplicates import duplicates
from components.core.finding import Finding
from components.residency.processing import Processing
from components.tenancy.model import TenantSpec


def processing_problems(processing: Processing, tenants: Iterable[TenantSpec]) -> Iterator[Finding]:
    """Controllers for unknown tenants, and two controllers for one tenant."""
    names = {tenant.name for tenant in tenants}
    given = [controller.tenant for controller in processing.controllers]
    known = ", ".join(sorted(names)) or "none"
    for name in given:
        if name not in names:
            yield Finding(
                "processing-controller", f"controller of {name}", "there is no such tenant", f"write one of: {known}"
            )
    for name in duplicates(given):
        yield Finding(
            "processing-controller",
            f"controller of {name}",
            "occurs twice",
            "write joint controllers to `jointControllers`",
        )
