"""From an endpoint to its delivery with the official SDK.

Reads uri, api_key and receiver as JSON from standard input; prints what the SDK told as JSON.
"""

import json
import sys
import time

from convoy import convoy

given = json.load(sys.stdin)
client = convoy.Convoy({"api_key": given["api_key"], "uri": given["uri"]})


def data(answer, status):
    """The data of an answer with the expected status."""
    body, got = answer
    if got != status or body.get("status") is not True:
        raise SystemExit(f"expected {status}: {got} {body}")
    return body["data"]


endpoint = data(
    client.endpoint.create(
        {}, {"name": "SDK receiver", "url": given["receiver"], "description": "made by the SDK", "secret": "anchor-chain-and-rope"}
    ),
    201,
)
subscription = data(
    client.subscription.create(
        {}, {"name": "invoices", "endpoint_id": endpoint["uid"], "filter_config": {"event_types": ["invoice.paid"]}}
    ),
    201,
)
created = data(
    client.event.create(
        {}, {"endpoint_id": endpoint["uid"], "event_type": "invoice.paid", "data": {"invoice": "inv_1", "amount": 1200}}
    ),
    201,
)

delivery = None
deadline = time.monotonic() + 30
while delivery is None:
    if time.monotonic() > deadline:
        raise SystemExit("the delivery does not succeed")
    found = data(client.event_delivery.all({"eventId": created["uid"], "status": "Success"}), 200)["content"]
    if found:
        delivery = found[0]
    else:
        time.sleep(0.05)

json.dump(
    {
        "endpoint": endpoint,
        "subscription": data(client.subscription.find(subscription["uid"], {}), 200),
        "event": data(client.event.find(created["uid"], {}), 200),
        "delivery": data(client.event_delivery.find(delivery["uid"], {}), 200),
        "attempts": data(client.delivery_attempt.all(delivery["uid"], {}), 200),
    },
    sys.stdout,
)
