// A person's browser: opens a URL whose answer takes long, and says line by line what it shows.
// Arguments: the URL, and what to do: wait, wait-without-scripts or cancel.
import { createRequire } from "node:module";
const require = createRequire(process.env.RAINCHECK_TEST_NODE_MODULES + "/");
const { chromium } = require("playwright-core");
const axe = require.resolve("axe-core/axe.min.js");

const [url, task, picture] = process.argv.slice(2);
const say = (what, value) => console.log(`${what}: ${JSON.stringify(value)}`);
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
  ],
});
try {
  const scripts = task !== "wait-without-scripts";
  const context = await browser.newContext({ javaScriptEnabled: scripts });
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  await page.goto(url);
  say("page", await page.locator("h1").textContent());
  if (picture) await page.screenshot({ path: picture });
  if (scripts) {
    const free = await browser.newContext({ bypassCSP: true });
    const copy = await free.newPage();
    await copy.goto(page.url());
    await copy.addScriptTag({ path: axe });
    const { violations } = await copy.evaluate("axe.run()");
    say("violations", violations.map((violation) => violation.id));
    await free.close();
  }
  if (task === "cancel") await page.getByRole("button", { name: "Cancel" }).click();
  const end = task === "cancel" ? "text=Cancelled" : "text=the report";
  await page.waitForSelector(end);
  say("end", (await page.locator("body").innerText()).split("\n")[0]);
  say("complaints", complaints);
} finally {
  await browser.close();
}
