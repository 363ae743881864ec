"""Every fault, in the order in which they are made."""

from lab.chaos import cluster, nodes, operator
from lab.chaos.runner import Fault

FAULTS: tuple[Fault, ...] = (*operator.FAULTS, *nodes.FAULTS, *cluster.FAULTS)
"""The first one makes the cluster from bare machines, so its tokens are new for the node that joins later."""
