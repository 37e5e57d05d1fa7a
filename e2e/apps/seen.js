// Counts the requests that Node understands, and says of each what it saw.
const http = require("node:http");

const seen = [];
const server = http.createServer((request, response) => {
  if (request.url === "/seen") {
    response.end(JSON.stringify(seen));
    return;
  }
  let length = 0;
  request.on("data", (piece) => { length += piece.length; });
  // Only a body that came whole makes a request.
  request.on("end", () => {
    if (!request.complete) return;
    seen.push(request.url);
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ target: request.url, length, headers: request.rawHeaders }));
  });
  request.on("error", () => {});
});
server.listen(0, "127.0.0.1", () => console.log(`port ${server.address().port}`));
