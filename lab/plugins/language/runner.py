"""Runs one program, policy pack or component package in the user's Python.

It is started as a file and imports nothing of the lab.

The request is JSON on standard input, and not in arguments or the environment, because it contains the stack's
decrypted secrets, and other processes can read those.
"""

import ctypes
import json
import os
import signal
import sys
from typing import Any

# The official language host's exit code for "the error was already shown".
ALREADY_REPORTED = 32
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> None:
    _end_quietly_with_parent()
    # The program's own modules must come before this file's folder.
    if sys.path and os.path.realpath(sys.path[0]) == os.path.dirname(os.path.realpath(__file__)):  # noqa: PTH120
        del sys.path[0]
    request = json.load(sys.stdin)
    if request["kind"] == "analyzer":
        _run_policy_pack(request)
    elif request["kind"] == "resource":
        _run_component_package(request)
    else:
        _run_program(request)


def _end_quietly_with_parent() -> None:
    """Neither an interrupt nor the death of the language host leaves a traceback or a process behind."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda signum, _: os._exit(128 + signum))
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit(1)


def _run_policy_pack(request: dict[str, Any]) -> None:
    import runpy

    sys.argv = ["pulumi.policy", *request["args"], request["program"]]
    runpy.run_module("pulumi.policy", run_name="__main__", alter_sys=True)


def _run_component_package(request: dict[str, Any]) -> None:
    import runpy

    sys.argv = [request["program"], *request["args"]]
    runpy.run_path(request["program"], run_name="__main__")


def _run_program(request: dict[str, Any]) -> None:
    import asyncio
    import logging
    import runpy

    import pulumi
    import pulumi.runtime

    # When a program fails, the SDK leaves tasks unfinished, and asyncio's warnings would hide the error.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    pulumi.runtime.set_all_config(request["config"], request["secretKeys"])
    pulumi.runtime.configure(pulumi.runtime.Settings(**request["settings"]))
    os.chdir(request["pwd"])
    program = request["program"]
    sys.argv = [program, *request["args"]]

    def run() -> None:
        runpy.run_path(program, run_name="__main__")

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    failed = True
    try:
        loop.run_until_complete(pulumi.runtime.run_in_stack(run))
        failed = False
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
    except Exception as error:
        pulumi.log.error("Program failed with an unhandled exception:\n" + _users_traceback(error, program))
    sys.stdout.flush()
    sys.stderr.flush()
    # Not sys.exit, because threads of a failed program would keep the process running or print messages.
    os._exit(ALREADY_REPORTED if failed else 0)


def _users_traceback(error: BaseException, program: str) -> str:
    """The traceback from the program's first frame on; all of it when the program has none."""
    import traceback

    folder = os.path.abspath(program)  # noqa: PTH100
    trace = error.__traceback__
    while trace is not None and not trace.tb_frame.f_code.co_filename.startswith(folder):
        trace = trace.tb_next
    return "".join(traceback.format_exception(type(error), error, trace or error.__traceback__))


if __name__ == "__main__":
    main()
