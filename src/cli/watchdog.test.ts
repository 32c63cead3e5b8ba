import { spawn } from "node:child_process";
import { expect, test } from "vitest";

const watchdog = new URL("./watchdog.ts", import.meta.url).href;
const run = (script: string) =>
  new Promise<{ readonly signal: string | null; readonly said: string }>((resolve) => {
    const child = spawn(process.execPath, [
      "--input-type=module",
      "-e",
      `import { startWatchdog } from ${JSON.stringify(watchdog)};${script}`,
    ]);
    let said = "";
    child.stderr.on("data", (chunk: Buffer) => void (said += chunk.toString()));
    child.on("close", (_code, signal) => resolve({ signal, said }));
  });

test("a process whose event loop stands still is ended, and says so; one that is merely busy is not", async () => {
  const [stuck, busy] = await Promise.all([
    run("startWatchdog(2); setTimeout(() => { for (;;); }, 100);"),
    run(
      "startWatchdog(3); const until = Date.now() + 1500; setTimeout(() => { while (Date.now() < until); }, 100); setTimeout(() => process.exit(), 4000);",
    ),
  ]);
  expect(stuck.signal).toBe("SIGKILL");
  expect(stuck.said).toContain("nothing has moved for 2 s");
  expect(busy).toEqual({ signal: null, said: "" });
});
