import { expect, test } from "vitest";
import { frame } from "../../test/fixtures/fake-engine.ts";
import { logLines, pullTrouble, registryAuth } from "./container-streams.ts";

test("frames of a log are told apart by stream (vector D1)", () => {
  const bytes = Buffer.from("010000000000000672656164790a02000000000000087761726e3a20780a", "hex");
  expect(logLines(bytes)).toEqual([
    { stream: "stdout", at: null, text: "ready" },
    { stream: "stderr", at: null, text: "warn: x" },
  ]);
});

test("a line may come in several frames, with its time; what is torn is left out", () => {
  const bytes = Buffer.concat([
    frame(1, "2026-11-30T13:36:29Z half"),
    frame(2, "2026-11-30T13:36:29.319730320+01:00 err\r\n"),
    frame(1, " a line\nlast"),
    frame(1, "lost").subarray(0, 10),
  ]);
  expect(logLines(bytes)).toEqual([
    { stream: "stderr", at: "2026-11-30T13:36:29.319730320+01:00", text: "err" },
    { stream: "stdout", at: "2026-11-30T13:36:29Z", text: "half a line" },
    { stream: "stdout", at: null, text: "last" },
  ]);
  expect(logLines(Buffer.alloc(0))).toEqual([]);
});

test("a model's log doesn't move a terminal's cursor", () => {
  expect(logLines(frame(1, "\u001b[2Jgone\u0007\tok\n"))[0]?.text).toBe("\u{fffd}[2Jgone\u{fffd}\tok");
});

test("credentials for a registry (vector D2), with the padding that old engines want", () => {
  const auth = registryAuth({ username: "u", password: "p", serveraddress: "registry.example.com" });
  expect(auth.replace(/=+$/, "")).toBe("eyJ1c2VybmFtZSI6InUiLCJwYXNzd29yZCI6InAiLCJzZXJ2ZXJhZGRyZXNzIjoicmVnaXN0cnkuZXhhbXBsZS5jb20ifQ");
  expect(auth.length % 4).toBe(0);
});

test.each([
  ["nothing", "", undefined],
  ["progress only", '{"status":"Pulling"}\n{"status":"Complete"}\n', undefined],
  ["an end that begins in the middle", 'tatus":"Pulling"}\n{"status":"Complete"}\n', undefined],
  [
    "an error in it",
    '{"status":"Pulling"}\n{"errorDetail":{"message":"manifest unknown"},"error":"manifest unknown"}\n',
    "manifest unknown",
  ],
  ["an old engine's error", '{"error":"denied"}\n', "denied"],
  ["a break", '{"status":"Pulling"}\n{"stat', "the engine's answer breaks off"],
])("a pull's stream with %s", (_what, stream, trouble) => {
  expect(pullTrouble(stream)).toBe(trouble);
});
