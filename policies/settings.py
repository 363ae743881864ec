"""What whoever answers for the pack can set: the schemas of the policies' configuration."""

from typing import Any

from pulumi_policy import PolicyConfigSchema

ALLOWED_COUNTRIES = ("NO",)
"""Where nothing else is configured. Which countries are lawful is for whoever answers for the pack to say, not
for the program that it judges."""

_COUNTRIES: dict[str, Any] = {
    "type": "array",
    "items": {"type": "string"},
    "default": list(ALLOWED_COUNTRIES),
    "description": "Countries (ISO 3166-1 alpha-2) in which bytes may lie and under whose law their holders may be.",
}
_PLATFORM: dict[str, Any] = {
    "type": "array",
    "items": {"type": "string"},
    "default": [],
    "description": "Namespaces of the platform beside the well-known ones; every other one is a tenant's.",
}

COUNTRIES = PolicyConfigSchema({"allowedCountries": _COUNTRIES})
NAMESPACES = PolicyConfigSchema({"platformNamespaces": _PLATFORM})
MACHINES = PolicyConfigSchema(
    {
        "allowedCountries": _COUNTRIES,
        "places": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "default": {},
            "description": "Networks (CIDR) whose country the auditor knows; it counts more than what a program says.",
        },
    }
)
UNDERLAY = PolicyConfigSchema(
    {
        "underlayMtu": {
            "type": "integer",
            "minimum": 1280,
            "description": "What the nodes' links carry; else what a component declares, else 1500.",
        }
    }
)
TAKEN = PolicyConfigSchema(
    {
        "nodes": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "default": {},
            "description": "Addresses that no pool may hold, by name, beside those that the program reaches.",
        },
        "nodeCidr": {"type": "string", "description": "The nodes' network: its two ends are in no pool."},
        "gateways": {
            "type": "array",
            "items": {"type": "string"},
            "default": [],
            "description": "Routers' addresses that no pool may hold.",
        },
    }
)

PLACES: dict[str, Any] = {
    "allowedCountries": _COUNTRIES,
    "places": {
        "type": "array",
        "items": {"type": "object"},
        "default": [],
        "description": "Declared places, each as in a stack file's residency.places (name, hosts, networks, country, "
        "entity, entityCountry, purposes); they count more than the program's own.",
    },
}
EXCEPTIONS: dict[str, Any] = {
    "exceptions": {
        "type": "array",
        "items": {"type": "object"},
        "default": [],
        "description": "Dated exceptions, each as in residency.exceptions (name, place, until, reason).",
    },
    "today": {"type": "string", "description": "ISO date that exceptions are held against; else the clock's."},
}
RECORD: dict[str, Any] = {
    "chartImages": {
        "type": "object",
        "additionalProperties": {"type": "array", "items": {"type": "string"}},
        "default": {},
        "description": "By chart: the registries of images that its own default values name; an empty list: the "
        "values that a program writes name every image.",
    }
}
STATE: dict[str, Any] = {
    "stateBackend": {
        "type": "string",
        "description": "URL of the state backend: judged beside PULUMI_BACKEND_URL and what the program's component "
        "says.",
    },
    "secretsProvider": {"type": "string", "description": "URL of the secrets provider, where it is not a passphrase."},
}

CEILING = PolicyConfigSchema(
    {
        "ceilingPercent": {
            "type": "integer",
            "minimum": 1,
            "maximum": 100,
            "description": "The most a canary may get; else a component's `canaryCeilingPercent`, else 50.",
        }
    }
)
IMAGES = PolicyConfigSchema(
    {
        "platformNamespaces": _PLATFORM,
        "registries": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Registries whose tags are trusted; else the program's image-registry places.",
        },
    }
)
PROTECTED_TYPES = ("kubernetes:core/v1:PersistentVolume", "kubernetes:core/v1:PersistentVolumeClaim")
PROTECTED = PolicyConfigSchema(
    {
        "resources": {
            "type": "array",
            "items": {"type": "string"},
            "default": list(PROTECTED_TYPES),
            "description": "Types, or type::name, of what must be protected; * stands for anything.",
        }
    }
)
POD_SECURITY = PolicyConfigSchema(
    {
        "platformNamespaces": _PLATFORM,
        "exceptions": {
            "type": "object",
            "additionalProperties": {"type": "object"},
            "default": {},
            "description": "By namespace: `until` (a date) and `reason` of a level other than restricted.",
        },
    }
)
