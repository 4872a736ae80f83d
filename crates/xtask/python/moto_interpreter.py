"""Runs MiniStack's executions by moto's interpreter of state machines.

A second interpreter over an SDK, and not AWS: each state calls its service
with boto3, signed with the credentials of the state machine's role. So AWS's
service models and the role's policies apply to the workflow's own calls, too.
"""

import datetime
import functools
import json
import logging
import os
import threading
import types
import uuid

import boto3
import jsonata
import planned_failures
from botocore.config import Config
from ministack.services import stepfunctions, sts
from moto.stepfunctions.parser.api import EvaluationFailedEventDetails, HistoryEventType
from moto.stepfunctions.parser.api import TaskFailedEventDetails
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import (
    CustomErrorName,
)
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import (
    StatesErrorName,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import (
    StatesErrorNameType,
)
from moto.stepfunctions.parser.asl.component.common.retry.jitter_strategy_decl import (
    JitterStrategyDecl,
)
from moto.stepfunctions.parser.asl.component.common.string.string_expression import StringJSONata
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_dynamodb,
    state_task_service_sqs,
)
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import (
    WaitFunction,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.evaluation_details import (
    AWSExecutionDetails,
    EvaluationDetails,
    ExecutionDetails,
    StateMachineDetails,
)
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.eval.program_state import ProgramEnded
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str
from moto.stepfunctions.parser.backend.execution_worker import SyncExecutionWorker

# As many calls at once as an inline Map makes.
CONNECTIONS = 50


@functools.cache
def client_of(role_arn, region, service):
    """A client that is signed with a session of a role of MiniStack's."""
    account, role_name = role_arn.split(":")[4], role_arn.rsplit("/", 1)[-1]
    access_key, secret, token = (f"ASIA{uuid.uuid4().hex[:16].upper()}", *2 * [uuid.uuid4().hex])
    sts.register_session(
        access_key,
        {
            "Arn": f"arn:aws:sts::{account}:assumed-role/{role_name}/second-interpreter",
            "UserId": f"{role_name}:second-interpreter",
            "SecretAccessKey": secret,
            "SessionToken": token,
        },
    )
    return boto3.Session(access_key, secret, token, region).client(
        service,
        endpoint_url=os.environ["AWS_ENDPOINT_URL"],
        # The retries are the definition's.
        config=Config(retries={"total_max_attempts": 1}, max_pool_connections=CONNECTIONS),
    )


def boto_client_for(region, service, state_credentials):
    """Takes the place of moto's client, which has neither an endpoint nor a role."""
    return client_of(state_credentials.role_arn, region, service)


def with_nulls(value):
    """A value as jsonata-python takes it: there, None is undefined."""
    if isinstance(value, dict):
        return {name: with_nulls(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [with_nulls(inner) for inner in value]
    return jsonata.utils.Utils.NULL_VALUE if value is None else value


def evaluate(self, env):
    """Takes the place of moto's evaluator, which is not shipped."""
    store = env.variable_store
    variables = {**store._outer_scope, **store._inner_scope, "states": env.states._states_data}
    bindings = with_nulls(variables)
    try:
        value = jsonata.Jsonata(self.expression).evaluate(None, bindings)
        if value is None:
            defined = jsonata.Jsonata(f"$exists({self.expression})")
            if not defined.evaluate(None, bindings):
                raise ValueError("the expression returned nothing")
    except Exception as error:  # the evaluator raises several kinds
        name = StatesErrorName(StatesErrorNameType.StatesQueryEvaluationError)
        details = EvaluationFailedEventDetails(
            error=name.error_name, cause=f"{self.literal_value}: {error}"
        )
        raise FailureEventException(
            FailureEvent(
                env,
                name,
                HistoryEventType.EvaluationFailed,
                EventDetails(evaluationFailedEventDetails=details),
            )
        ) from error
    env.stack.append(value)


class Plan:
    """The failures of one execution, and a clock that only its waits move."""

    def __init__(self, text):
        self.text = text
        self.clock = datetime.datetime.now(datetime.timezone.utc)
        self.lock = threading.Lock()

    def skip(self, seconds):
        with self.lock:
            self.clock += datetime.timedelta(seconds=seconds)


def left_to_wait(env, seconds):
    if env.mock_test_case is None:
        return seconds
    env.mock_test_case.skip(seconds)
    return 0


def planned_error(env):
    if env.mock_test_case is None:
        return None
    state = env.states.context_object.context_object_data["State"]
    return planned_failures.error_of(env.mock_test_case.text, state["Name"], state["RetryCount"])


def fail_as_planned(env):
    """Takes the place of the response of moto's mocks."""
    error = planned_error(env)
    if error == "States.Timeout":
        raise TimeoutError
    if error.startswith("States."):
        name = StatesErrorName(StatesErrorNameType.from_name(error))
    else:
        name = CustomErrorName(error)
    details = TaskFailedEventDetails(error=error, cause=planned_failures.CAUSE)
    raise FailureEventException(
        FailureEvent(
            env,
            name,
            HistoryEventType.TaskFailed,
            EventDetails(taskFailedEventDetails=details),
        )
    )


@functools.cache
def program(definition):
    return AmazonStateLanguageParser.parse(definition)[0]


class Worker(SyncExecutionWorker):
    def __init__(self, details, plan):
        super().__init__(details, types.SimpleNamespace(terminated=lambda: None), None, {}, plan)

    def _get_evaluation_entrypoint(self):
        return program(self._evaluation_details.state_machine_details.definition)

    def _get_evaluation_environment(self):
        env = super()._get_evaluation_environment()
        if env.mock_test_case is not None:
            env.event_manager._get_current_timestamp = lambda: env.mock_test_case.clock
        return env


def run_execution(arn):
    """Takes the place of MiniStack's interpreter."""
    execution = stepfunctions._executions[arn]
    machine = stepfunctions._state_machines[execution["stateMachineArn"]]
    region, account = arn.split(":")[3:5]
    role, name, start = machine["roleArn"], execution["name"], execution["startDate"]
    plan = Plan(execution["testCase"]) if execution["testCase"] else None
    try:
        worker = Worker(
            EvaluationDetails(
                AWSExecutionDetails(account, region, role),
                ExecutionDetails(arn, name, role, json.loads(execution["input"]), start),
                StateMachineDetails(
                    execution["stateMachineArn"],
                    machine["name"],
                    machine["type"],
                    machine["definition"],
                ),
            ),
            plan,
        )
        worker.start()
    except Exception as error:
        logging.getLogger(__name__).exception("interpreting %s", arn)
        stepfunctions._fail_execution(execution, "States.Runtime", str(error))
        return
    if execution["status"] != "RUNNING":  # stopped meanwhile
        return
    outcome = worker.env.program_state()
    execution["events"] = json.loads(to_json_str(worker.env.event_manager.get_event_history()))
    execution["stopDate"] = stepfunctions.now_iso()
    if isinstance(outcome, ProgramEnded):
        execution.update(output=to_json_str(worker.env.states.get_input()), status="SUCCEEDED")
    else:
        execution.update(outcome.error, status="FAILED")
    stepfunctions._emit_execution_status_event(execution)


def install():
    for module in (
        lambda_eval_utils,
        state_task_service_dynamodb,
        state_task_service_sqs,
    ):
        module.boto_client_for = boto_client_for
    StringJSONata._eval_body = evaluate
    Environment.is_mocked_mode = lambda env: planned_error(env) is not None
    Environment.get_current_mocked_response = fail_as_planned
    jitter, wait = JitterStrategyDecl._eval_body, WaitFunction._wait_interval

    def jitter_and_skip(self, env):
        jitter(self, env)
        env.stack[-1] = left_to_wait(env, env.stack[-1])

    JitterStrategyDecl._eval_body = jitter_and_skip
    WaitFunction._wait_interval = lambda self, env, seconds: wait(
        self, env, left_to_wait(env, seconds)
    )
    stepfunctions._run_execution = run_execution
