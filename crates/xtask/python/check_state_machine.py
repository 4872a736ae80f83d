"""Parses every JSONata expression of state machine definitions, and holds the
constant arguments of service integrations against AWS's service models.

Usage: check_state_machine.py FILE...

Neither the emulator nor cfn-lint reads either: what is misspelt would only be
found when a workflow runs it.
"""

import json
import sys

import botocore.session
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


def is_expression(value):
    return isinstance(value, str) and value.startswith("{%")


def argument_faults(value, shape, place):
    """Yields what of a value does not fit its shape. What an expression gives is
    not known here."""
    python_types = {
        "structure": dict,
        "map": dict,
        "list": list,
        "string": str,
        "boolean": bool,
        "integer": int,
        "long": int,
    }
    if is_expression(value):
        return
    expected = python_types.get(shape.type_name)
    if expected is None:
        yield f"{place}: a state machine has no constant of the type {shape.type_name}"
    elif not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
        yield f"{place}: {json.dumps(value)} is not of the type {shape.type_name}"
    elif shape.type_name == "structure":
        for name in shape.required_members:
            if name not in value:
                yield f"{place}: {name} is missing"
        for name, inner in value.items():
            if name in shape.members:
                yield from argument_faults(inner, shape.members[name], f"{place}.{name}")
            else:
                yield f"{place}: AWS knows no {name}"
    elif shape.type_name == "map":
        for name, inner in value.items():
            yield from argument_faults(inner, shape.value, f"{place}.{name}")
    elif shape.type_name == "list":
        for index, inner in enumerate(value):
            yield from argument_faults(inner, shape.member, f"{place}[{index}]")


def integration_faults(value, place, models):
    """Yields what is wrong with the arguments of the integrations below `value`."""
    if isinstance(value, list):
        for index, inner in enumerate(value):
            yield from integration_faults(inner, f"{place}[{index}]", models)
    if not isinstance(value, dict):
        return
    resource = value.get("Resource")
    if isinstance(resource, str) and ":states:::" in resource:
        service, action = resource.split(":states:::")[1].split(":")
        operation = action[0].upper() + action[1:]
        model = models.get_service_model(service)
        if operation in model.operation_names:
            shape = model.operation_model(operation).input_shape
            yield from argument_faults(value.get("Arguments", {}), shape, f"{place}.Arguments")
        else:
            yield f"{place}: {service} has no {operation}"
    for name, inner in value.items():
        yield from integration_faults(inner, f"{place}.{name}" if place else name, models)


def check(path):
    """Returns the number of expressions, and what is wrong in the definition."""
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
    models = botocore.session.get_session()
    faults += [f"{path}: {fault}" for fault in integration_faults(definition, "", models)]
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
