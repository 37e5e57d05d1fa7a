// The client for browsers, in Node, as the gateway serves it: does one task and says how it went.
import { writeFile } from "node:fs/promises";

const [base, text] = process.argv.slice(2);
const task = JSON.parse(text);
const say = (what, value) => console.log(`${what}: ${JSON.stringify(value)}`);
const module = await globalThis.fetch(`${base}/_raincheck/client.js`).then((response) => response.text());
const client = await import(`data:text/javascript,${encodeURIComponent(module)}`);

const stop = new AbortController();
const init = {
  ...task.init,
  signal: stop.signal,
  onTicket: ({ id, url }) => {
    say("ticket", { id, url });
    if (task.abort) setTimeout(() => stop.abort(), 300);
  },
};
if (task.progress) init.onProgress = ({ status, progress }) => say("progress", { status, percent: progress?.percent ?? null });
if (task.cancel) init.cancelOnAbort = true;
if (task.live) init.live = true;
if (task.key) init.idempotencyKey = task.key;
try {
  const response = await (task.resume ? client.resume(task.resume, init) : client.fetch(base + task.path, init));
  let bytes = new Uint8Array();
  if (task.live) {
    for await (const piece of response.body) {
      say("piece", new TextDecoder().decode(piece));
      bytes = Uint8Array.from([...bytes, ...piece]);
    }
  } else bytes = new Uint8Array(await response.arrayBuffer());
  if (task.out) await writeFile(task.out, bytes);
  say("response", {
    status: response.status, length: bytes.length,
    text: bytes.length < 100 ? new TextDecoder().decode(bytes) : null,
    job: response.headers.get("raincheck-job-id"), error: response.headers.get("raincheck-error"),
    mine: response.headers.get("x-mine"), type: response.type, path: new URL(response.url).pathname,
  });
} catch (error) {
  say("raised", error.name);
}
