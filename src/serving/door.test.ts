import { expect, test } from "vitest";
import { Door } from "./door.ts";

/** A clock that goes on only as work is done. */
function doorWith(limits: { readonly turnMs: number; readonly maxWaitMs: number }) {
  let nowUs = 0;
  const order: number[] = [];
  const door = new Door({ clock: { nowMs: () => nowUs / 1000, monotonicUs: () => nowUs }, ...limits });
  const enter = (n: number, costMs: number) =>
    door.enter(async () => {
      order.push(n);
      nowUs += costMs * 1000;
      return n;
    });
  return { door, enter, order };
}

/** As many as there have to be before a process is taken for what it is. */
async function grownUp(enter: (n: number, costMs: number) => Promise<number | null>): Promise<void> {
  for (let n = 0; n < 500; n++) await enter(n, 0);
}
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

test("whoever comes while a turn has time left begins on the spot, the others in the turns after it, first come first served", async () => {
  const { door, enter, order } = doorWith({ turnMs: 5, maxWaitMs: 1000 });
  const all = [0, 1, 2, 3, 4, 5, 6].map((n) => enter(n, 2));
  expect(order).toEqual([0, 1, 2]);
  expect(door.waiting).toBe(4);
  await turn();
  const late = enter(7, 2);
  expect(order.slice(0, 6)).toEqual([0, 1, 2, 3, 4, 5]);
  expect(await Promise.all([...all, late])).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
});

test("who would wait longer than the limit is turned away when they come, and nobody is once the others are gone", async () => {
  const { door, enter } = doorWith({ turnMs: 5, maxWaitMs: 50 });
  // A process that has just begun is slow: nobody is turned away for that.
  const young = Array.from({ length: 40 }, (_, n) => enter(n, 5));
  for (let turns = 0; turns < 22; turns++) await turn();
  young.push(...Array.from({ length: 30 }, (_, n) => enter(n, 5)));
  expect(await Promise.all(young)).not.toContain(null);
  await grownUp(enter);
  // A crowd that can be decided on in time is let wait.
  expect(await Promise.all(Array.from({ length: 8 }, (_, n) => enter(n, 5)))).not.toContain(null);
  const crowd = Array.from({ length: 40 }, (_, n) => enter(n, 5));
  for (let turns = 0; turns < 22; turns++) await turn();
  const all = Array.from({ length: 100 }, (_, n) => enter(n, 5));
  expect(door.waiting).toBeLessThan(30);
  await Promise.all(crowd);
  const answers = await Promise.all(all);
  const turnedAway = answers.filter((answer) => answer === null).length;
  expect(turnedAway).toBeGreaterThan(70);
  // Those who came first were let in.
  expect(answers.slice(0, 100 - turnedAway)).not.toContain(null);
  expect(await enter(1, 5)).toBe(1);
});

test("who was let in and has waited five times the limit after all is turned away instead of holding up the others", async () => {
  const { enter } = doorWith({ turnMs: 5, maxWaitMs: 10 });
  expect(await Promise.all([enter(0, 6), enter(1, 60), enter(2, 1), enter(3, 1)])).toEqual([0, 1, null, null]);
});

test("a failure is its own request's", async () => {
  const { door, enter } = doorWith({ turnMs: 1, maxWaitMs: 100 });
  const first = enter(0, 2);
  const broken = door.enter(() => Promise.reject(new Error("broken")));
  const last = enter(1, 2);
  await expect(broken).rejects.toThrow("broken");
  expect([await first, await last]).toEqual([0, 1]);
});
