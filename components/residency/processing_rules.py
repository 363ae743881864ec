"""Rules for the stack file's `processing`."""

from collections.abc import Iterable

from components.core.duplicates import duplicates
from components.core.finding import Finding
from components.residency.processing import Processing
from components.tenancy.model import TenantSpec


def processing_problems(processing: Processing, tenants: Iterable[TenantSpec]) -> list[Finding]:
    """Controllers for unknown tenants, and two controllers for one tenant."""
    names = {tenant.name for tenant in tenants}
    given = [controller.tenant for controller in processing.controllers]
    known = ", ".join(sorted(names)) or "none"
    return [
        *(
            Finding(
                "processing-controller", f"controller of {name}", "there is no such tenant", f"write one of: {known}"
            )
            for name in given
            if name not in names
        ),
        *(
            Finding(
                "processing-controller",
                f"controller of {name}",
                "occurs twice",
                "write joint controllers to `jointControllers`",
            )
            for name in duplicates(given)
        ),
    ]
