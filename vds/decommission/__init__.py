"""`vds decommission` and `vds recommission`: what the engine runs when a node leaves or comes."""
