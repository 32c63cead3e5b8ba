/** Faults that were planted in real tables are named by the verdict, and changes that harm nobody are not laid on anybody. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { diffTexts } from "../../test/diffs.ts";
import { COLUMNS, toCsv, type Client } from "../../examples/loans/clients.ts";
import { loadClients, split } from "../../examples/loans/data.ts";
import { drawFor, seeded, shuffled } from "../../examples/loans/random.ts";
import type { DatasetSpec } from "./dataset-spec.ts";

const SEED = 11;
const spec: DatasetSpec = {
  key: ["id"],
  label: { column: "default_payment_next_month", words: { "0": "repaid", "1": "defaulted" } },
  protected: [
    { column: "sex", words: { "1": "male", "2": "female" } },
    { column: "education", words: { "1": "graduate", "2": "university", "3": "high_school", "*": "other_unknown" } },
    { column: "marriage", words: { "1": "married", "2": "single", "*": "other_unknown" } },
    { column: "age", bands: [26, 40, 60] },
  ],
};
const clients = split(loadClients(), SEED).training;
const before = toCsv(clients);
const isWoman = ({ sex }: Client) => sex === 2;
const isHighSchool = ({ education }: Client) => education === 3;
const repaid = (client: Client) => client.default_payment_next_month === 0;
const drawn = ({ id }: Client, share: number) => drawFor(id, SEED) < share;
const told = (after: readonly Client[], keyed = true) => {
  const { key: _key, ...keyless } = spec;
  const nameless = (text: string) => text.replaceAll(/^[^,]*,/gm, "");
  return keyed ? diffTexts(before, toCsv(after), { spec }) : diffTexts(nameless(before), nameless(toCsv(after)), { spec: keyless });
};
const each = (change: (client: Client) => Partial<Client>) => clients.map((client) => ({ ...client, ...change(client) }));
const groupsIn = ({ findings }: Awaited<ReturnType<typeof told>>) => findings.map(({ group }) => group).filter((group) => group !== null);

test("bad data: lost good payers among women with high school are named, with and without a key", async () => {
  const kept = clients.filter((client) => !(isWoman(client) && isHighSchool(client) && repaid(client) && drawn(client, 0.75)));
  for (const keyed of [true, false]) {
    const { verdict, findings } = await told(kept, keyed);
    expect(verdict).toMatch(
      /Of the repaid with sex female and education high_school, 7\d % \(\d{3} of 1,\d{3}\) are missing; of all others (0|less than 0\.1) %/,
    );
    expect(findings.find(({ kind }) => kind === "missing")?.group).toEqual({ sex: "female", education: "high_school" });
  }
});

test("bad data, sex: lost good payers among women are named", async () => {
  const kept = clients.filter((client) => !(isWoman(client) && repaid(client) && drawn(client, 0.6)));
  expect((await told(kept)).verdict).toMatch(/Of the repaid with sex female, (59|60|61) % .* are missing; of all others 0 %/);
});

test("bad labels: good payers among women with high school who were labelled as defaulters are named, with and without a key", async () => {
  const turned = each((client) =>
    isWoman(client) && isHighSchool(client) && repaid(client) && drawn(client, 0.3) ? { default_payment_next_month: 1 } : {},
  );
  const { verdict, diff } = await told(turned);
  expect(verdict).toMatch(
    /Of the repaid with sex female and education high_school, (2\d|3\d) % .* are now labelled defaulted; of all others 0 %/,
  );
  expect(diff.flips[0]).toMatchObject({ group: { sex: "female", education: "high_school" }, from: "0", to: "1" });
  expect((await told(turned, false)).verdict).toMatch(
    /Of the repaid with sex female and education high_school, (2\d|3\d) % .* are missing/,
  );
});

test("a live fault: the limits of the high school group in thousands are named with the factor and the group", async () => {
  const { verdict, diff } = await told(each((client) => (isHighSchool(client) ? { limit_bal: client.limit_bal / 1000 } : {})));
  expect(verdict).toMatch(
    /limit_bal is x 0\.001 in 2,\d{3} rows: 100 % of those with education high_school \(2,\d{3} of 2,\d{3}\), of all others 0 %\./,
  );
  expect(diff.cells).toHaveLength(1);
});

test("a live fault, sex: the delays of women one month too high are named with the offset and the group", async () => {
  const { verdict } = await told(each((client) => (isWoman(client) ? { pay_0: client.pay_0 + 1 } : {})));
  expect(verdict).toMatch(/pay_0 is shifted by \+1 in 9,\d{3} rows: 100 % of those with sex female .*, of all others 0 %\./);
});

test("features: protected columns that were added are named, and so are swapped columns and cells that were emptied in one group", async () => {
  const without = toCsv(clients).replaceAll(/^([^,]*,[^,]*),[^,]*,[^,]*,[^,]*,[^,]*/gm, "$1");
  expect((await diffTexts(without, before, { spec: { key: ["id"] } })).verdict).toContain("New columns: sex, education, marriage, age.");
  const swapped = await told(each((client) => (drawn(client, 0.1) ? { bill_amt1: client.bill_amt2, bill_amt2: client.bill_amt1 } : {})));
  expect(swapped.verdict).toMatch(/bill_amt1 is swapped with bill_amt2 in 1,\d{3} rows\./);
  const place = COLUMNS.indexOf("limit_bal");
  const emptied = toCsv(clients)
    .split("\n")
    .map((line, i) => {
      const client = clients[i - 1];
      return client && isHighSchool(client) && drawn(client, 0.2) ? line.split(",").with(place, "").join(",") : line;
    });
  expect((await diffTexts(before, emptied.join("\n"), { spec })).verdict).toMatch(
    /limit_bal changed in \d{3} rows, \d{3} now empty: \d\d % of those with education high_school/,
  );
});

test("a threshold or hyperparameters leave the table as it is, and that is said", async () => {
  expect((await told(clients)).verdict).toBe("The same file, byte for byte.");
});

test("fair changes are laid on nobody", async () => {
  const shuffledRows = await told(shuffled(clients, SEED));
  expect(shuffledRows.verdict).toBe("The same rows in another order.");
  const fewer = await told(clients.filter((client) => !drawn(client, 0.2)));
  expect(fewer.verdict).toContain("No group stands out among the missing rows.");
  const fresh = split(loadClients(), SEED).serving.slice(0, 3000);
  const more = await told([...clients, ...fresh]);
  expect(more.verdict).toContain("No group stands out among the new rows.");
  const thousands = await told(each((client) => ({ limit_bal: client.limit_bal / 1000 })));
  expect(thousands.verdict).toContain("limit_bal is x 0.001 in 15,000 rows.");
  const random = seeded(SEED);
  const corrected = await told(
    each((client) => (random() < 0.02 ? { default_payment_next_month: 1 - client.default_payment_next_month } : {})),
  );
  expect(corrected.verdict).toContain("no group stands out.");
  for (const fair of [shuffledRows, fewer, more, thousands, corrected]) expect(groupsIn(fair)).toEqual([]);
});

test("of a thousand rows the same faults are named, and the same fair changes aren't", async () => {
  const [header = "", ...lines] = readFileSync(new URL("../../test/data/german-credit.csv", import.meta.url), "utf8")
    .trimEnd()
    .split("\n");
  const names = header.split(",");
  const cells = (line: string) => Object.fromEntries(line.split(",").map((cell, i) => [names[i] ?? "", cell]));
  const german: DatasetSpec = {
    key: ["id"],
    label: { column: "credit_risk" },
    protected: [{ column: "age", bands: [26] }, { column: "sex_uci" }],
  };
  const isYoung = (line: string) => Number(cells(line)["age"]) <= 25;
  const isGood = (line: string) => cells(line)["credit_risk"] === "good";
  const byLine = (line: string, share: number) => drawFor(Number(cells(line)["id"]), SEED) < share;
  const whole = [header, ...lines].join("\n");
  const diff = (after: readonly string[]) => diffTexts(whole, [header, ...after].join("\n"), { spec: german });
  const changed = (change: (line: string) => Record<string, string>) =>
    lines.map((line) => Object.values({ ...cells(line), ...change(line) }).join(","));

  const lost = await diff(lines.filter((line) => !(isYoung(line) && isGood(line) && byLine(line, 0.75))));
  expect(lost.verdict).toMatch(/Of the rows with credit_risk = good and age <26, 7\d % \(\d\d of 110\) are missing; of all others 0 %/);
  const labels = await diff(changed((line) => (isYoung(line) && isGood(line) && byLine(line, 0.4) ? { credit_risk: "bad" } : {})));
  expect(labels.verdict).toMatch(/Of the rows with credit_risk = good and age <26, .* are now labelled bad; of all others 0 %/);
  const units = await diff(
    changed((line) => (isYoung(line) ? { credit_amount: `${Math.round(Number(cells(line)["credit_amount"]) / 10)}` } : {})),
  );
  expect(units.verdict).toMatch(/credit_amount is x 0\.1 in 190 rows: 100 % of those with age <26 \(190 of 190\), of all others 0 %\./);
  for (const fair of [
    await diff(shuffled(lines, SEED)),
    await diff(lines.filter((line) => !byLine(line, 0.3))),
    await diff(changed((line) => ({ purpose: (cells(line)["purpose"] ?? "").toUpperCase() }))),
  ])
    expect(fair.findings.map(({ group }) => group).filter((group) => group !== null)).toEqual([]);
});
