import { expect, test } from "vitest";
import { simulatedRuntime } from "../store/index.ts";
import { MemoryPressure, groupMemory, type GroupMemory } from "./memory-pressure.ts";

test("it is high above 85 % of the limit, looked at ten times a second, and never where there is no limit", () => {
  const { clock, advance } = stepped();
  let memory: GroupMemory | undefined = { usedBytes: 85, limitBytes: 100 };
  let looks = 0;
  const pressure = new MemoryPressure(clock, () => {
    looks++;
    return memory;
  });
  expect(pressure.isHigh()).toBe(false);
  memory = { usedBytes: 86, limitBytes: 100 };
  expect(pressure.isHigh()).toBe(false);
  advance(100);
  expect([pressure.isHigh(), pressure.isHigh(), looks]).toEqual([true, true, 2]);
  memory = undefined;
  advance(100);
  expect(pressure.isHigh()).toBe(false);
});

test("what the system says is a part of its limit, where it sets one", () => {
  const memory = groupMemory();
  expect(memory === undefined || memory.usedBytes <= memory.limitBytes).toBe(true);
});

function stepped() {
  const { clock } = simulatedRuntime(1, 0);
  let skippedUs = 0;
  return {
    clock: { nowMs: () => clock.nowMs(), monotonicUs: () => clock.monotonicUs() + skippedUs },
    advance: (ms: number) => void (skippedUs += ms * 1000),
  };
}
