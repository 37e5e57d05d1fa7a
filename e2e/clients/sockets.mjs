// WebSocket clients that nobody here wrote: npm's ws, and Chromium's own from a page. Prints each
// frame and how the socket was closed. Arguments: ws or chromium, the URL of the socket, and for
// Chromium the URL of the page that opens it.
import { createRequire } from "node:module";
const require = createRequire(process.env.RAINCHECK_TEST_NODE_MODULES + "/");

const [how, url, place] = process.argv.slice(2);
if (how === "ws") {
  const { WebSocket } = require("ws");
  const socket = new WebSocket(url);
  socket.on("message", (data) => console.log(`frame: ${data}`));
  socket.on("ping", () => console.log("ping"));
  socket.on("close", (code) => console.log(`closed: ${code}`));
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
