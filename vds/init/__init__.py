"""`vds init`: a first stack file from a few answers."""
