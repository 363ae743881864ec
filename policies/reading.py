"""Each resource is read once for all policies of a run.

pulumi_policy makes the mapping of a resource anew for every policy, and this takes most of the pack's time. The pack's
policies change nothing in what they get, so one mapping is enough. The price: three names in a module of the SDK are
replaced, and an SDK that reads resources in another way is slower until this is changed.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from pulumi_policy import policy as sdk

_MOST = 20_000
"""Resources that are kept; more are read again."""


class Once:
    """A function that is called once for each object; the object is kept too, so that its identity stays its own."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._kept: dict[int, tuple[Any, Any]] = {}

    def __call__(self, given: Any, *options: Any) -> Any:
        if options:
            return self._function(given, *options)
        if id(given) not in self._kept:
            if len(self._kept) >= _MOST:
                self._kept.clear()
            self._kept[id(given)] = (given, self._function(given))
        return self._kept[id(given)][1]

    def forget(self) -> None:
        """Keep nothing any more."""
        self._kept.clear()


_KEPT: list[Once] = []


def read_once() -> None:
    """Let the SDK read each resource once."""
    names = vars(sdk)
    message = Once(names["json_format"].MessageToDict)
    names["json_format"] = SimpleNamespace(MessageToDict=message)
    _KEPT.append(message)
    for name in ("deserialize_properties", "unknown_checking_proxy"):
        names[name] = Once(names[name])
        _KEPT.append(names[name])


def forget() -> None:
    """Another stack is judged from now on."""
    for one in _KEPT:
        one.forget()
