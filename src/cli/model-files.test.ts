import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { externalModel } from "../../test/fixtures/onnx-forms.ts";
import { logisticModel } from "../../test/fixtures/onnx-models.ts";
import { freshServer, type FreshServer } from "../../test/server.ts";
import { isModelPath, uploadModel } from "./model-files.ts";

let server: FreshServer;
let cwd = "";
beforeAll(async () => {
  server = await freshServer();
  cwd = mkdtempSync(join(tmpdir(), "evenkeel-model-"));
});
afterAll(async () => {
  rmSync(cwd, { recursive: true });
  await server.drop();
});
const folder = (name: string, files: Readonly<Record<string, Uint8Array | string>>): string => {
  mkdirSync(join(cwd, name));
  for (const [file, bytes] of Object.entries(files)) writeFileSync(join(cwd, name, file), bytes);
  return name;
};
const upload = (path: string) => uploadModel(server.admin, cwd, path);

test("only what belongs to the model leaves the machine", async () => {
  const { model, data } = externalModel([1, 2], "w.data");
  const path = folder("own", { "net.onnx": model, "w.data": data, ".env": "SECRET=1", "notes.txt": "x" });
  const uploaded = await upload(path);
  expect("files" in uploaded ? uploaded.files.map(({ name }) => name) : uploaded).toEqual(["net.onnx", "w.data"]);
  expect(await upload(join(path, "net.onnx"))).toMatchObject({ blob: expect.stringMatching(/^sha256:/) });
});

test("links to other places are refused, for the model as for its weights", async () => {
  const { model, data } = externalModel([1, 2], "w.data");
  writeFileSync(join(cwd, "secret"), data);
  symlinkSync("../secret", join(cwd, folder("symbolic", { "net.onnx": model }), "w.data"));
  linkSync(join(cwd, "secret"), join(cwd, folder("hard", { "net.onnx": model }), "w.data"));
  symlinkSync("../own/net.onnx", join(cwd, folder("linked", {}), "net.onnx"));
  for (const [path, what] of [
    ["symbolic", "a symbolic link"],
    ["hard", "a hard link"],
    ["linked", "a symbolic link"],
  ] as const)
    await expect(upload(path)).rejects.toThrow(what);
});

test("a folder without one model says what it holds", async () => {
  await expect(upload(folder("empty", {}))).rejects.toThrow("expected one file that ends in .onnx, got none");
  const two = folder("two", { "a.onnx": logisticModel([1]), "b.onnx": logisticModel([1]) });
  await expect(upload(two)).rejects.toThrow(/a\.onnx, b\.onnx|b\.onnx, a\.onnx/);
  await expect(upload(folder("cut", { "net.onnx": externalModel([1], "w.data").model }))).rejects.toThrow(
    "the file w.data beside the model",
  );
  await expect(upload("nowhere")).rejects.toThrow("nowhere can't be read: there is no such file");
});

test("a path is told from a reference", () => {
  expect(["./folder", "../a", "/abs/model", "model.onnx", "a/model.onnx", ".", "..", "~/m"].filter((text) => !isModelPath(text))).toEqual(
    [],
  );
  expect(["credit/3", "credit@champion", "mdl:00", "models:/credit@champion", "credit.v2/1"].filter(isModelPath)).toEqual([]);
});
