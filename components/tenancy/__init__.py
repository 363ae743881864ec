"""Tenants: namespace bundle, routes, isolation."""
