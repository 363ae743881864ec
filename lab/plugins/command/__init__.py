"""Stand-in for pulumi-resource-command: commands here and over SSH, and copies over SSH."""
