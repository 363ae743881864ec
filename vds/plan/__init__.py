"""`vds plan`: what an update would do with the state that a stack has."""
