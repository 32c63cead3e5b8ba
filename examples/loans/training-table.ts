/** The training table between extract and features: a row a client, with the inputs of an application and what became of the loan. */
import { BEHAVIOUR, GROUPS, educationOf, hasRepaid, type Client } from "./clients.ts";

/** One client as the models are trained: the same inputs that an application has. */
export interface TrainingRow {
  readonly id: number;
  readonly inputs: Readonly<Record<string, number | string>>;
  readonly hasRepaid: boolean;
}

/** Inputs of an application, with the type that the endpoint gives them (`loans.yaml`). */
export const INPUTS = {
  ...Object.fromEntries(BEHAVIOUR.map((name) => [name, { type: "integer" as const }])),
  education: { type: "string" as const, values: [...GROUPS.education] },
};

const HEADER = ["id", ...BEHAVIOUR, "education", "repaid"];

export function toTrainingTable(clients: readonly Client[]): string {
  const lines = clients.map((client) =>
    [client.id, ...BEHAVIOUR.map((column) => client[column]), educationOf(client), hasRepaid(client) ? 1 : 0].join(","),
  );
  return `${[HEADER.join(","), ...lines].join("\n")}\n`;
}

/** @throws Error with the line that doesn't fit */
export function parseTrainingTable(csv: string): readonly TrainingRow[] {
  const [header = "", ...lines] = csv.trimEnd().split("\n");
  if (header !== HEADER.join(",")) throw new Error(`expected the columns ${HEADER.join(",")}, got ${header}`);
  return lines.map((line, i) => {
    const cells = line.split(",");
    const [id, ...numbers] = cells.slice(0, 1 + BEHAVIOUR.length).map(Number);
    const [education = "", repaid] = cells.slice(1 + BEHAVIOUR.length);
    if (cells.length !== HEADER.length || id === undefined || !numbers.every(Number.isSafeInteger))
      throw new Error(`line ${i + 2}: expected ${HEADER.length} cells, got ${line}`);
    const behaviour = Object.fromEntries(BEHAVIOUR.map((name, at) => [name, numbers[at] ?? 0]));
    return { id, inputs: { ...behaviour, education }, hasRepaid: repaid === "1" };
  });
}
