"""A cluster made by kubeadm on the stack's nodes, or one that exists."""
