"""Makes the table that the strict gate checks requests against.

Usage: service_models.py [--check] FILE

Takes the input shapes of the operations below out of botocore's copies of AWS's published
service models. With --check it compares FILE with what it would write.
"""

import json
import re
import sys

import botocore.loaders

# Every operation that a local stack sees: of the functions, the command line, SAM CLI, the
# tests, and a second interpreter of the workflow. The gate refuses any other, so that a new
# one has to be added here.
OPERATIONS = {
    "cloudformation": [
        "CreateChangeSet",
        "DescribeChangeSet",
        "DescribeStackEvents",
        "DescribeStackResources",
        "DescribeStacks",
        "ExecuteChangeSet",
        "GetTemplateSummary",
        "ListStackResources",
    ],
    "cloudwatch": ["DescribeAlarms", "SetAlarmState"],
    "dynamodb": [
        "BatchGetItem",
        "BatchWriteItem",
        "CreateTable",
        "DeleteItem",
        "DeleteTable",
        "DescribeContinuousBackups",
        "DescribeTable",
        "DescribeTimeToLive",
        "GetItem",
        "PutItem",
        "Query",
        "Scan",
        "TransactGetItems",
        "TransactWriteItems",
        "UpdateItem",
    ],
    "events": [
        "DescribeRule",
        "DisableRule",
        "EnableRule",
        "ListTargetsByRule",
        "PutEvents",
        "PutTargets",
        "TestEventPattern",
    ],
    "iam": [
        "CreateRole",
        "GetRolePolicy",
        "ListRolePolicies",
        "PutRolePolicy",
        "UpdateAssumeRolePolicy",
    ],
    "kms": [
        "Decrypt",
        "DescribeKey",
        "DisableKey",
        "DisableKeyRotation",
        "EnableKey",
        "EnableKeyRotation",
        "Encrypt",
        "GenerateDataKey",
        "GetKeyPolicy",
        "GetKeyRotationStatus",
        "PutKeyPolicy",
    ],
    "lambda": [
        "AddPermission",
        "DeleteFunctionConcurrency",
        "GetAccountSettings",
        "GetFunction",
        "GetFunctionConfiguration",
        "GetFunctionRecursionConfig",
        "GetFunctionUrlConfig",
        "GetPolicy",
        "Invoke",
        "ListEventSourceMappings",
        "ListFunctions",
        "PutFunctionConcurrency",
        "RemovePermission",
        "UpdateEventSourceMapping",
        "UpdateFunctionCode",
        "UpdateFunctionConfiguration",
        "UpdateFunctionUrlConfig",
    ],
    "logs": [
        "DeleteRetentionPolicy",
        "DescribeLogGroups",
        "FilterLogEvents",
        "PutRetentionPolicy",
    ],
    "s3": [
        "CompleteMultipartUpload",
        "CreateMultipartUpload",
        "HeadObject",
        "PutObject",
        "UploadPart",
    ],
    "scheduler": ["GetSchedule", "UpdateSchedule"],
    "sesv2": ["CreateEmailIdentity", "SendEmail"],
    "sqs": [
        "ChangeMessageVisibility",
        "ChangeMessageVisibilityBatch",
        "DeleteMessage",
        "DeleteMessageBatch",
        "GetQueueAttributes",
        "PurgeQueue",
        "ReceiveMessage",
        "SendMessage",
        "SendMessageBatch",
        "SetQueueAttributes",
    ],
    "stepfunctions": [
        "CreateStateMachine",
        "DescribeExecution",
        "DescribeStateMachine",
        "GetExecutionHistory",
        "ListExecutions",
        "StartExecution",
        "TestState",
    ],
    "sts": ["AssumeRole", "GetCallerIdentity"],
}

SCALARS = {
    "blob": "blob",
    "boolean": "boolean",
    "double": "float",
    "float": "float",
    "integer": "integer",
    "long": "integer",
    "string": "string",
    "timestamp": "timestamp",
}


def pattern(text):
    """The pattern in the syntax of the crate regex-lite, or None where that cannot say it.

    What it cannot say exactly is widened: a letter of any script is then any character
    beyond ASCII.
    """
    if "(?!" in text or "(?<" in text:
        return None
    text = text.replace(r"[\s\S]*", r"(?s:.*)").replace(r"\p{ASCII}", r"[\x00-\x7F]")
    text = text.replace(r"\p{L}\p{Z}\p{N}", r"\w\s\x{80}-\x{10FFFF}")
    # A range of characters that ends in a surrogate is one without surrogates in Rust.
    text = text.replace(r"\u10000-\u10FFFF", r"\x{10000}-\x{10FFFF}")
    text = re.sub(r"\\u([0-9A-Fa-f]{4})", r"\\x{\1}", text)
    # A hyphen after a class, as in [a-z0-9-_], is a hyphen.
    text = re.sub(r"(?<=[a-z0-9A-Z]-[a-zA-Z0-9])-(?=[_.\\])", r"\\-", text)
    if r"\p" in text:
        raise ValueError(f"no translation for the pattern {text}")
    return text


class Service:
    """What the table says of one service."""

    def __init__(self, name, model):
        self.model = model
        self.shapes = {}
        metadata = model["metadata"]
        # CloudWatch's first choice is CBOR; our clients speak its JSON.
        protocol = metadata["protocol"]
        if protocol == "smithy-rpc-v2-cbor" and "json" in metadata["protocols"]:
            protocol = metadata["protocol"] = "json"
        self.table = {"protocol": protocol}
        for key in ("targetPrefix", "jsonVersion"):
            if key in metadata:
                self.table[key] = metadata[key]
        self.table["signingName"] = metadata.get("signingName", metadata["endpointPrefix"])
        if metadata["protocol"] == "query":
            self.table["apiVersion"] = metadata["apiVersion"]
        operations = {}
        for operation in OPERATIONS[name]:
            definition = model["operations"][operation]
            entry = {}
            if metadata["protocol"].startswith("rest"):
                entry["method"] = definition["http"]["method"]
                entry["path"] = definition["http"]["requestUri"]
            if "input" in definition:
                entry["input"] = self.reference(definition["input"]["shape"])
            operations[operation] = entry
        self.table["operations"] = operations
        self.table["shapes"] = dict(sorted(self.shapes.items()))

    def reference(self, name):
        """The name of a shape, in the table from now on; a scalar without bounds is its kind."""
        shape = self.model["shapes"][name]
        kind = shape["type"]
        bounds = {key: shape[key] for key in ("min", "max", "enum") if key in shape}
        if "pattern" in shape:
            translated = pattern(shape["pattern"])
            if translated not in (None, ".*", "(?s:.*)"):
                bounds["pattern"] = translated
        if kind in SCALARS:
            if not bounds:
                return SCALARS[kind]
            bounds["type"] = SCALARS[kind]
        if name in self.shapes:
            return name
        if name in SCALARS.values():
            raise ValueError(f"the shape {name} has the name of a kind")
        # Before its members, which may lead back to it.
        self.shapes[name] = bounds
        if kind == "structure":
            bounds.update(self.structure(shape))
        elif kind == "list":
            bounds.update(type="list", member=self.reference(shape["member"]["shape"]))
        elif kind == "map":
            key, value = (self.reference(shape[part]["shape"]) for part in ("key", "value"))
            bounds.update(type="map", key=key, value=value)
        return name

    def structure(self, shape):
        members = shape.get("members", {})
        made = {
            "type": "structure",
            "members": {name: self.reference(member["shape"]) for name, member in members.items()},
        }
        if shape.get("required"):
            made["required"] = shape["required"]
        if "payload" in shape:
            made["payload"] = shape["payload"]
        places = {}
        for name, member in members.items():
            if "location" in member:
                places[name] = [member["location"], member.get("locationName", name)]
            elif self.table["protocol"] == "query" and (
                "locationName" in member or member.get("flattened")
            ):
                raise ValueError(f"the member {name} has another name in a form")
        if places:
            made["places"] = places
        return made


def table():
    """The table: a line for each operation and shape, so that a change can be read."""
    loader = botocore.loaders.Loader()
    services = []
    for name in OPERATIONS:
        service = Service(name, loader.load_service_model(name, "service-2")).table
        parts = []
        for key, value in service.items():
            if isinstance(value, dict):
                lines = [f"{json.dumps(k)}:{compact(v)}" for k, v in value.items()]
                value = "{\n" + ",\n".join(lines) + "\n}"
            else:
                value = compact(value)
            parts.append(f"{json.dumps(key)}:{value}")
        services.append(f"{json.dumps(name)}:{{" + ",".join(parts) + "}")
    return "{\n" + ",\n".join(services) + "\n}\n"


def compact(value):
    return json.dumps(value, separators=(",", ":"))


def main():
    *options, path = sys.argv[1:]
    if not options:
        with open(path, "w", encoding="utf-8") as file:
            file.write(table())
        return
    with open(path, encoding="utf-8") as file:
        if file.read() != table():
            sys.exit(f"{path} is not what {__file__} makes of the pinned botocore: run it again")


if __name__ == "__main__":
    main()
