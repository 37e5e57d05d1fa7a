// The client in Chromium, imported as pages do it: follows a ticket, on a reload goes on with it.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
const require = createRequire(process.env.RAINCHECK_TEST_NODE_MODULES + "/");
const { chromium } = require("playwright-core");

const [page_, gateway, task, seen] = process.argv.slice(2);
const say = (what, value) => console.log(`${what}: ${JSON.stringify(value)}`);
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
  ],
});
try {
  const page = await browser.newPage();
  await page.exposeFunction("say", say);
  const ask = () => page.evaluate(async ([gateway, task]) => {
    const { fetch } = await import(`${gateway}/_raincheck/client.js`);
    const response = await fetch(`${gateway}/work`, {
      method: "POST", body: "x",
      idempotencyKey: task === "key" || task === "held" || undefined,
      remember: task === "key" || task === "cut" ? undefined : "work",
      onTicket: ({ id }) => window.say("ticket", id),
      onProgress: (job) => window.say("progress", job.status),
    });
    if (task === "cut") {
      const bytes = new Uint8Array(await response.arrayBuffer());
      const sum = bytes.reduce((sum, byte) => (Math.imul(sum, 31) + byte) >>> 0, 0);
      return { status: response.status, type: response.type, length: bytes.length, sum };
    }
    return {
      status: response.status, text: await response.text(), type: response.type,
      job: response.headers.get("raincheck-job-id"),
      kept: sessionStorage.length,
    };
  }, [gateway, task]);
  await page.goto(page_);
  if (task !== "key" && task !== "cut") {
    ask().catch(() => {});
    if (task === "held") while (!existsSync(seen)) await new Promise((done) => setTimeout(done, 20));
    else await page.waitForFunction(() => sessionStorage.getItem("raincheck:work:url"));
    await page.reload();
    say("reloaded", true);
  }
  say("response", await ask());
} finally {
  await browser.close();
}
