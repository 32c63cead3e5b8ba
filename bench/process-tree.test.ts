import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { cpuSecondsOf, isRunning, memoryOf, parseRollup, parseStat, processTree, treeOf } from "./process-tree.ts";

test("a process whose name holds spaces and parentheses is read like any other", () => {
  const stat = "42 (a) b (c)) S 7 42 40 0 -1 4194304 1 2 3 4 150 50 20 10 20 0 1 0 100 0 0";
  expect(parseStat(stat)).toEqual({ pid: 42, parent: 7, session: 40, cpuSeconds: 2.3, isZombie: false });
});

test("memory is read in bytes, and Pss isn't taken for one of its parts", () => {
  const rollup =
    "55d-7ff ---p 00000000 00:00 0 [rollup]\nRss:   4096 kB\nPss:   1024 kB\nPss_Dirty:   9 kB\nPss_Anon:  8 kB\nShared_Clean: 3 kB\n";
  expect(parseRollup(rollup)).toEqual({ pssBytes: 1024 * 1024, rssBytes: 4096 * 1024 });
});

test("a tree has grandchildren and orphans of the session, and no strangers", () => {
  const stat = (pid: number, parent: number, session: number) => ({ pid, parent, session, cpuSeconds: 0, isZombie: false });
  // 13 comes before its parent 14 and has a session of its own; 15's parent has ended.
  const all = [stat(1, 0, 1), stat(13, 14, 13), stat(10, 1, 10), stat(14, 10, 10), stat(15, 1, 10), stat(20, 1, 20)];
  expect(treeOf(all, 10).map(({ pid }) => pid)).toEqual(expect.arrayContaining([10, 13, 14, 15]));
  expect(treeOf(all, 10)).toHaveLength(4);
  expect(treeOf(all, 99)).toEqual([]);
});

test.runIf(existsSync("/proc/self/smaps_rollup"))("a running process has memory and time, one that has ended has none", async () => {
  const child = spawn("sleep", ["60"], { detached: true, stdio: "ignore" });
  const pid = child.pid ?? 0;
  await once(child, "spawn");
  expect(processTree(pid)).toHaveLength(1);
  expect(isRunning(pid)).toBe(true);
  expect(memoryOf(pid)?.pssBytes).toBeGreaterThan(0);
  expect(cpuSecondsOf(pid)).toBeGreaterThanOrEqual(0);
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(isRunning(pid)).toBe(false);
  expect(memoryOf(pid)).toBeNull();
  expect(cpuSecondsOf(pid)).toBeNull();
});
