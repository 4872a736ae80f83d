"""Parses every JSONata expression of state machine definitions.

Usage: check_state_machine.py FILE...

Neither the emulator nor cfn-lint reads the expressions: a misspelt one would
only be found when a workflow runs it.
"""

import json
import sys

import jsonata


def strings(value, place):
    """Yields every string below `value` with the path that leads to it."""
    if isinstance(value, dict):
        for key, child in value.items():
            yield from strings(child, f"{place}.{key}" if place else key)
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from strings(child, f"{place}[{index}]")
    elif isinstance(value, str):
        yield place, value


def fault(text):
    """What is wrong with a string of a definition, or None."""
    inner = text.strip()
    if not inner.startswith("{%"):
        return "`%}` without `{%` at the start" if "%}" in inner else None
    if inner != text:
        return "space outside `{% %}`"
    if not inner.endswith("%}"):
        return "`{%` without `%}` at the end"
    try:
        jsonata.Jsonata(inner[2:-2].strip())
    except Exception as error:  # the parser raises several kinds
        return str(error)
    return None


def check(path):
    """Returns the number of expressions, and what is wrong with them."""
    try:
        with open(path, encoding="utf-8") as file:
            definition = json.load(file)
    except ValueError as error:
        return 0, [f"{path}: {error}"]
    count, faults = 0, []
    for place, text in strings(definition, ""):
        count += "{%" in text
        message = fault(text)
        if message:
            faults.append(f"{path}: {place}: {message}\n    {text}")
    return count, faults


def main():
    failed = False
    for path in sys.argv[1:]:
        count, faults = check(path)
        for message in faults:
            print(message, file=sys.stderr)
        failed |= bool(faults)
        print(f"{path}: {count} expressions")
    sys.exit(failed)


if __name__ == "__main__":
    main()
