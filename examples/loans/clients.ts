/** The clients of the source: its columns, what its codes mean, and its form as CSV. */

const PAYMENTS = ["pay_0", "pay_2", "pay_3", "pay_4", "pay_5", "pay_6"] as const;
const BILLS = ["bill_amt1", "bill_amt2", "bill_amt3", "bill_amt4", "bill_amt5", "bill_amt6"] as const;
const PAID = ["pay_amt1", "pay_amt2", "pay_amt3", "pay_amt4", "pay_amt5", "pay_amt6"] as const;

/** In the order of the source. */
export const COLUMNS = [
  "id",
  "limit_bal",
  "sex",
  "education",
  "marriage",
  "age",
  ...PAYMENTS,
  ...BILLS,
  ...PAID,
  "default_payment_next_month",
] as const;
type Column = (typeof COLUMNS)[number];

/** One client, column by column as in the source; all whole numbers. */
export type Client = Readonly<Record<Column, number>>;

/** How the client handles the card: what a lender may fairly look at. */
export const BEHAVIOUR = ["limit_bal", ...PAYMENTS, ...BILLS, ...PAID] as const satisfies readonly Column[];

/** Readable words for the codes of protected attributes. */
export const GROUPS = {
  sex: ["female", "male"],
  education: ["graduate", "university", "high_school", "other_unknown"],
} as const;
export type Sex = (typeof GROUPS.sex)[number];
export type Education = (typeof GROUPS.education)[number];

export function sexOf({ sex }: Pick<Client, "sex">): Sex {
  return sex === 2 ? "female" : "male";
}

/** Codes 4 ("others") and 0, 5, 6 (not documented) are one group: 468 of 30,000. */
export function educationOf({ education }: Pick<Client, "education">): Education {
  return education === 1 ? "graduate" : education === 2 ? "university" : education === 3 ? "high_school" : "other_unknown";
}

export function hasRepaid(client: Pick<Client, "default_payment_next_month">): boolean {
  return client.default_payment_next_month === 0;
}

/** Reads what `toCsv` wrote, or the source itself. @throws Error with the line that doesn't fit */
export function parseClients(csv: string): readonly Client[] {
  const [header = "", ...lines] = csv.trimEnd().split("\n");
  if (header !== COLUMNS.join(",")) throw new Error(`expected the columns ${COLUMNS.join(",")}, got ${header}`);
  return lines.map((line, i) => {
    const cells = line.split(",").map(Number);
    if (cells.length !== COLUMNS.length || !cells.every(Number.isSafeInteger))
      throw new Error(`line ${i + 2}: expected ${COLUMNS.length} whole numbers, got ${line}`);
    return asClient(Object.fromEntries(COLUMNS.map((column, at) => [column, cells[at] ?? 0])));
  });
}

/** Made from every column of `COLUMNS`. */
const asClient = (row: Readonly<Record<string, number>>): Client => row as Client;

/** The same clients in the same order give the same bytes. */
export function toCsv(clients: readonly Client[]): string {
  return `${COLUMNS.join(",")}\n${clients.map((client) => COLUMNS.map((column) => client[column]).join(",")).join("\n")}\n`;
}
