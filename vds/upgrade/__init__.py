"""`vds upgrade`: what the engine runs for a node that gets other packages."""
