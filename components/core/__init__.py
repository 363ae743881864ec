"""What every domain builds on: findings, types of a stack file, names, labels, manifests."""
