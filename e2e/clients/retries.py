"""A POST with requests' own retries: every attempt gives up after half a second."""

import sys

import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

url, key = sys.argv[1:3]
session = requests.Session()
retries = Retry(total=40, backoff_factor=0, allowed_methods=None)
session.mount("http://", HTTPAdapter(max_retries=retries))
headers = {"Idempotency-Key": key} if key else {}
answer = session.post(url, data=b"order", headers=headers, timeout=0.5)
replayed = answer.headers.get("Idempotency-Replayed")
print("answer", answer.status_code, answer.text, replayed, flush=True)
