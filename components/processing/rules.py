"""What can be wrong with who answers for the data."""

from collections.abc import Iterable

from components.base import Violation, repeated
from components.processing.model import Processing
from components.tenancy.model import TenantSpec


def processing_problems(processing: Processing, tenants: Iterable[TenantSpec]) -> list[Violation]:
    """Controllers of tenants that the stack doesn't have, or two for one tenant."""
    names = {tenant.name for tenant in tenants}
    given = [controller.tenant for controller in processing.controllers]
    known = ", ".join(sorted(names)) or "none"
    return [
        *(
            Violation(
                "processing-controller", f"controller of {name}", f"there is no such tenant, write one of: {known}"
            )
            for name in given
            if name not in names
        ),
        *(
            Violation(
                "processing-controller", f"controller of {name}", "is there twice: joint ones are `jointControllers`"
            )
            for name in repeated(given)
        ),
    ]
