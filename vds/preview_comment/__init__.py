"""What a change would do to the stacks, in one comment for its reviewers.

`touched`, `events`, `residency`, `cause`, `difference`, `sections` and `render` are pure; `runner` asks git and the
engine, `poster` a forge, `cli` a person.
"""
