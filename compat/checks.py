"""How a suite of checks says what it found: one JSON object a line, the versions of its packages first."""

import importlib.metadata
import json
import platform
import traceback

CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def expect(got, wanted):
    assert got == wanted, f"expected {wanted!r}, got {got!r}"


def say_all(packages, is_meant=lambda name: True):
    versions = {name: importlib.metadata.version(name) for name in packages}
    print(json.dumps({"versions": {"python": platform.python_version(), **versions}}), flush=True)
    for function in CHECKS:
        if not is_meant(function.__name__):
            continue
        said = {"check": function.__name__.replace("_", " ")}
        try:
            function()
            said["ok"] = True
        except Exception as error:
            said.update(ok=False, error=f"{type(error).__name__}: {error}", trace=traceback.format_exc())
        print(json.dumps(said), flush=True)
