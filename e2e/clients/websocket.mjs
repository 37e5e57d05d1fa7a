// WebSocket clients of Node and of a browser. Arguments: `ws`, `h2` or `chromium`, the gateway's URL
// and a path. Each says what it got in a line.
import { createRequire } from "node:module";
import http2 from "node:http2";
const require = createRequire(process.env.RAINCHECK_TEST_NODE_MODULES + "/");

const [how, gateway, path] = process.argv.slice(2);
process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";

// The `ws` package.
function ws() {
  const { WebSocket } = require("ws");
  const socket = new WebSocket(gateway.replace("http", "ws") + path);
  socket.on("open", () => socket.send("hello over ws"));
  socket.on("message", (data) => {
    console.log(`got ${data}`);
    socket.close(1000, "bye");
  });
  socket.on("close", (code) => console.log(`closed ${code}`));
}

// An extended CONNECT (RFC 8441), with frames made by hand.
function h2() {
  const session = http2.connect(gateway);
  session.on("remoteSettings", ({ enableConnectProtocol }) => {
    console.log(`allowed ${enableConnectProtocol}`);
    const ask = (protocol, then) => {
      const stream = session.request({
        ":method": "CONNECT", ":protocol": protocol, ":scheme": "https",
        ":authority": new URL(gateway).host, ":path": path, "sec-websocket-version": "13",
      });
      stream.on("response", (head) => then(stream, head));
    };
    ask("websocket", (stream, head) => {
      const own = ["sec-websocket-accept", "upgrade", "connection"].filter((name) => head[name]);
      console.log(`answered ${head[":status"]} ${own}`);
      // One masked text frame, then a close with 1000; the key is all zeros.
      const text = Buffer.from("hello over h2");
      stream.write(Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), text]));
      let got = Buffer.alloc(0);
      stream.on("data", (data) => {
        got = Buffer.concat([got, data]);
        if (got.length >= 2 + text.length && got.length < 4 + text.length) {
          console.log(`got ${got.subarray(2, 2 + text.length)}`);
          stream.write(Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]));
        }
        if (got.length === 6 + text.length) console.log(`closed ${got.readUInt16BE(4 + text.length)}`);
      });
      stream.on("end", () => {
        console.log("ended");
        ask("connect-ip", (refused, { ":status": status }) => {
          console.log(`refused ${status}`);
          session.destroy();
        });
      });
    });
  });
}

// A page in Chromium.
async function chromium() {
  const { chromium } = require("playwright-core");
  const browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
      "--ignore-certificate-errors", "--disable-background-networking", "--disable-sync"],
  });
  try {
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    const page = await context.newPage();
    await page.goto(gateway + path);
    const said = await page.evaluate((url) => new Promise((resolve) => {
      const socket = new WebSocket(url);
      const got = [];
      socket.onopen = () => ["hello from a page", "via"].forEach((text) => socket.send(text));
      socket.onmessage = ({ data }) => { if (got.push(data) === 2) socket.close(1000); };
      socket.onclose = ({ code }) => resolve([...got, code]);
    }), gateway.replace("http", "ws") + path);
    console.log(`got ${said[0]}\nvia ${said[1]}\nclosed ${said[2]}`);
  } finally {
    await browser.close();
  }
}

await { ws, h2, chromium }[how]();
