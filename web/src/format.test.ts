import { describe, expect, test } from "vitest";
import * as format from "./format.ts";

describe("numbers", () => {
  test.each([
    [1192, "1,192"],
    [0, "0"],
    [-1192, "−1,192"],
  ])("count %d is %s", (value, text) => expect(format.count(value)).toBe(text));

  test("one person is not 1 people", () => expect([1, 2, 0].map(format.people)).toEqual(["1 person", "2 people", "0 people"]));

  test.each([
    [0.734, "73.4 %"],
    [0.0004, "<0.1 %"],
    [0, "0 %"],
    [1, "100.0 %"],
  ])("rate %d is %s", (value, text) => expect(format.rate(value)).toBe(text.replace(" ", "\u202f")));

  test.each([
    [0.05, "5 %"],
    [0.125, "12.5 %"],
    [0.07, "7 %"],
    [1, "100 %"],
  ])("share %d is %s", (value, text) => expect(format.share(value)).toBe(text.replace(" ", "\u202f")));

  test.each([
    [0.014, "+1.4"],
    [-0.323, "−32.3"],
    [0, "0.0"],
    [-0.0001, "0.0"],
    [0.0001, "0.0"],
  ])("points %d are %s", (value, text) => expect(format.points(value)).toBe(text));

  test.each([
    [0.842, 0.8, "0.84"],
    [0.7971, 0.8, "0.797"],
    [0.7996, 0.8, "0.7996"],
    [0.80004, 0.8, "0.80004"],
    [0.8, 0.8, "0.800"],
    [0.912, undefined, "0.91"],
  ])("ratio %d under the limit %d is %s", (value, limit, text) => expect(format.ratio(value, limit)).toBe(text));

  test("a written ratio is never on the other side of its limit, nor on it", () => {
    const wrong = Array.from({ length: 4001 }, (_, i) => i - 2000).filter(
      (i) => Math.sign(Number(format.ratio(0.8 + i * 1e-5, 0.8)) - 0.8) !== Math.sign(i),
    );
    expect(wrong).toEqual([]);
  });

  test.each([
    [0.001, "<0.01"],
    [0.08, "0.08"],
    [14.34, "14.3"],
    [31, "31"],
    [203.2, "203"],
    [2e9, "over 1,000,000"],
  ])("evidence %d is %s", (value, text) => expect(format.evidence(value)).toBe(text));

  test("evidence says of how much", () => expect(format.evidenceOf(31, 240)).toBe("31 of 240"));

  test.each([
    [40, "<0.1 ms"],
    [0, "0.0 ms"],
    [3_800, "3.8 ms"],
    [18_000, "18 ms"],
    [1_160_000, "1.16 s"],
    [64_000_000, "64 s"],
    [540_000_000, "9 min"],
    [93_600_000_000, "26 h"],
  ])("a duration of %d µs is %s", (us, text) => expect(format.duration(us)).toBe(text.replace(" ", "\u00a0")));

  test("distances from the proof carry their sign", () =>
    expect([0, 18_000, -540_000_000].map(format.distance)).toEqual(["0", "+18\u00a0ms", "−9\u00a0min"]));
});

describe("times", () => {
  const nowMs = Date.UTC(2026, 10, 18, 12, 4);
  const utc = format.timesOf({ nowMs, zone: "UTC" });

  test.each([
    [Date.UTC(2026, 10, 18, 10, 49, 16), "10:49:16", "10:49"],
    [Date.UTC(2026, 10, 17, 16, 20), "17 Nov 16:20", "17 Nov"],
    [Date.UTC(2025, 10, 18, 10, 49), "18 Nov 2025", "18 Nov 2025"],
    [Date.UTC(2026, 10, 18, 0, 0), "00:00:00", "00:00"],
  ])("%d is told as seen from now", (ms, moment, short) => expect([utc.moment(ms), utc.short(ms)]).toEqual([moment, short]));

  test("milliseconds are there where they are asked for", () =>
    expect(utc.millis(Date.UTC(2026, 10, 18, 10, 49, 16, 89))).toBe("10:49:16.089"));

  test("the day is that of the server's zone, which is named", () => {
    const berlin = format.timesOf({ nowMs: Date.UTC(2026, 10, 18, 0, 30), zone: "Europe/Berlin" });
    expect(berlin.moment(Date.UTC(2026, 10, 17, 23, 30))).toBe("00:30:00");
    expect([berlin.zone, utc.zone]).toEqual(["CET", "UTC"]);
  });
});
