"""Posts the comment on a pull request: the only command that has a forge's token."""
