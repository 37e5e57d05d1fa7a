// WebSocket clients that nobody here wrote: npm's ws, Chromium's own from a page, and Node's HTTP/2
// with an extended CONNECT (RFC 8441), on which frames are made by hand. Prints each frame and how
// the socket was closed. Arguments: ws, chromium or h2, the URL of the socket, and for Chromium the
// URL of the page that opens it, for HTTP/2 a message to send.
import http2 from "node:http2";
import { createRequire } from "node:module";
const require = createRequire(process.env.RAINCHECK_TEST_NODE_MODULES + "/");

const [how, url, place] = process.argv.slice(2);
if (how === "ws") {
  const { WebSocket } = require("ws");
  const socket = new WebSocket(url);
  socket.on("message", (data) => console.log(`frame: ${data}`));
  socket.on("ping", () => console.log("ping"));
  socket.on("close", (code) => console.log(`closed: ${code}`));
} else if (how === "h2") {
  const { host, pathname } = new URL(url);
  const session = http2.connect(`http://${host}`);
  session.on("remoteSettings", ({ enableConnectProtocol }) => {
    console.log(`allowed: ${enableConnectProtocol}`);
    const stream = session.request({
      ":method": "CONNECT", ":protocol": "websocket", ":scheme": "http", ":authority": host,
      ":path": pathname, "sec-websocket-version": "13",
    });
    const send = (first, payload) =>
      stream.write(Buffer.concat([Buffer.from([first, 0x80 | payload.length, 0, 0, 0, 0]), payload]));
    stream.on("response", (head) => {
      console.log(`answered: ${head[":status"]}`);
      if (place) send(0x81, Buffer.from(place));
      send(0x89, Buffer.from("still there"));
    });
    let got = Buffer.alloc(0);
    stream.on("data", (data) => {
      got = Buffer.concat([got, data]);
      while (got.length >= 2) {
        const long = (got[1] & 0x7f) === 126;
        const from = long ? 4 : 2;
        if (got.length < from) return;
        const to = from + (long ? got.readUInt16BE(2) : got[1] & 0x7f);
        if (got.length < to) return;
        const [kind, payload] = [got[0] & 0x0f, got.subarray(from, to)];
        got = got.subarray(to);
        if (kind === 1) console.log(`frame: ${payload}`);
        if (kind === 10) console.log(`pong: ${payload}`);
        if (kind === 8) {
          console.log(`closed: ${payload.readUInt16BE(0)}`);
          send(0x88, payload);
        }
      }
    });
    stream.on("end", () => {
      console.log("ended");
      session.close();
    });
  });
} else {
  const { chromium } = require("playwright-core");
  const browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: [
      "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync",
    ],
  });
  const page = await (await browser.newContext()).newPage();
  await page.exposeFunction("say", (text) => console.log(text));
  await page.goto(place);
  await page.evaluate((url) => new Promise((done) => {
    const socket = new WebSocket(url);
    socket.onmessage = (event) => window.say(`frame: ${event.data}`);
    socket.onclose = async (event) => {
      await window.say(`closed: ${event.code}`);
      done();
    };
  }), url);
  await browser.close();
}
