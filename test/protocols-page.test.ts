/** Every example of `docs/protocols.md` is run by the shell, and must answer what the page says. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { protocolServer, type ProtocolServer } from "./protocol-server.ts";

const page = readFileSync(new URL("../docs/protocols.md", import.meta.url), "utf8");
/** A command and, in the block after it, what it answers. */
const examples = [...page.matchAll(/```sh\n([\s\S]*?)\n```\s+```json\n([\s\S]*?)\n```/g)].map(([, command = "", answer = ""]) => ({
  command,
  answer,
}));

let server: ProtocolServer;
beforeAll(async () => {
  server = await protocolServer();
});
afterAll(() => server.drop());

function shell(command: string): Promise<string> {
  const env = { PATH: process.env["PATH"] ?? "", URL: server.url, TOKEN: server.tokens.application, OPERATOR: server.tokens.operator };
  const child = spawn("bash", ["-c", command], { env, timeout: 20_000 });
  let said = "";
  child.stdout.on("data", (chunk: Buffer) => void (said += chunk.toString()));
  return new Promise((resolve) => child.on("close", () => resolve(said)));
}

test("the page has its examples", () => {
  expect(examples.length).toBe(8);
  expect(page.match(/```sh/g)).toHaveLength(examples.length);
});

test.each(examples)("$command", async ({ command, answer }) => {
  const said: unknown = JSON.parse(await shell(command));
  const shown: unknown = JSON.parse(answer);
  expect(said).toMatchObject(Object(shown));
});
