"""What a change would do to a stack, as one comment for whoever reviews it.

`touched`, `events`, `residency`, `cause`, `difference`, `sections` and `render` are pure; `runner` asks git and the
engine, `poster` a forge, `cli` a person.
"""
