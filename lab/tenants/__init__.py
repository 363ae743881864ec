"""The lab's tenants: two that the platform team registers, and what the agency of one of them deploys."""
