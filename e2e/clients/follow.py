"""Posts once with the library named first and prints what came in the end; nothing else is told."""
import sys

library, url = sys.argv[1:]
if library == "requests":
    import requests

    answer = requests.post(url, data=b"order 7", timeout=60)
else:
    import httpx

    answer = httpx.post(url, content=b"order 7", timeout=60, follow_redirects=True)
print(answer.status_code, len(answer.history), answer.text)
