"""What several commands share: clients for Kubernetes, SSH and Pulumi, errors, tables."""
