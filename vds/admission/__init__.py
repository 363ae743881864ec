"""`vds admission`: waits until the API server can ask MetalLB's webhook."""
