// Verifies messages, one JSON object a line: with the reference library for a secret, and for a
// public key, which that library does not know, with Node's own Ed25519.
import { createPublicKey, verify } from "node:crypto";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
const require = createRequire(process.env.RAINCHECK_TEST_NODE_MODULES + "/");
const { Webhook, WebhookVerificationError } = require("standardwebhooks");

const asymmetric = (key, headers, body) => {
  const x = Buffer.from(key.slice("whpk_".length), "base64").toString("base64url");
  const jwk = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
  const content = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`;
  return headers["webhook-signature"]
    .split(" ")
    .filter((signature) => signature.startsWith("v1a,"))
    .some((signature) =>
      verify(null, Buffer.from(content), jwk, Buffer.from(signature.slice(4), "base64")));
};

for await (const line of createInterface({ input: process.stdin })) {
  const { secret, headers, body } = JSON.parse(line);
  if (secret.startsWith("whpk_")) {
    console.log(asymmetric(secret, headers, body) ? "good" : "bad");
    continue;
  }
  try {
    new Webhook(secret).verify(body, headers);
    console.log("good");
  } catch (error) {
    if (!(error instanceof WebhookVerificationError)) throw error;
    console.log("bad");
  }
}
