/** Negative control C4: the group commit, but it doesn't look at idempotency keys. */
import commitBatches from "../../src/decisions/commit-sqlite.ts";

const commitWithoutKeys: typeof commitBatches = (db) => {
  const commit = commitBatches(db);
  return (batch) =>
    commit({
      ...batch,
      decisions: batch.decisions.map(([...tuple]) => {
        const [id, endpoint, release, arm, generation, cell, subject, payload, salt, score, action, favourable, reasons, ...rest] = tuple;
        const [answeredBy, because, decidedAtMs, latencyUs, , , source, inputBins] = rest;
        const head = [id, endpoint, release, arm, generation, cell, subject, payload, salt, score, action, favourable, reasons] as const;
        return [...head, answeredBy, because, decidedAtMs, latencyUs, null, null, source, inputBins] as const;
      }),
    });
};
export default commitWithoutKeys;
