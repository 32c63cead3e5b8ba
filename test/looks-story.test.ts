import { expect, test } from "vitest";
import type { IncidentHeadView } from "../src/api/index.ts";
import { freshServer } from "./server.ts";
import { endpoint, harmfulRelease } from "./lender.ts";

test("a harm is proven by the people whom it hits, not by the clock: a server that ticks once an hour takes the release out", async () => {
  const server = await freshServer({ lookEveryMs: 3_600_000 });
  try {
    const { admin } = server;
    await admin.post("/v1/apply", { yaml: JSON.stringify(endpoint) });
    const { endpoint: _named, ...harmful } = harmfulRelease(20, 95);
    await admin.post("/v1/endpoints/loans/releases", harmful);
    await admin.post("/v1/endpoints/loans/promote", { release: "r2", reason: "it is better" });
    const application = await server.as("application");
    let [decided, round] = [0, 0];
    const incident = async () => (await admin.get<{ readonly incidents: readonly IncidentHeadView[] }>("/v1/incidents")).incidents[0];
    while (!(await incident())) {
      const people = Array.from({ length: 60 }, (_, i) => {
        const education = i % 2 === 0 ? "university" : "high_school";
        return { inputs: { income: (i * 37) % 100, education }, groups: { education }, subject: `${round}-${i}` };
      });
      round++;
      await Promise.all(people.map((person) => application.post("/v1/endpoints/loans/decisions", person)));
      decided += people.length;
      if (decided > 60_000) throw new Error("nothing was found");
    }
    expect(await incident()).toMatchObject({ kind: "breach", release: "r2", restored: "r1" });
  } finally {
    await server.drop();
  }
});
