"""`vds inspect`: what a debugging session would type by hand on a node."""
