"""A record that says where the state is kept, and that a company under foreign law keeps it."""

import pulumi

PLACES = [
    {
        "name": "state",
        "hosts": ["localhost"],
        "country": "NO",
        "entity": "Cloud Inc.",
        "entityCountry": "US",
        "purposes": ["state", "dns"],
    }
]


class Record(pulumi.ComponentResource):
    """Somebody's own record of where bytes go."""

    def __init__(self, name: str) -> None:
        super().__init__("agency:index:Record", name, {"places": PLACES})
        self.register_outputs({"places": PLACES})


Record("record")
