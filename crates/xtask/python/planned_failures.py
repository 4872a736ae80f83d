"""Failures of states that a test plans for one execution.

A test names them behind the ARN of the state machine that it starts, where
AWS Step Functions Local takes the name of a test case:

    arn:aws:states:...:stateMachine:NAME#State=Error*2,AnotherState=Error*1

The first two attempts of `State` fail with `Error` before anything is called,
and the third one is real. Such an execution does not wait: neither between two
attempts nor in a Wait state.
"""

import threading

from ministack.services import stepfunctions

CAUSE = "a failure that the test planned"


def errors(plan):
    """For each state of a plan the errors of its first attempts."""
    found = {}
    for entry in filter(None, plan.split(",")):
        state, failure = entry.split("=")
        error, count = failure.split("*")
        found.setdefault(state, []).extend([error] * int(count))
    return found


def error_of(plan, state, attempt):
    """The error of an attempt, counted from 0, or None when it is real."""
    planned = errors(plan).get(state, [])
    return planned[attempt] if attempt < len(planned) else None


def install():
    """Makes MiniStack's own interpreter fail as planned, and not wait then."""
    running = threading.local()
    execute, sleep = stepfunctions._execute_task, stepfunctions._scaled_sleep
    invoke = stepfunctions._invoke_resource_with_timeout

    def execute_task(state, data, execution, context):
        running.plan, running.state = execution.get("testCase", ""), context["State"]
        return execute(state, data, execution, context)

    def invoke_resource(resource, data, timeout):
        state = running.state
        error = error_of(running.plan, state["Name"], state["RetryCount"])
        if error:
            raise stepfunctions._ExecutionError(error, CAUSE)
        return invoke(resource, data, timeout)

    def wait(seconds):
        if not getattr(running, "plan", ""):
            sleep(seconds)

    stepfunctions._execute_task = execute_task
    stepfunctions._invoke_resource_with_timeout = invoke_resource
    stepfunctions._scaled_sleep = wait
