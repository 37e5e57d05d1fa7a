// An EventSource that nobody here wrote: prints each event until the stream has ended for good.
import { createRequire } from "node:module";
const require = createRequire(process.env.RAINCHECK_TEST_NODE_MODULES + "/");
const { EventSource } = require("eventsource");

const source = new EventSource(process.argv[2]);
const print = (event) => console.log(`event: ${event.type} ${event.lastEventId} ${event.data}`);
source.addEventListener("status", print);
source.addEventListener("progress", print);
source.addEventListener("result", print);
source.addEventListener("error", () => {
  if (source.readyState !== EventSource.CLOSED) return;
  console.log("closed");
  clearInterval(alive);
});
// While it waits to come again, nothing else keeps the process.
const alive = setInterval(() => {}, 1000);
