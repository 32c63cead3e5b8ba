/** Negative control C3: the group commit, but tallies are written after its transaction instead of in it. */
import commitBatches from "../../src/decisions/commit-sqlite.ts";

type Database = Parameters<typeof commitBatches>[0];

const commitApart: typeof commitBatches = (db) => {
  const later: (() => void)[] = [];
  const commit = commitBatches(withLateTallies(db, later));
  return (batch) => {
    const reply = commit(batch);
    for (const write of later.splice(0)) write();
    return reply;
  };
};
export default commitApart;

/** The connection, whose statements on `tally` wait in `later`. */
function withLateTallies(db: Database, later: (() => void)[]): Database {
  return new Proxy(db, {
    get(target, name) {
      if (name === "prepare")
        return (text: string) => {
          const statement = target.prepare(text);
          if (!text.startsWith("insert into tally (")) return statement;
          return { run: (...values: unknown[]) => void later.push(() => statement.run(...values)) };
        };
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
