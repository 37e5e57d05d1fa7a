"use strict";
const { job, result, created, status } = document.body.dataset;
const put = (id, text) => { document.getElementById(id).textContent = text; };
const span = (seconds) => [[3600, "h"], [60, "min"], [1, "s"]]
  .map(([unit, name], i, all) => [Math.floor((i ? seconds % all[i - 1][0] : seconds) / unit), name])
  .filter(([count], i) => count > 0 || i === 2).map((part) => part.join(" ")).join(" ");
const finished = (word) => !["queued", "processing"].includes(word);
const tick = () => put("elapsed", span(Math.max(0, Math.round((Date.now() - Date.parse(created)) / 1000))));
const pause = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));
async function follow() {
  for (let tag = "", failures = 0; ;) {
    try {
      const headers = { Accept: "application/json", Prefer: "wait=20" };
      if (tag) headers["If-None-Match"] = tag;
      const answer = await fetch(job, { headers, cache: "no-store" });
      if (answer.status === 404) return location.reload();
      if (answer.status === 304) { await pause(1); continue; }
      if (!answer.ok) throw new Error(answer.status);
      tag = answer.headers.get("ETag") ?? "";
      const document_ = await answer.json();
      failures = 0;
      put("status", document_.status);
      show(document_.progress);
      if (finished(document_.status)) {
        put("title", "Ready");
        put("advice", "The result opens now. If nothing happens, reload this page.");
        return location.replace(result);
      }
      if (!tag) await pause(2);
    } catch (error) {
      failures += 1;
      put("progress", "The gateway cannot be reached; trying again.");
      await pause(Math.min(30, 2 ** failures));
    }
  }
}
function show(progress) {
  const bar = document.getElementById("bar");
  if (!progress) return;
  if (progress.percent != null) bar.value = progress.percent;
  put("progress", [progress.percent != null ? `${progress.percent} %` : "", progress.message ?? ""]
    .filter(Boolean).join(": "));
}
if (!finished(status)) { setInterval(tick, 1000); follow(); }
