/**
 * The process that faults happen to: `victim.ts FOLDER RUN COUNT CONCURRENCY BREAKAGE` makes decisions with idempotency keys and says each one
 * on standard output as soon as it is acknowledged, with the machine's monotonic time.
 */
import { writeSync } from "node:fs";
import { openVictimWorld, type Breakage } from "./victim-world.ts";
import type { Ack } from "./acks.ts";

const [folder = "", run = "", count = "0", concurrency = "1", breakage = "sound"] = process.argv.slice(2);
/** Only this suite starts victims. */
const asBreakage = (text: string): Breakage => text as Breakage;

const world = await openVictimWorld(folder, asBreakage(breakage));
let next = 0;
await Promise.all(
  Array.from({ length: Number(concurrency) }, async () => {
    while (next < Number(count)) {
      const n = next++;
      const { reply } = await world.decide(run, n);
      const ack: Ack = { n, atNs: String(process.hrtime.bigint()), reply };
      // Synchronous, so that an acknowledgement is out before anything else happens.
      writeSync(1, `${JSON.stringify(ack)}\n`);
    }
  }),
);
await world.close();
