import { generateKeyPairSync, verify } from "node:crypto";
import { expect, test } from "vitest";
import { signingKey, webhookSignature, type SigningKey } from "./webhook-signature.ts";

/** Vectors W1 to W3 of the protocol notes: computed with node:crypto and with the library `standardwebhooks`. */
const example = {
  id: "msg_01JEVENKEEL0000000000000001",
  timestamp: 1767225600,
  body: '{"type":"rollback.completed","timestamp":"2026-01-01T00:00:00.000Z","data":{"endpoint":"loans","from":"rel_8","to":"rel_7"}}',
};
const keyOf = (text: string): SigningKey => {
  const key = signingKey(text);
  if (!key) throw new Error("not a key");
  return key;
};
const W1 = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const W2 = `whsk_${Buffer.alloc(32, 1).toString("base64")}`;

test("W1: a symmetric secret signs as the specification's own library does", () => {
  expect(webhookSignature([keyOf(W1)], example)).toBe("v1,6Z0G357BYgLe4NNUk2Bkl1X9PobODHUZ0oOJIiuuup4=");
});
test("W2: an Ed25519 key signs as the specification says", () => {
  expect(webhookSignature([keyOf(W2)], example)).toBe(
    "v1a,XzGaNOuFX48kYVA2ljbfnVG9QhE9ed6zUkvRuwqN4bX8PQs66ctZrM4ag65kGM57zW6AYo5z4a0qFp0LxcH6Dg==",
  );
});
test("W3: the specification's own example", () => {
  const content = { id: "msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp: 1614265330, body: '{"test": 2432232314}' };
  expect(webhookSignature([keyOf("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")], content)).toBe(
    "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
  );
});
test("while one secret replaces another, both sign", () => {
  expect(
    webhookSignature([keyOf(W1), keyOf(W2)], example)
      .split(" ")
      .map((one) => one.split(",")[0]),
  ).toEqual(["v1", "v1a"]);
});
test("a private key with its public half signs as the seed alone", () => {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const seed = privateKey.export({ format: "der", type: "pkcs8" }).subarray(-32);
  const raw = publicKey.export({ format: "der", type: "spki" }).subarray(-32);
  const [, signature = ""] = webhookSignature([keyOf(`whsk_${Buffer.concat([seed, raw]).toString("base64")}`)], example).split(",");
  const content = Buffer.from(`${example.id}.${example.timestamp}.${example.body}`);
  expect(verify(null, content, publicKey, Buffer.from(signature, "base64"))).toBe(true);
});
test.each([
  "",
  "whsec_",
  "whsec_AAEC",
  "secret",
  `whsec_${Buffer.alloc(65).toString("base64")}`,
  `whsk_${Buffer.alloc(31).toString("base64")}`,
  "whpk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
])("%j is not a key", (text) => expect(signingKey(text)).toBeUndefined());
