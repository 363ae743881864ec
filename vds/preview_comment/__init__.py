"""What a change would do to the stacks, in one comment for its reviewers.

`runner` runs the engine, `change` asks git, `releases` renders charts, and `command` connects them. Others are pure:
`events` reads and masks what the engine says, `residency`, `cause` and `difference` judge it, and `render` writes it.
"""
