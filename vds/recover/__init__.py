"""`vds recover`: a stack after an update that was killed."""
