"""`vds tenant`."""
