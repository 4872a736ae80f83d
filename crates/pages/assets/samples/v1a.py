from base64 import b64decode
from time import time

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def verified(public_key: str, headers: dict, body: bytes) -> bool:
    """Whether the request is ours. The headers' names are in lower case."""
    if abs(time() - int(headers["webhook-timestamp"])) > 300:
        return False
    key = Ed25519PublicKey.from_public_bytes(b64decode(public_key.removeprefix("whpk_")))
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    for entry in headers["webhook-signature"].split(" "):
        version, _, signature = entry.partition(",")
        if version == "v1a":
            try:
                key.verify(b64decode(signature), content)
                return True
            except InvalidSignature:
                pass
    return False
