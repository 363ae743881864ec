"""`vds agency`."""
