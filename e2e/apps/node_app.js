// A Node backend without any package: slow work with trailers, keep-alive connections, and an echo.
const http = require("node:http");

let release;
const released = new Promise((resolve) => { release = resolve; });

const server = http.createServer(async (request, response) => {
  if (request.url === "/release") {
    release();
    response.writeHead(204).end();
  } else if (request.url === "/slow") {
    await released;
    response.writeHead(200, { "content-type": "text/plain", trailer: "x-checksum" });
    response.write("slow ");
    response.write("answer");
    response.addTrailers({ "x-checksum": "11" });
    response.end();
  } else {
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    const body = Buffer.concat(pieces).toString();
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ method: request.method, url: request.url, body }));
  }
});

server.listen(0, "127.0.0.1", () => console.log(`port ${server.address().port}`));
