/**
 * `fetch` for answers that take longer than anybody keeps a connection open. An ordinary answer is
 * what `fetch` gives; a ticket of raincheck (202) is followed until the response is there, across
 * lost connections and restarts. Served at `/_raincheck/client.js`; needs nothing else.
 *
 * @typedef {object} Job The status document: how a job stands.
 * @property {string} job_id
 * @property {"queued"|"processing"|"succeeded"|"failed"|"cancelled"|"expired"} status
 * @property {{percent: number|null, message: string|null, data: any}|null} progress
 * @property {{code: string, title: string, detail: string}|null} error
 *
 * @typedef {object} Extra What may stand in `init` beside the members that `fetch` knows.
 * @property {(ticket: {id: string, url: string}) => void} [onTicket] The answer takes longer; keep
 *   `url` to go on later with `resume(url)`.
 * @property {(job: Job) => void} [onProgress] Whenever there is news of the job.
 * @property {true|string} [idempotencyKey] Sends an `Idempotency-Key` (true: a random one), which
 *   makes it safe to send the request again where its answer was lost: it is sent up to 4 times.
 * @property {string} [remember] Keeps the ticket, and a random key, under this name in sessionStorage:
 *   after a reload of the page the same call goes on waiting. Without a key a reload before there is
 *   a ticket sends the request again.
 * @property {boolean} [live] After a ticket: gives the response as soon as its head is known, and its
 *   body as the backend writes it. There is no progress then.
 * @property {boolean} [cancelOnAbort] An abort cancels the job too, and not only the waiting.
 * @property {number} [wait] Seconds of one wait; less than any proxy in between allows. 20.
 * @property {number} [patience] Seconds without any word of the gateway before giving up. 300.
 */

/** As the global `fetch`; the response is the backend's, whenever it comes.
 * @param {RequestInfo | URL} input
 * @param {RequestInit & Extra} [init]
 * @returns {Promise<Response>} */
export async function fetch(input, init = {}) {
  const asked = input instanceof Request ? input : undefined;
  init = { ...init, signal: init.signal ?? asked?.signal };
  const kept = recall(init, "url");
  if (kept) {
    const response = await resume(kept, init);
    if (response.status !== 404) return response;
  }
  const headers = new Headers(init.headers ?? asked?.headers);
  const key = init.idempotencyKey === true ? recall(init, "key") ?? random() : init.idempotencyKey;
  if (key) headers.set("Idempotency-Key", key);
  // A page that is loaded again before there is a ticket joins what it had begun.
  keep(init, "key", key);
  const once = !key || init.body instanceof ReadableStream;
  const send = () => globalThis.fetch(asked && !once ? asked.clone() : input, key ? { ...init, headers } : init);
  const response = once ? await send() : await persist(init, 4, send, (answer) => isBusy(answer) || isFromBetween(answer));
  // Who was let in to send the request is let in to its result, and nobody else's server is told.
  const later = (url) => ({
    credentials: asked?.credentials, mode: asked?.mode, ...init,
    headers: headers.has("Authorization") && new URL(url).origin === new URL(String(asked?.url ?? input), response.url).origin
      ? { Authorization: headers.get("Authorization") } : {},
  });
  const id = ticketOf(response);
  if (!id) {
    forget(init);
    // Of a route with `resume = true`: the rest can be had there.
    const rest = response.headers.get("Content-Location");
    if (!has(response, "Raincheck-Job-Id") || !rest?.endsWith("/result?follow")) return response;
    const url = new URL(rest, response.url).href;
    return mended(response, init, (range) => ask(url, later(url), range));
  }
  response.body?.cancel();
  const url = new URL(response.headers.get("Location"), response.url).href;
  init.onTicket?.({ id, url });
  keep(init, "url", url);
  return resume(url, later(url));
}

/** Goes on waiting for a job: that of a ticket from before.
 * @param {string} url The job's URL, as `onTicket` told it.
 * @param {RequestInit & Extra} [init]
 * @returns {Promise<Response>} */
export async function resume(url, init = {}) {
  const { signal, onProgress, live } = init;
  const wait = init.wait ?? 20;
  try {
    for (let tag = null; !live; ) {
      const began = Date.now(), seen = tag;
      const job = await persist(init, Infinity, async () => {
        // Who wants news is told first how things stand.
        const response = await ask(`${url}?wait=${onProgress && !seen ? 0 : wait}`, init, onProgress && seen ? { "If-None-Match": seen } : {});
        if (response.status !== 200) return response;
        tag = response.headers.get("ETag");
        return await response.json();
      }, (answer) => isBusy(answer) || isFromBetween(answer));
      const isNews = !(job instanceof Response) && (!tag || tag !== seen);
      if (isNews) onProgress?.(job);
      // Anything but "nothing new" is told by the result, too.
      if (job instanceof Response ? job.status !== 304 : !["queued", "processing"].includes(job.status)) break;
      await nap((isNews ? 250 : 1000) - (Date.now() - began), signal);
    }
    const result = `${url}/result${live ? "?follow" : ""}`;
    for (;;) {
      const began = Date.now();
      const response = await persist(init, Infinity, () => ask(live ? `${result}&wait=${wait}` : result, init), isFromBetween);
      if (!ticketOf(response)) {
        forget(init);
        return mended(response, init, (range) => ask(result, init, range));
      }
      await nap(1000 - (Date.now() - began), signal);
    }
  } catch (error) {
    if (signal?.aborted && init.cancelOnAbort) {
      forget(init);
      await ask(url, { ...init, signal: undefined }, {}, { method: "DELETE", keepalive: true }).catch(() => {});
    }
    throw error;
  }
}

/** One request of those that an answer takes.
 * @param {string} url @param {RequestInit} init @param {object} [more] @param {RequestInit} [other] */
function ask(url, { signal, headers, credentials, mode }, more = {}, other = {}) {
  const all = [...new Headers(headers), ...Object.entries(more)];
  return globalThis.fetch(url, { signal, headers: all, credentials, mode, cache: "no-store", ...other });
}

const slot = (init, what) => `raincheck:${init.remember}:${what}`;
const recall = (init, what) => (init.remember && sessionStorage.getItem(slot(init, what))) || undefined;
const keep = (init, what, value) => { if (init.remember && value) sessionStorage.setItem(slot(init, what), value); };
const forget = (init) => ["url", "key"].forEach((what) => init.remember && sessionStorage.removeItem(slot(init, what)));
/** `crypto.randomUUID` is for https alone. */
const random = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
const has = (response, name) => response.headers.has(name);

/** The job's id, if the answer is a ticket of raincheck: a backend's own 202 is not. */
function ticketOf(response) {
  const id = response.headers.get("Raincheck-Job-Id");
  const path = response.headers.get("Location")?.split("?")[0];
  return response.status === 202 && id && path?.endsWith(`/${id}`) ? id : undefined;
}

/** An error of something between here and raincheck: neither its own nor a backend's. */
const isFromBetween = (answer) => (answer.status === 429 || answer.status >= 500)
  && !has(answer, "Raincheck-Error") && !has(answer, "Raincheck-Job-Id");
/** raincheck asks to come again, before it has done anything. */
const isBusy = (answer) => [429, 503].includes(answer.status) && has(answer, "Raincheck-Error");

/** Tries again while connections fail or `isLost` says so of the answer. */
async function persist(init, tries, attempt, isLost) {
  const { signal, patience = 300 } = init;
  for (let began = Date.now(), failures = 1; ; failures++) {
    const isLast = () => failures >= tries || Date.now() - began > patience * 1000;
    let seconds = Math.min(30, 2 ** failures / 2) * (0.5 + Math.random() / 2);
    try {
      const answer = await attempt();
      if (!isLost(answer) || isLast()) return answer;
      seconds = Math.max(seconds, Math.min(60, Number(answer.headers.get("Retry-After")) || 0));
      answer.body?.cancel();
    } catch (error) {
      if (signal?.aborted || isLast()) throw error;
    }
    await nap(seconds * 1000, signal);
  }
}

/** The same response; a body that breaks off goes on at the byte where it did. */
function mended(response, init, get) {
  const tag = response.headers.get("ETag");
  // What was compressed is counted otherwise than it is read. Other origins may hide whether it was.
  const isCounted = !has(response, "Content-Encoding") && (response.type !== "cors" || has(response, "Raincheck-Job-Id"));
  if (response.status !== 200 || !response.body || !tag || tag.startsWith("W/") || !isCounted) return response;
  let reader = response.body.getReader(), offset = 0, resumed = -1, empty = 0;
  const range = () => get({ Range: `bytes=${offset}-`, "If-Range": tag });
  const body = new ReadableStream({
    async pull(controller) {
      for (;;) {
        try {
          const { done, value } = await reader.read();
          if (done) return controller.close();
          offset += value.length;
          return controller.enqueue(value);
        } catch (error) {
          // A connection that broke before its first byte says nothing of the next; four in a row do.
          empty = offset === resumed ? empty + 1 : 0;
          if (init.signal?.aborted || empty > 3) throw error;
          resumed = offset;
          if (empty) await nap(250 * 2 ** empty, init.signal);
          const rest = await persist(init, Infinity, range, isFromBetween);
          if (rest.status === 416 && rest.headers.get("Content-Range") === `bytes */${offset}`) return controller.close();
          if (rest.status !== 206) throw error;
          reader = rest.body.getReader();
        }
      }
    },
    cancel: (reason) => reader.cancel(reason),
  });
  const whole = new Response(body, response);
  for (const name of ["url", "type"]) Object.defineProperty(whole, name, { value: response[name] });
  return whole;
}

/** @returns {Promise<void>} */
function nap(millis, signal) {
  return new Promise((done, fail) => {
    if (signal?.aborted) return fail(signal.reason);
    const abort = () => { clearTimeout(timer); fail(signal.reason); };
    const timer = setTimeout(() => { signal?.removeEventListener("abort", abort); done(); }, millis);
    signal?.addEventListener("abort", abort, { once: true });
  });
}
