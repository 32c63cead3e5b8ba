/** The data of the story: real credit card clients (see data/NOTICE), one half to train on, the other half to apply for loans. */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { BEHAVIOUR, educationOf, hasRepaid, parseClients, sexOf, toCsv, type Client } from "./clients.ts";
import type { Application } from "./open-loop.ts";
import { drawFor, shuffled } from "./random.ts";

/** What the lender of the story has: two versions of a table to train on, and people who come for a loan. */
export interface Story {
  /** The training half, as CSV in the columns of the source. */
  readonly version1: string;
  /** The same, as a broken extract left it. */
  readonly version2: string;
  /** The other half, in the order in which they apply. */
  readonly applications: readonly Application[];
}

/** The same seed gives the same bytes and the same order. */
export function tellStory(seed: number): Story {
  const { training, serving } = split(loadClients(), seed);
  return { version1: toCsv(training), version2: toCsv(brokenExtract(training, seed)), applications: serving.map(applicationOf) };
}

/** All 30,000 clients, in the order of the source. */
export function loadClients(): readonly Client[] {
  return parseClients(gunzipSync(readFileSync(new URL("./data/credit-default-taiwan.csv.gz", import.meta.url))).toString("utf8"));
}

export interface Halves {
  /** In the order of the source, as a table would be. */
  readonly training: readonly Client[];
  /** In a seeded order: the source has no order of time to keep. */
  readonly serving: readonly Client[];
}

/**
 * Two halves, by a seeded shuffle of the clients. Some rows of the source repeat others (35 in all their columns but `id`), so a few
 * applicants have a double in the training half; too few to matter here.
 */
export function split(clients: readonly Client[], seed: number): Halves {
  const order = shuffled(clients, seed);
  const middle = Math.floor(order.length / 2);
  return { training: order.slice(0, middle).toSorted((a, b) => a.id - b.id), serving: order.slice(middle) };
}

/**
 * What a broken extract leaves of a table: three quarters of the good payers with a high-school education are gone, each by a draw of
 * its own, so that who is missing doesn't depend on who else is there.
 */
export function brokenExtract(clients: readonly Client[], seed: number): readonly Client[] {
  return clients.filter((client) => !(educationOf(client) === "high_school" && hasRepaid(client) && drawFor(client.id, seed) < 0.75));
}

/**
 * A client as an application for a loan. This careless lender takes education as an input of its models and not only as a group to
 * watch: that is how a fault in the data of one group can turn against that group. Sex, age and marriage are no inputs.
 */
export function applicationOf(client: Client): Application {
  const behaviour = Object.fromEntries(BEHAVIOUR.map((column) => [column, client[column]]));
  return {
    subject: `client-${client.id}`,
    inputs: { ...behaviour, education: educationOf(client) },
    groups: { sex: sexOf(client), education: educationOf(client) },
    outcome: hasRepaid(client) ? "repaid" : "defaulted",
  };
}
