// Verifies tokens by what a server publishes, with libraries that are not ours. It reads a list of
// {jwks, issuer, audience, algorithm, token} and writes, for each library, what it found: the subject, or why not.
import { readFileSync } from "node:fs";
import { createRemoteJWKSet, jwtVerify } from "jose";
import jsonwebtoken from "jsonwebtoken";
import jwksRsa from "jwks-rsa";

const remote = new Map();

async function jose({ jwks, issuer, audience, algorithm, token }) {
  if (!remote.has(jwks)) remote.set(jwks, createRemoteJWKSet(new URL(jwks)));
  const options = { issuer, audience, algorithms: [algorithm], typ: "at+jwt" };
  const { payload } = await jwtVerify(token, remote.get(jwks), options);
  return payload.sub;
}

async function nodeJsonwebtoken({ jwks, issuer, audience, algorithm, token }) {
  if (algorithm === "EdDSA") return "unsupported"; // by the library
  const client = jwksRsa({ jwksUri: jwks, cache: false });
  const { header } = jsonwebtoken.decode(token, { complete: true });
  const key = await client.getSigningKey(header.kid);
  return jsonwebtoken.verify(token, key.getPublicKey(), { issuer, audience, algorithms: [algorithm] }).sub;
}

const inputs = JSON.parse(readFileSync(0, "utf8"));
const found = {};
for (const [name, verify] of Object.entries({ jose, jsonwebtoken: nodeJsonwebtoken })) {
  found[name] = [];
  for (const input of inputs) {
    found[name].push(await verify(input).catch((e) => `refused: ${e.code ?? e.name}: ${e.message}`));
  }
}
console.log(JSON.stringify(found));
