"""Security settings of a cluster that kubeadm makes."""
