/** A hand-over with the log in PostgreSQL, where two servers could write side by side: the same steps, and nobody notices. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startApp, type App } from "../src/app.ts";
import { EvenkeelClient, type DecisionReplyView, type NewTokenView } from "../src/index.ts";
import { endpoint } from "./lender.ts";
import { describePostgres, freshDatabase } from "./postgres.ts";

describePostgres("a hand-over on PostgreSQL", () => {
  test("under load: no request fails, every decision is recorded once", async () => {
    const folder = mkdtempSync(join(tmpdir(), "evenkeel-over-"));
    const database = await freshDatabase();
    const apps: App[] = [];
    const start = async (options: { readonly port: number; readonly takeOver?: boolean }) => {
      const app = await startApp({ folder, postgresUrl: database.url, ...options });
      apps.push(app);
      return app;
    };
    try {
      let app = await start({ port: 0 });
      const port = Number(new URL(app.url).port);
      const admin = new EvenkeelClient({ url: app.url, token: app.firstAdmin?.token ?? "" });
      await admin.post("/v1/apply", { yaml: JSON.stringify(endpoint) });
      const { token } = await admin.post<NewTokenView>("/v1/tokens", { name: "web", role: "application" });
      const web = new EvenkeelClient({ url: app.url, token });
      const answers: DecisionReplyView[] = [];
      let [isOver, asked] = [false, 0];
      const clients = Array.from({ length: 4 }, async () => {
        while (!isOver) {
          const inputs = { income: asked % 100, education: "university" };
          const body = { subject: `person-${asked++}`, inputs, groups: { education: "university" } };
          answers.push(await web.post<DecisionReplyView>("/v1/endpoints/loans/decisions", body));
        }
      });
      for (let i = 0; i < 2; i++) {
        const before = app;
        app = await start({ port, takeOver: true });
        const count = answers.length;
        await expect.poll(() => answers.length).toBeGreaterThan(count + 20);
        expect(await before.replaced).toBe("successor");
        await before.stop();
      }
      isOver = true;
      await Promise.all(clients);
      expect(new Set(answers.map(({ id }) => id)).size).toBe(asked);
      const local = new EvenkeelClient({ socket: join(folder, "control.sock") });
      const logged: string[] = [];
      for (let after: number | undefined; ;) {
        const page = await local.get<{ readonly decisions: readonly { readonly id: string }[]; readonly next: number | null }>(
          "/v1/endpoints/loans/decisions",
          { limit: 1000, after },
        );
        logged.push(...page.decisions.map(({ id }) => id));
        if (page.next === null) break;
        after = page.next;
      }
      expect(logged.toSorted()).toEqual(answers.map(({ id }) => id).toSorted());
      for (const client of [local, web, admin]) await client.close();
    } finally {
      for (const each of apps) await each.stop();
      await database.drop();
      rmSync(folder, { recursive: true, force: true });
    }
  }, 90_000);
});
