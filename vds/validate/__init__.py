"""`vds validate`: everything that a stack file itself shows."""
