// A WebSocket server as the `ws` package makes it, beside a page: every message comes back, and the
// message `via` brings the field of that name.
const http = require("node:http");
const { WebSocketServer } = require(process.env.RAINCHECK_TEST_NODE_MODULES + "/ws");

const server = http.createServer((request, response) => {
  response.setHeader("content-type", "text/html");
  response.end("<h1>a page</h1>");
});
new WebSocketServer({ server, perMessageDeflate: true }).on("connection", (socket, request) => {
  socket.on("message", (data, binary) => {
    const text = binary ? null : data.toString();
    socket.send(text === "via" ? request.headers.via : data, { binary });
  });
});
server.listen(0, "127.0.0.1", () => console.log(`port ${server.address().port}`));
