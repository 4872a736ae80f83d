"""Schemathesis' hooks: signs each request, gives it real ids, and keeps it on this machine.

WEBHOOKS_STACK names the stack's `stack.json`. What is generated depends on the seed alone.
"""

import atexit
import collections
import itertools
import json
import os
import socket
import zlib
from urllib.parse import urlsplit

import requests
import schemathesis
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

with open(os.environ["WEBHOOKS_STACK"]) as file:
    STACK = json.load(file)
API_HOST = urlsplit(STACK["outputs"]["ApiUrl"]).hostname
CUSTOMER = "contract"
# Requests that write a customer go to others: the first must stay, without limits.
WRITTEN = "contract-written"

# Nothing listens there, and nobody else can: all webhooks go to this port and are refused.
CLOSED = socket.socket()
CLOSED.bind(("127.0.0.1", 0))
ENDPOINT = f"http://127.0.0.1:{CLOSED.getsockname()[1]}/"


class Signed(requests.auth.AuthBase):
    """Signature Version 4, for the host of the Function URL."""

    keys = Credentials(STACK["accessKeyId"], STACK["secretAccessKey"])

    def __call__(self, request):
        request.headers["Host"] = API_HOST
        signed = AWSRequest(
            request.method, request.url, data=request.body, headers={"Host": API_HOST}
        )
        SigV4Auth(self.keys, "lambda", STACK["region"]).add_auth(signed)
        request.headers.update(dict(signed.headers.items()))
        return request


def call(method, path, body=None):
    url = STACK["endpoint"] + path
    answer = requests.request(method, url, json=body, auth=Signed(), timeout=30)
    if not answer.ok:
        raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text}")
    return answer.json()


def subscribe():
    subscription = {"url": ENDPOINT, "eventTypes": ["*"], "retryPolicy": {"schedule": [0]}}
    return call("POST", f"/customers/{CUSTOMER}/subscriptions", subscription)["id"]


def seed():
    """A customer with subscriptions, deliveries and recoveries; their ids in paths."""
    for _ in range(3):
        subscription = subscribe()
        path = f"/customers/{CUSTOMER}/subscriptions/{subscription}"
        delivery = call("POST", f"{path}/test")
        recovery = call("POST", f"{path}/replay", {"since": "2020-01-01T00:00:00Z"})
        yield {
            "customerId": CUSTOMER,
            "subscriptionId": subscription,
            "messageId": delivery["messageId"],
            "deliveryId": delivery["id"],
            "recoveryId": recovery["id"],
        }


DELETED = itertools.count()
SEEDED = list(seed())
call("PUT", f"/customers/{WRITTEN}", {})


@schemathesis.hook
def before_call(context, case, kwargs):
    """Three of four requests are about what is there; none names a URL of its own."""
    names = case.path_parameters or {}
    number = zlib.crc32(repr((sorted(names.items()), case.query, case.body)).encode())
    if number % 4:
        real = SEEDED[number % len(SEEDED)]
        names.update({name: real[name] for name in names if name in real})
        if "subscriptionId" in names and case.method == "DELETE":
            names["subscriptionId"] = subscribe()
    # Whatever was generated: no request changes or deletes the customer of all the others.
    if names.get("customerId") == CUSTOMER and case.operation.path == "/customers/{customerId}":
        if case.method in ("PUT", "PATCH"):
            names["customerId"] = WRITTEN
        if case.method == "DELETE":
            names["customerId"] = f"contract-deleted-{next(DELETED)}"
            call("PUT", f"/customers/{names['customerId']}", {})
    if isinstance(case.body, dict) and isinstance(case.body.get("url"), str):
        case.body["url"] = ENDPOINT
    kwargs["auth"] = Signed()


REQUESTS = collections.Counter()
STATUSES = collections.Counter()


@schemathesis.hook
def after_call(context, case, response):
    REQUESTS[case.operation.label] += 1
    STATUSES[response.status_code] += 1


@atexit.register
def count():
    total = f"{sum(REQUESTS.values())} requests to {len(REQUESTS)} operations"
    statuses = ", ".join(f"{status}: {times}" for status, times in sorted(STATUSES.items()))
    print(f"{total}; by status {statuses}", flush=True)
