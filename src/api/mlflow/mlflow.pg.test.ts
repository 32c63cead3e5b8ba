import { describePostgres, freshDatabase } from "../../../test/postgres.ts";
import { freshServer } from "../../../test/server.ts";
import { mlflowSuite } from "./mlflow.suite.ts";

describePostgres("on PostgreSQL", () => {
  mlflowSuite(async () => {
    const database = await freshDatabase();
    const server = await freshServer({ postgresUrl: database.url });
    return {
      ...server,
      async drop() {
        await server.drop();
        await database.drop();
      },
    };
  });
});
