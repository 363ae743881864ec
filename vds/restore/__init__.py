"""`vds restore`: makes a lost control plane again from a snapshot."""
