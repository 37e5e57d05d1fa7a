// Clients that nobody here wrote and whose connections break: an EventSource, or fetch with ranges.
import { createRequire } from "node:module";
const require = createRequire(process.env.RAINCHECK_TEST_NODE_MODULES + "/");
const [kind, url] = process.argv.slice(2);

function events() {
  const { EventSource } = require("eventsource");
  const source = new EventSource(url);
  // While it waits to come again, nothing else keeps the process.
  const alive = setInterval(() => {}, 1000);
  source.addEventListener("message", (event) => console.log(`data: ${event.data}`));
  source.addEventListener("error", () => {
    if (source.readyState !== EventSource.CLOSED) return;
    console.log("closed");
    clearInterval(alive);
  });
}

async function ranges() {
  let [text, tag] = ["", null];
  for (;;) {
    const headers = tag ? { range: `bytes=${text.length}-`, "if-range": tag } : {};
    const response = await fetch(url, { headers });
    if (response.status !== 206) text = "";
    tag = response.headers.get("etag");
    try {
      for await (const piece of response.body) text += new TextDecoder().decode(piece);
      break;
    } catch {
      console.log(`broke at ${text.length}`);
    }
  }
  process.stdout.write(text);
  console.log("closed");
}

await (kind === "events" ? events() : ranges());
