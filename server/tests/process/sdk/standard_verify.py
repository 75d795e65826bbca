"""The verifier of Standard Webhooks on a webhook as it was received.

Reads secret, headers and body as JSON from standard input; prints what the verifier said.
"""

import json
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

given = json.load(sys.stdin)


def verdict(body):
    try:
        Webhook(given["secret"]).verify(body, given["headers"])
        return True
    except WebhookVerificationError:
        return False


changed = given["body"].replace("7", "8")
json.dump({"genuine": verdict(given["body"]), "changed": verdict(changed)}, sys.stdout)
