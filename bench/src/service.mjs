// The handler that does nothing, for Restate: it gives back what it got.
import http2 from "node:http2";

// The library wants Node 22; this is all it misses in Node 20.
Promise.withResolvers ??= function () {
  let resolve, reject;
  const promise = new this((yes, no) => ([resolve, reject] = [yes, no]));
  return { promise, resolve, reject };
};
const restate = await import("@restatedev/restate-sdk");
const bytes = { input: restate.serde.binary, output: restate.serde.binary };
let done = 0;
const service = restate.service({
  name: "Noop",
  handlers: {
    run: restate.handlers.handler(bytes, async (_, body) => ((done += 1), body)),
    count: async () => done,
  },
});
const server = http2.createServer(restate.createEndpointHandler({ services: [service] }));
server.listen(0, "127.0.0.1", () => console.log(`listening ${server.address().port}`));
process.stdin.on("end", () => process.exit(0)).resume();
