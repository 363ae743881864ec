"""An existing cluster, asked before the first change whether it is as the stack file says."""
