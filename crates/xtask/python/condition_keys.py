"""Adds the IAM condition keys that this stack's policies use and MiniStack leaves out.

MiniStack evaluates a policy's conditions, all operators that we use among them, but
never fills these keys of a request:

- kms:EncryptionContext:* and kms:EncryptionContextKeys
- events:source and events:detail-type, of PutEvents
- dynamodb:LeadingKeys
- dynamodb:Attributes of UpdateItem: the names in its key and its expressions
- ses:FromAddress of SendEmail, whose resource is the identity of that address

A condition on a key that is never there refuses everybody (`StringEquals`), or
nobody (`StringEqualsIfExists`): neither would be a test of the condition.

Its request handler asks `iam_actions.request_tag_context` for the keys of every request,
whatever the service but SES. That function is wrapped, and of SES the ones that name
the resource of a request and evaluate the policies. Nothing else is changed.
"""

import contextvars
import json

from ministack.core import iam_actions, iam_evaluator


def install():
    """Makes every request that MiniStack authorizes carry the keys."""
    tags = iam_actions.request_tag_context

    def tags_and_keys(service, iam_action, body, params):
        return {**tags(service, iam_action, body, params), **keys_of(iam_action, body)}

    iam_actions.request_tag_context = tags_and_keys

    resource = iam_actions._ses_v2_resource_arn

    def resource_of_sender(method, path, body, region, account_id):
        sender = _sender(body) if path.rstrip("/").endswith("/outbound-emails") else None
        _SENDER.set(sender)
        if sender is None:
            return resource(method, path, body, region, account_id)
        return f"arn:aws:ses:{region}:{account_id}:identity/{sender}"

    iam_actions._ses_v2_resource_arn = resource_of_sender
    enforce = iam_evaluator.enforce

    def enforce_with_sender(access_key, iam_action, service, *rest, **named):
        if iam_action == "ses:SendEmail" and _SENDER.get() is not None:
            keys = named.get("service_context") or {}
            named["service_context"] = {**keys, "ses:FromAddress": _SENDER.get()}
        return enforce(access_key, iam_action, service, *rest, **named)

    iam_evaluator.enforce = enforce_with_sender


# The sender of the request whose resource was named last, in the same task.
_SENDER = contextvars.ContextVar("sender", default=None)


def _sender(body):
    """The sender of an e-mail. None if the request names none."""
    try:
        request = json.loads(body)
    except ValueError:
        return None
    return request.get("FromEmailAddress") if isinstance(request, dict) else None


def keys_of(iam_action, body):
    """The condition keys of one request that MiniStack does not know."""
    service, _, operation = iam_action.partition(":")
    read = {"kms": _kms, "events": _events, "dynamodb": _dynamodb}.get(service)
    if read is None:
        return {}
    try:
        request = json.loads(body)
    except ValueError:
        return {}
    return read(operation, request) if isinstance(request, dict) else {}


def _kms(_operation, request):
    context = request.get("EncryptionContext") or {}
    keys = {f"kms:EncryptionContext:{name}": value for name, value in context.items()}
    if context:
        keys["kms:EncryptionContextKeys"] = list(context)
    return keys


def _events(operation, request):
    if operation != "PutEvents":
        return {}
    entries = request.get("Entries") or []
    return {
        **_of_entries("events:source", [entry.get("Source") for entry in entries]),
        **_of_entries("events:detail-type", [entry.get("DetailType") for entry in entries]),
    }


def _of_entries(key, values):
    """Both keys are arrays of strings (Service Authorization Reference, EventBridge), so a
    policy must compare them with a set operator. It is not documented whether AWS checks
    entry by entry. A list meets no `StringEquals`, even if all of its values are equal."""
    values = [value for value in values if value is not None]
    return {key: values} if values else {}


def _dynamodb(operation, request):
    values = [_text(value) for value in _leading_values(operation, request)]
    keys = {"dynamodb:LeadingKeys": values} if values else {}
    if operation == "UpdateItem":
        keys["dynamodb:Attributes"] = sorted(_attributes(request))
    return keys


_KEYWORDS = {"SET", "REMOVE", "ADD", "DELETE", "AND", "OR", "NOT", "BETWEEN", "IN"}


def _attributes(request):
    """The attributes that an update names: those of its key and of its expressions."""
    from ministack.services import dynamodb

    found = set(request.get("Key") or {})
    names = request.get("ExpressionAttributeNames") or {}
    for expression in ("UpdateExpression", "ConditionExpression"):
        tokens = dynamodb._tokenize(request.get(expression) or "")
        before = [("EOF", "")] + tokens
        for (last, _), (kind, text), (following, _) in zip(before, tokens, tokens[1:]):
            is_function = kind == "IDENT" and following == "LPAREN"
            if kind == "NAME_REF" and last != "DOT":
                found.add(names.get(text, text))
            elif kind == "IDENT" and last != "DOT" and not is_function and text not in _KEYWORDS:
                found.add(text)
    return found


def _text(value):
    (text,) = value.values()
    return str(text)


def _leading_values(operation, request):
    """The partition key's value of every item that a request names, and of a query the one
    that it asks for: that of the index, if it names one. A scan has none."""
    if operation == "Query":
        yield from _queried(request)
    elif operation in ("BatchGetItem", "BatchWriteItem"):
        for table, asked in (request.get("RequestItems") or {}).items():
            writes = asked if isinstance(asked, list) else []
            items = [part for write in writes for part in write.values()]
            keys = asked.get("Keys", []) if isinstance(asked, dict) else []
            for item in keys + [part.get("Item") or part.get("Key") for part in items]:
                yield from _partition_of(table, item)
    elif operation in ("TransactGetItems", "TransactWriteItems"):
        for action in request.get("TransactItems") or []:
            for part in action.values():
                yield from _partition_of(part.get("TableName"), part.get("Item") or part.get("Key"))
    elif "TableName" in request:
        yield from _partition_of(request["TableName"], request.get("Item") or request.get("Key"))


def _partition_of(table_name, item):
    name = _partition_key(table_name, None)
    if name is not None and isinstance(item, dict) and name in item:
        yield item[name]


def _queried(request):
    from ministack.services import dynamodb

    partition_key = _partition_key(request.get("TableName"), request.get("IndexName"))
    names = request.get("ExpressionAttributeNames") or {}
    values = request.get("ExpressionAttributeValues") or {}
    expression = request.get("KeyConditionExpression") or ""
    for clause in dynamodb._key_condition_clauses(dynamodb._tokenize(expression)):
        tokens = [token for token in clause if token[0] not in ("LPAREN", "RPAREN")]
        if [kind for kind, _ in tokens][1:] != ["EQ", "VALUE_REF"]:
            continue
        name, _, value = (text for _, text in tokens)
        if names.get(name, name) == partition_key and value in values:
            yield values[value]


def _partition_key(table_name, index_name):
    from ministack.services import dynamodb

    table = dynamodb._tables.get(dynamodb._normalize_table_name(table_name))
    if not table:
        return None
    partition_key, _, _ = dynamodb._resolve_index_keys(table, index_name)
    return partition_key
