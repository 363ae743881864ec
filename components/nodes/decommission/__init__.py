"""What is needed to take a node out of the platform."""
