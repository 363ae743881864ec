"""`vds metallb`."""
