// Clients over TLS that send one request after the other, over HTTP/2 and HTTP/1.1, until their
// input ends. Every answer must be a 200; prints what went wrong, and how many answers came.
// Usage: node clients.mjs PORT
import http2 from 'node:http2';
import https from 'node:https';

const port = Number(process.argv[2]);
const wrong = [];
const answers = { h1: 0, h2: 0 };
let stopped = false;
process.stdin.resume().on('end', () => (stopped = true));

function overHttp2(session, number) {
  return new Promise((done) => {
    const headers = { ':path': `/x?${number}`, ':method': number % 2 ? 'POST' : 'GET' };
    let request;
    try {
      request = session.request(headers);
    } catch {
      return done(); // The session has just been closed: nothing was sent.
    }
    let status;
    request.on('response', (headers) => (status = headers[':status']));
    request.on('data', () => {});
    request.on('error', (error) => {
      // A GOAWAY said that it was not taken, so it is sent again (RFC 9113 section 8.7).
      if (!/REFUSED_STREAM/.test(error.message)) wrong.push(`h2 ${error.message}`);
      done();
    });
    request.on('end', () => {
      if (status === 200) answers.h2 += 1;
      else wrong.push(`h2 ${status}`);
      done();
    });
    request.end(number % 2 ? 'a'.repeat(500) : undefined);
  });
}

async function sessions() {
  while (!stopped) {
    const session = http2.connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
    let over = false;
    session.on('goaway', () => (over = true)).on('close', () => (over = true));
    session.on('error', (error) => wrong.push(`session ${error.message}`));
    let number = 0;
    const stream = async () => {
      while (!over && !stopped) await overHttp2(session, number++);
    };
    await Promise.all([stream(), stream(), stream()]);
    session.close();
  }
}

async function connections() {
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false });
  for (let number = 0; !stopped; number++) {
    await new Promise((done) => {
      const method = number % 2 ? 'POST' : 'GET';
      const request = https.request({ port, host: '127.0.0.1', path: '/x', method, agent });
      request.on('response', (response) => {
        response.resume().on('end', () => {
          if (response.statusCode === 200) answers.h1 += 1;
          else wrong.push(`h1 ${response.statusCode}`);
          done();
        });
      });
      request.on('error', (error) => {
        wrong.push(`h1 ${error.message}`);
        done();
      });
      request.end(number % 2 ? 'a'.repeat(500) : undefined);
    });
  }
}

await Promise.all([sessions(), sessions(), connections(), connections(), connections()]);
console.log(JSON.stringify({ wrong, answers }));
process.exit(0);
