"""HTTP requests whose answers may take longer than anybody keeps a connection open.

An ordinary answer is returned as it comes. A ticket of raincheck (202) is followed until the
response is there, across lost connections and restarts of the gateway:

    import raincheck

    answer = raincheck.post("https://api.example.com/render", json={"pages": 10},
                            on_progress=lambda job: print(job["status"], job["progress"]))
    answer.raise_for_status()
    print(answer.json())

One file on the standard library, for Python 3.9 and later: copy it, or put it on your path.
"""
from __future__ import annotations

import http.client
import json as _json
import random
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from typing import Any, Callable, Iterable, Iterator, Mapping, Optional, Union

__all__ = ["Answer", "Cancelled", "HttpError", "Timeout", "cancel", "get", "post", "request", "resume"]

_LOST = (OSError, http.client.HTTPException)
_UNFINISHED = ("queued", "processing")


class Timeout(TimeoutError):
    """`timeout` is over. The job goes on: `resume(error.job_url)`, unless that is None."""

    job_url: Optional[str] = None


class Cancelled(Exception):
    """`cancel` was set, and the job was cancelled."""


class HttpError(Exception):
    """The answer's status is 400 or more; `answer` has the rest."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"{answer.status} {answer.reason} for {answer.url}")
        self.answer = answer


class Answer:
    """The backend's response, or a problem of the gateway (header `Raincheck-Error`)."""

    def __init__(self, response: http.client.HTTPResponse, again: Callable[[int, int], Any]) -> None:
        self.status: int = response.status
        self.reason: str = response.reason
        self.headers = response.headers  #: case-insensitive, with `get` and `get_all`
        self.url: str = response.url
        self._response, self._again = response, again
        self._offset, self._resumed_at, self._empty = 0, -1, 0
        self._content: Optional[bytes] = None

    @property
    def ok(self) -> bool:
        return self.status < 400

    @property
    def job_id(self) -> Optional[str]:
        """The job's id, where there was a ticket."""
        return self.headers.get("Raincheck-Job-Id")

    @property
    def content(self) -> bytes:
        """The body, read to its end."""
        if self._content is None:
            self._content = b"".join(self)
        return self._content

    @property
    def text(self) -> str:
        return self.content.decode(self.headers.get_content_charset() or "utf-8", "replace")

    def json(self) -> Any:
        return _json.loads(self.content)

    def raise_for_status(self) -> Answer:
        if not self.ok:
            raise HttpError(self)
        return self

    def __iter__(self) -> Iterator[bytes]:
        """The body in pieces. A body that breaks off goes on at the byte where it did."""
        while True:
            try:
                piece = self._response.read1(65536)
                # An end before Content-Length is reported by nobody else.
                if not piece and self._response.length:
                    raise http.client.IncompleteRead(b"", self._response.length)
            except _LOST:
                # A connection that broke before its first byte says nothing of the next; four in a row do.
                self._empty = self._empty + 1 if self._offset == self._resumed_at else 0
                if self._empty > 3:
                    raise
                self._resumed_at = self._offset
                rest = self._again(self._offset, self._empty) if self._may_resume() else None
                if rest is not None and rest.headers.get("Content-Range") == f"bytes */{self._offset}":
                    piece = b""  # nothing is missing but the end
                elif rest is None or rest.status != (206 if self._offset else 200):
                    raise
                else:
                    self._response = rest
                    continue
            if not piece:
                self.close()
                return
            self._offset += len(piece)
            yield piece

    def _may_resume(self) -> bool:
        tag = self.headers.get("ETag", "W/")
        return self.status == 200 and bool(self.job_id) and not tag.startswith("W/")

    def close(self) -> None:
        self._response.close()

    def __enter__(self) -> Answer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def get(url: str, **options: Any) -> Answer:
    """As `request("GET", url, ...)`."""
    return request("GET", url, **options)


def post(url: str, **options: Any) -> Answer:
    """As `request("POST", url, ...)`."""
    return request("POST", url, **options)


def request(
    method: str,
    url: str,
    *,
    params: Optional[Mapping[str, Any]] = None,
    headers: Optional[Mapping[str, str]] = None,
    data: Union[bytes, str, Iterable[bytes], None] = None,
    json: Any = None,
    idempotency_key: Union[bool, str, None] = None,
    on_ticket: Optional[Callable[[str], None]] = None,
    timeout: Optional[float] = None,
    stream: bool = False,
    **options: Any,
) -> Answer:
    """Sends a request and returns its response, whenever it comes.

    `idempotency_key` (True: a random one) makes it safe to send the request again where its answer
    was lost, so it is sent up to 4 times. `on_ticket` is called with the job's URL: keep it to
    `resume` in another process. After `timeout` seconds `Timeout` is raised, and the job goes on.
    With `stream` the body is read by iterating over the answer. Other options as in `resume`.
    """
    call = _Call(timeout, headers=dict(headers or {}), **options)
    if params:
        url += ("&" if "?" in url else "?") + urllib.parse.urlencode(params, doseq=True)
    if json is not None:
        data = _json.dumps(json).encode()
        call.headers.setdefault("Content-Type", "application/json")
    elif isinstance(data, str):
        data = data.encode()
    if idempotency_key:
        call.headers["Idempotency-Key"] = str(uuid.uuid4()) if idempotency_key is True else idempotency_key
    may_repeat = idempotency_key and (data is None or isinstance(data, bytes))
    send = lambda: call.send(method, url, call.headers, data, call.left(call.patience))  # noqa: E731
    lost = lambda answer: _busy(answer) or _from_between(answer)  # noqa: E731
    response = call.persist(send, lost, tries=4) if may_repeat else send()
    job = _ticket(response)
    # Of a route with `resume = true`: the rest can be had there.
    place = urllib.parse.urljoin(response.url, response.headers.get("Content-Location", ""))
    # Who was let in to send the request is let in to its result, and no other server is told.
    own = urllib.parse.urlsplit(job or place)[:2] == urllib.parse.urlsplit(url)[:2]
    call.headers = {n: v for n, v in call.headers.items() if own and n.lower() == "authorization"}
    if job is None:
        return call.answer(response, place if place.endswith("/result?follow") else None, stream)
    response.close()
    if on_ticket:
        on_ticket(job)
    return call.follow(job, stream)


def resume(job_url: str, *, timeout: Optional[float] = None, stream: bool = False, **options: Any) -> Answer:
    """Waits for the response of a job whose URL `on_ticket` has told.

    `on_progress` is called with the status document whenever there is news. `cancel` is a
    `threading.Event` or anything with `is_set()`: set, the job is cancelled and `Cancelled` raised
    within about two seconds. `wait`: seconds of one wait, less than any proxy in between allows
    (20). `patience`: seconds without any word of the gateway before the last error is raised (300).
    `live`: gives the response as soon as its head is known, its body as the backend writes it (use it
    with `stream`), and no progress. `handlers`: of `urllib.request`, for proxies, cookies or `HTTPSHandler(context=...)`.
    """
    return _Call(timeout, **options).follow(job_url, stream)


def cancel(job_url: str, **options: Any) -> None:
    """Cancels an unfinished job, forgets a finished one."""
    call = _Call(None, **options)
    call.send("DELETE", job_url, call.headers, None, call.patience).close()


class _Answers(urllib.request.HTTPErrorProcessor):
    """Errors are answers like others; only redirects go the usual way."""

    def http_response(self, request: Any, response: Any) -> Any:
        if response.status in (301, 302, 303, 307, 308):
            return super().http_response(request, response)
        return response

    https_response = http_response


class _Call:
    """What holds for all requests that one answer takes."""

    def __init__(
        self,
        timeout: Optional[float],
        *,
        headers: Optional[Mapping[str, str]] = None,
        on_progress: Optional[Callable[[dict], None]] = None,
        cancel: Any = None,
        wait: int = 20,
        patience: float = 300,
        live: bool = False,
        handlers: Iterable[Any] = (),
    ) -> None:
        self.headers = dict(headers or {})
        self.deadline = None if timeout is None else time.monotonic() + timeout
        self.on_progress, self.cancel, self.live = on_progress, cancel, live
        self.wait, self.patience = (min(wait, 2) if cancel else wait), patience
        self.opener = urllib.request.build_opener(_Answers, *handlers)
        self.job: Optional[str] = None

    def left(self, most: float) -> float:
        """Seconds until the deadline, at most these. Raises `Timeout` or `Cancelled`."""
        if self.cancel is not None and self.cancel.is_set():
            if self.job:
                cancel(self.job, headers=self.headers)
            raise Cancelled("the caller cancelled")
        if self.deadline is None:
            return most
        left = self.deadline - time.monotonic()
        if left <= 0:
            error = Timeout("no response yet; the job goes on" if self.job else "no response in time")
            error.job_url = self.job
            raise error
        return min(most, left)

    def send(self, method: str, url: str, headers: Mapping[str, str], data: Any, timeout: float) -> Any:
        wanted = urllib.request.Request(url, data, dict(headers), method=method)
        try:
            return self.opener.open(wanted, timeout=timeout)
        except OSError:
            self.left(0)
            raise

    def persist(self, attempt: Callable[[], Any], lost: Callable[[Any], bool], tries: float = float("inf")) -> Any:
        """Tries again while connections fail or the answer is lost."""
        began, failures = time.monotonic(), 0
        while True:
            failures += 1
            last = failures >= tries or time.monotonic() - began > self.patience
            pause = min(30.0, 2.0**failures / 2) * random.uniform(0.5, 1)
            try:
                answer = attempt()
                if last or not lost(answer):
                    return answer
                asked = answer.headers.get("Retry-After", "")
                pause = max(pause, min(60.0, float(asked)) if asked.isdigit() else 0.0)
                answer.close()
            except (Timeout, Cancelled, urllib.error.HTTPError):
                raise
            except _LOST as error:
                reason = getattr(error, "reason", error)
                if last or isinstance(reason, ssl.SSLCertVerificationError):
                    raise
            self.nap(pause)

    def nap(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(self.left(min(0.5, max(0.0, until - time.monotonic()))))
        self.left(0)

    def follow(self, job: str, stream: bool) -> Answer:
        """Waits until the job is finished, then takes its response."""
        self.job, tag = job, None
        while not self.live:
            began = time.monotonic()
            status, known, document = self.persist(lambda: self.look(job, tag), lambda found: found[0] == 0)
            news = document is not None and (tag is None or known != tag)
            tag = known or tag
            if news and self.on_progress:
                self.on_progress(document)
            # Anything but "nothing new" is told by the result, too.
            if status != 304 and (document is None or document["status"] not in _UNFINISHED):
                break
            self.nap((0.25 if news else 1.0) - (time.monotonic() - began))
        result = job + ("/result?follow" if self.live else "/result")
        while True:
            began = time.monotonic()
            response = self.take(f"{result}&wait={int(self.left(self.wait))}" if self.live else result, {})
            if _ticket(response) is None:
                return self.answer(response, result, stream)
            response.close()
            self.nap(1.0 - (time.monotonic() - began))

    def take(self, url: str, more: Mapping[str, str]) -> Any:
        """What is at a URL, however often it takes."""
        headers = {**self.headers, **more}
        attempt = lambda: self.send("GET", url, headers, None, self.left(self.patience))  # noqa: E731
        return self.persist(attempt, _from_between)

    def answer(self, response: Any, place: Optional[str], stream: bool) -> Answer:
        """The answer, whose rest can be had at a place, if there is one, should it break off."""

        def again(offset: int, empty: int) -> Any:
            self.nap(0.25 * 2**empty if empty else 0)
            tag = {"Range": f"bytes={offset}-", "If-Range": response.headers["ETag"]} if offset else {}
            return self.take(place, tag) if place else None

        answer = Answer(response, again)
        if not stream:
            answer.content  # noqa: B018: read while the connection is there
        return answer

    def look(self, job: str, tag: Optional[str]) -> Any:
        """Status, tag and document of the job once there is news, or after `wait`."""
        # Who wants news is told first how things stand.
        wait = 0 if self.on_progress and not tag else max(0, int(self.left(self.wait)))
        headers = {**self.headers, **({"If-None-Match": tag} if tag and self.on_progress else {})}
        url = f"{job}?wait={wait}"
        with self.send("GET", url, headers, None, self.left(wait + 30.0)) as response:
            if _busy(response) or _from_between(response):
                raise OSError(f"{response.status} {response.reason} for {url}")
            tag = response.headers.get("ETag")
            try:
                return response.status, tag, _json.load(response) if response.status == 200 else None
            except ValueError as error:
                raise OSError(f"a document from {url} was cut short") from error


def _ticket(response: Any) -> Optional[str]:
    """The job's URL, if the answer is a ticket of raincheck: a backend's own 202 is not."""
    job, location = (response.headers.get(name) for name in ("Raincheck-Job-Id", "Location"))
    if response.status != 202 or not job or not location or not location.split("?")[0].endswith("/" + job):
        return None
    return urllib.parse.urljoin(response.url, location)


def _from_between(response: Any) -> bool:
    """An error of something between here and raincheck: neither its own nor a backend's."""
    ours = "Raincheck-Error" in response.headers or "Raincheck-Job-Id" in response.headers
    return (response.status == 429 or response.status >= 500) and not ours


def _busy(response: Any) -> bool:
    """raincheck asks to come again, before it has done anything."""
    return response.status in (429, 503) and "Raincheck-Error" in response.headers
