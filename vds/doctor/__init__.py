"""`vds doctor`: how nodes and gateway are, against the stack file."""
