"""Which pods reach which, by the network policies of four projects."""
