"""Looks at nodes and into pods: what a debugging session would type by hand, with node, pod and interface picked."""
