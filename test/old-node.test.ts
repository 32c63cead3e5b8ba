import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { nodeOfMajor } from "../scripts/programs.ts";

const BINARY = fileURLToPath(new URL("../bin/evenkeel.cjs", import.meta.url));

function start(node: string, args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(node, [...args, "--help"], { encoding: "utf8" });
  return { status, stdout, stderr };
}
const refusal = (version: string) => ({
  status: 1,
  stdout: "",
  stderr: `evenkeel needs Node 22.18 or newer; this is Node ${version} (in a checkout, \`npm run evenkeel -- …\` brings its own)\n`,
});

test.for([18, 20])("on Node %i the binary says in one line what it needs", (major, { skip }) => {
  const node = nodeOfMajor(major, { offline: true });
  if (node === undefined) return skip(`Node ${major} is not in npm's cache: npm exec --package node@${major} -- node --version fetches it`);
  const version = spawnSync(node, ["-p", "process.versions.node"], { encoding: "utf8" }).stdout.trim();
  expect(start(node, [BINARY])).toEqual(refusal(version));
});

test.each(["18.20.8", "20.20.2", "22.17.1"])("the binary takes Node %s for too old, by its number", (version) => {
  const pretend = `Object.defineProperty(process, "versions", { value: { ...process.versions, node: "${version}" } }); require(${JSON.stringify(BINARY)})`;
  expect(start(process.execPath, ["-e", pretend, "--"])).toEqual(refusal(version));
});

test("the binary starts on this Node", () => {
  expect(start(process.execPath, [BINARY])).toMatchObject({ status: 0, stderr: "" });
});
