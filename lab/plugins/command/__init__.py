"""Stand-in for pulumi-resource-command: local commands, commands over SSH, and copies over SSH."""
