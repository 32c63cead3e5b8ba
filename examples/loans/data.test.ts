import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { COLUMNS, educationOf, hasRepaid, parseClients, sexOf, toCsv, type Client } from "./clients.ts";
import { brokenExtract, loadClients, split, tellStory } from "./data.ts";

const clients = loadClients();
const count = (of: readonly Client[], by: (client: Client) => unknown) => {
  const counts: Record<string, number> = {};
  for (const client of of) counts[String(by(client))] = (counts[String(by(client))] ?? 0) + 1;
  return counts;
};

describe("the data", () => {
  test("is the table of the source, cell for cell", () => {
    // Of the table that was compared with an independent copy; `data/README.md` tells how.
    const sha256 = createHash("sha256").update(toCsv(clients)).digest("hex");
    expect(sha256).toBe("c4cfa40c41e6ecf2386f1b46cf58eeed214436ab474c2457b35b389ebd454763");
    expect(clients).toHaveLength(30_000);
    expect(COLUMNS).toHaveLength(25);
  });

  test("has the groups and base rates that the source is known for", () => {
    expect(count(clients, educationOf)).toEqual({ graduate: 10_585, university: 14_030, high_school: 4_917, other_unknown: 468 });
    expect(count(clients, sexOf)).toEqual({ female: 18_112, male: 11_888 });
    expect(count(clients, hasRepaid)).toEqual({ true: 23_364, false: 6_636 });
  });

  test("is small, compressed without a time, and comes with its licence", () => {
    const packed = readFileSync(new URL("./data/credit-default-taiwan.csv.gz", import.meta.url));
    expect(packed.length).toBeLessThan(1_000_000);
    expect(packed.readUInt32LE(4)).toBe(0); // the modification time of RFC 1952
    const notice = readFileSync(new URL("./data/NOTICE", import.meta.url), "utf8");
    expect(notice).toContain("Yeh, I. (2009)");
    expect(notice).toContain("https://doi.org/10.24432/C55S3H");
    expect(notice).toContain("https://creativecommons.org/licenses/by/4.0/");
    expect(notice).toContain("Changed:");
  });

  test("a table with a missing column or a cell that is no whole number is refused with its line", () => {
    const [header = "", first = ""] = toCsv(clients.slice(0, 1)).split("\n");
    expect(() => parseClients(header.replace("age,", ""))).toThrow("expected the columns");
    expect(() => parseClients(`${header}\n${first}\n${first.replace("20000", "many")}\n`)).toThrow("line 3");
    expect(() => parseClients(`${header}\n${first},1\n`)).toThrow("line 2");
  });
});

describe("the story's data", () => {
  test("the same seed gives the same bytes and the same applicants, another seed others", () => {
    const story = tellStory(7);
    expect(tellStory(7)).toEqual(story);
    expect(tellStory(8).version1).not.toBe(story.version1);
    expect(tellStory(8).applications[0]?.subject).not.toBe(story.applications[0]?.subject);
  });

  test("every client is either trained on or applies, and applies once", () => {
    const { version1, applications } = tellStory(7);
    const trained = parseClients(version1).map(({ id }) => `client-${id}`);
    const applied = applications.map(({ subject }) => subject);
    expect(trained).toHaveLength(15_000);
    expect(new Set([...trained, ...applied]).size).toBe(30_000);
  });

  test("the second version lost three quarters of the good payers with high school, and nobody else", () => {
    const { version1, version2 } = tellStory(7);
    const [before, after] = [parseClients(version1), parseClients(version2)];
    const left = new Set(after.map(({ id }) => id));
    const lost = before.filter(({ id }) => !left.has(id));
    expect(lost.every((client) => educationOf(client) === "high_school" && hasRepaid(client))).toBe(true);
    const atRisk = before.filter((client) => educationOf(client) === "high_school" && hasRepaid(client));
    expect(lost.length / atRisk.length).toBeGreaterThan(0.72);
    expect(lost.length / atRisk.length).toBeLessThan(0.78);
    expect(after.length + lost.length).toBe(before.length);
  });

  test("who is lost doesn't depend on who else is there", () => {
    const { training } = split(clients, 7);
    const half = training.filter((_, i) => i % 2 === 0);
    const inHalf = new Set(half.map(({ id }) => id));
    expect(brokenExtract(half, 7)).toEqual(brokenExtract(training, 7).filter(({ id }) => inHalf.has(id)));
  });

  test("an application tells neither sex nor age nor marriage to a model, and its groups in words", () => {
    const [application] = tellStory(7).applications;
    expect(Object.keys(application?.inputs ?? {})).toHaveLength(20);
    for (const name of ["sex", "age", "marriage", "id", "default_payment_next_month"]) expect(application?.inputs).not.toHaveProperty(name);
    expect(application?.groups).toEqual({
      sex: expect.stringMatching(/^(female|male)$/),
      education: expect.stringMatching(/^(graduate|university|high_school|other_unknown)$/),
    });
    expect(application?.outcome).toMatch(/^(repaid|defaulted)$/);
  });
});
