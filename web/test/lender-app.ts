/** The real server with its pages, on a folder of its own, and a lender who sends applications to it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ChangeView, NewTokenView } from "../../src/api/index.ts";
import { startApp, type App } from "../../src/app.ts";
import { EvenkeelClient } from "../../src/client.ts";
import { endpoint, fairRelease, harmfulRelease, policy } from "../../test/lender.ts";

export class LenderApp {
  readonly #folder = mkdtempSync(join(tmpdir(), "evenkeel-web-"));
  readonly #clients: EvenkeelClient[] = [];
  #app: App | undefined;
  #port = 0;
  #people = 0;
  #admin: EvenkeelClient | undefined;
  #application: EvenkeelClient | undefined;
  /** What the server said was its own fault. */
  readonly troubles: string[] = [];

  /** Starts the server. @returns the token that the first start prints */
  async start(): Promise<string> {
    await this.resume();
    const token = this.#app?.firstAdmin?.token ?? "";
    this.#port = Number(new URL(this.url).port);
    this.#admin = this.#connect(token);
    this.#application = this.#connect(await this.token("application"));
    return token;
  }
  /** As after a crash or an upgrade: the same folder, the same port. */
  async resume(): Promise<void> {
    this.#app = await startApp({
      folder: this.#folder,
      port: this.#port,
      scorers: "inline",
      lookEveryMs: 100,
      onError: (error, reference) => this.troubles.push(`${reference}: ${error.message}`),
    });
  }
  async stop(): Promise<void> {
    await this.#app?.stop();
  }
  get url(): string {
    if (!this.#app) throw new Error("not started");
    return this.#app.url;
  }

  async token(role: string, grants: readonly string[] = []): Promise<string> {
    return (await this.#asAdmin.post<NewTokenView>("/v1/tokens", { name: `${role} of the test`, role, grants })).token;
  }
  /** What a file would change. */
  async dryRun(yaml: string): Promise<readonly ChangeView[]> {
    return (await this.#asAdmin.post<{ readonly changes: readonly ChangeView[] }>("/v1/apply", { yaml, dryRun: true })).changes;
  }
  /** The endpoint and its releases: r1 the fallback, r2 and r4 fair, r3 harmful. */
  async define(): Promise<void> {
    await this.#asAdmin.post("/v1/apply", { yaml: JSON.stringify({ ...endpoint, description: "Loan applications" }) });
    for (const release of [fairRelease(40), harmfulRelease(40, 85), fairRelease(45)])
      await this.#asAdmin.post("/v1/endpoints/loans/releases", release);
  }
  async promote(release: string): Promise<void> {
    await this.#asAdmin.post("/v1/endpoints/loans/promote", { release, reason: "a step of the test" });
  }
  async rollback(): Promise<void> {
    await this.#asAdmin.post("/v1/endpoints/loans/rollback", { reason: "a step of the test", condemn: false });
  }
  /** `count` people of each education, incomes evenly from 0 to 100. */
  async applications(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      this.#people += 1;
      const income = (this.#people * 37) % 100;
      await Promise.all(
        ["university", "high_school"].map((education) =>
          this.#asApplication.post("/v1/endpoints/loans/decisions", {
            subject: `${education} ${this.#people}`,
            inputs: { income, education },
            groups: { education },
          }),
        ),
      );
    }
  }

  /** One decision of a release that is made of this. @returns its id */
  async decideWith(release: { readonly model: string }): Promise<string> {
    await this.#asAdmin.post("/v1/apply", { yaml: JSON.stringify({ ...endpoint, description: "Loan applications" }) });
    const made = await this.#asAdmin.post<{ readonly release: string }>("/v1/endpoints/loans/releases", {
      name: "trained",
      policy,
      ...release,
    });
    await this.promote(made.release);
    const application = { subject: "one", inputs: { income: 50, education: "university" }, groups: { education: "university" } };
    return (await this.#asApplication.post<{ readonly id: string }>("/v1/endpoints/loans/decisions", application)).id;
  }

  async drop(): Promise<void> {
    for (const client of this.#clients) await client.close();
    await this.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #asAdmin(): EvenkeelClient {
    if (!this.#admin) throw new Error("not started");
    return this.#admin;
  }
  get #asApplication(): EvenkeelClient {
    if (!this.#application) throw new Error("not started");
    return this.#application;
  }
  #connect(token: string): EvenkeelClient {
    const client = new EvenkeelClient({ url: this.url, token });
    this.#clients.push(client);
    return client;
  }
}
