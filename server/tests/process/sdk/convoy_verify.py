"""The verifier of the official SDK on a webhook as it was received.

Reads secret, signature and body as JSON from standard input; prints what the verifier said.
"""

import json
import sys

from convoy.utils.webhook import Webhook

given = json.load(sys.stdin)


def verdict(secret, body):
    """Only True is a yes: the verifier answers with a text otherwise."""
    signature = given["signature"]
    # The verifier hashes the text that it is given; with a time, the time is a part of that text.
    signed = f"{signature.split(',')[0].removeprefix('t=')},{body}" if "," in signature else body
    return Webhook(secret=secret).verify_signature(signed, signature) is True


json.dump(
    {
        "genuine": verdict(given["secret"], given["body"]),
        "changed": verdict(given["secret"], given["body"] + " "),
        "other_secret": verdict("another secret", given["body"]),
    },
    sys.stdout,
)
