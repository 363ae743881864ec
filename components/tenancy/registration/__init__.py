"""Tenants that the platform team registers, each in a stack of its own; agencies deploy with their own stacks."""
