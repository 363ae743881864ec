"""`vds announced`: waits until a node announces the gateway's address."""
