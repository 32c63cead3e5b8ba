import { createHash, randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freshServer, problemOf, type FreshServer } from "../../test/server.ts";
import type { BlobView } from "./blob-routes.ts";

let server: FreshServer;
beforeAll(async () => void (server = await freshServer()));
afterAll(() => server.drop());
const leftovers = () => readdirSync(join(server.folder, "uploads"));

test("bytes come back as they were put, under their SHA-256, and nothing of the upload is left", async () => {
  const bytes = randomBytes(3_000_001);
  const put = await server.admin.put<BlobView>("/v1/blobs", bytes);
  expect(put).toEqual({ id: `sha256:${createHash("sha256").update(bytes).digest("hex")}`, bytes: bytes.length });
  expect(await server.admin.put<BlobView>("/v1/blobs", bytes)).toEqual(put);
  expect((await server.admin.getBytes(`/v1/blobs/${put.id}`)).equals(bytes)).toBe(true);
  expect(leftovers()).toEqual([]);
});

test("no bytes are bytes as well", async () => {
  expect(await server.admin.put<BlobView>("/v1/blobs", new Uint8Array())).toMatchObject({ bytes: 0 });
});

test("a blob is sent as an attachment, so that no browser shows it as a page of ours", async () => {
  const trainer = await server.as("trainer");
  const { id } = await trainer.put<BlobView>("/v1/blobs", Buffer.from("<script>alert(1)</script>"));
  expect((await trainer.getBytes(`/v1/blobs/${id}`)).toString()).toBe("<script>alert(1)</script>");
  const token = await server.admin.post<{ readonly token: string }>("/v1/tokens", { name: "raw", role: "trainer" });
  const answer = await fetch(`${server.url}/v1/blobs/${id}`, { headers: { authorization: `Bearer ${token.token}` } });
  expect(answer.headers.get("content-disposition")).toBe("attachment");
  expect(answer.headers.get("content-type")).toBe("application/octet-stream");
  expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
});

test("raw bytes may be people's data: readers need protected:read, and writing needs registry:write", async () => {
  const { id } = await server.admin.put<BlobView>("/v1/blobs", Buffer.from("id,sex\n1,f\n"));
  for (const role of ["viewer", "analyst"]) expect((await problemOf((await server.as(role)).getBytes(`/v1/blobs/${id}`))).status).toBe(403);
  expect((await (await server.as("analyst", ["protected:read"])).getBytes(`/v1/blobs/${id}`)).length).toBe(11);
  for (const role of ["viewer", "analyst", "application", "outcomes"])
    expect((await problemOf((await server.as(role)).put("/v1/blobs", Buffer.from("x")))).status).toBe(403);
});

test("an id that is none is 400, one that is unknown 404, JSON instead of bytes 415", async () => {
  expect(await problemOf(server.admin.getBytes("/v1/blobs/..%2f..%2fetc"))).toMatchObject({ status: 400, errors: [{ path: "/id" }] });
  expect((await problemOf(server.admin.getBytes(`/v1/blobs/sha256:${"0".repeat(64)}`))).status).toBe(404);
  const asJson = server.admin.put("/v1/blobs", Buffer.from("{}"), { headers: { "content-type": "application/json" } });
  const problem = await problemOf(asJson);
  expect(problem).toMatchObject({ status: 415 });
  expect(problem.detail).toContain("application/octet-stream");
});

test(
  "an upload may be larger than memory allows at once: it is taken as it comes, and nothing of it is left over",
  { timeout: 180_000 },
  async () => {
    const piece = randomBytes(1 << 20);
    const [pieces, hash] = [257, createHash("sha256")];
    for (let i = 0; i < pieces; i++) hash.update(piece);
    const sent = async function* () {
      for (let i = 0; i < pieces; i++) yield piece;
    };
    const put = await server.admin.putStream<BlobView>("/v1/blobs", sent());
    expect(put).toEqual({ id: `sha256:${hash.digest("hex")}`, bytes: pieces << 20 });
    expect(leftovers()).toEqual([]);
  },
);

test("an upload that breaks off leaves nothing behind", async () => {
  const token = await server.admin.post<{ readonly token: string }>("/v1/tokens", { name: "breaks", role: "trainer" });
  const abort = new AbortController();
  const body = new ReadableStream({
    start: (controller) => controller.enqueue(new Uint8Array(100_000)),
  });
  setTimeout(() => abort.abort(), 200);
  const options = { method: "PUT", body, duplex: "half", signal: abort.signal } as const;
  const headers = { authorization: `Bearer ${token.token}`, "content-type": "application/octet-stream" };
  await expect(fetch(`${server.url}/v1/blobs`, { ...options, headers })).rejects.toThrow("aborted");
  await expect.poll(leftovers, { timeout: 5_000 }).toEqual([]);
});
