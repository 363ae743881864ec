"""`vds canary`: takes a canary from its first step to its last one, or back."""
