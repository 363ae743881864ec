"""What can be wrong with who answers for the data."""

from collections.abc import Iterable

from components.core.duplicates import duplicates
from components.core.finding import Finding
from components.residency.processing import Processing
from components.tenancy.model import TenantSpec


def processing_problems(processing: Processing, tenants: Iterable[TenantSpec]) -> list[Finding]:
    """Controllers of tenants that the stack doesn't have, or two for one tenant."""
    names = {tenant.name for tenant in tenants}
    given = [controller.tenant for controller in processing.controllers]
    known = ", ".join(sorted(names)) or "none"
    return [
        *(
            Finding("processing-controller", f"controller of {name}", f"there is no such tenant, write one of: {known}")
            for name in given
            if name not in names
        ),
        *(
            Finding(
                "processing-controller", f"controller of {name}", "is there twice: joint ones are `jointControllers`"
            )
            for name in duplicates(given)
        ),
    ]
