"""Verifies messages, one JSON object a line, with the reference library: secret, headers, body."""
import json
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

for line in sys.stdin:
    message = json.loads(line)
    try:
        Webhook(message["secret"]).verify(message["body"], message["headers"])
        print("good", flush=True)
    except WebhookVerificationError:
        print("bad", flush=True)
