/** The pages of runs, models and lineage in a real browser, and the links that MLflow's clients print. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { chromium, type Browser, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { AddedDatasetVersionView, RunView } from "../../src/api/index.ts";
import { EvenkeelClient } from "../../src/client.ts";
import { logisticModel } from "../../test/fixtures/onnx-models.ts";
import { troublesOf } from "./accessibility.ts";
import { LenderApp } from "./lender-app.ts";

const DEBIANS = "/usr/bin/chromium";
const executablePath = process.env["CHROMIUM"] ?? (existsSync(DEBIANS) ? DEBIANS : undefined);
const pictures = process.env["EVENKEEL_TEST_PICTURES"];

describe.skipIf(executablePath === undefined)("the pages of what models are made of", () => {
  const lender = new LenderApp();
  const wrongs: string[] = [];
  const runs: string[] = [];
  let browser: Browser;
  let trainer: EvenkeelClient;
  let decision = "";

  beforeAll(async () => {
    await lender.start();
    trainer = new EvenkeelClient({ url: lender.url, token: await lender.token("trainer") });
    const csv = `id,sex,income\n${Array.from({ length: 60 }, (_, i) => `${i},${i % 3 ? "male" : "female"},${i * 100}`).join("\n")}\n`;
    const spec = JSON.stringify({ key: ["id"], protected: [{ column: "sex" }] });
    const query = { spec, tag: "clean", reason: "first" };
    const data = await trainer.put<AddedDatasetVersionView>("/v1/datasets/clients/versions", Buffer.from(csv), { query });
    await trainer.post("/v1/feature-sets", {
      name: "loans",
      features: [
        { name: "income", from: "income" },
        { name: "zero", cel: "0.0" },
      ],
    });
    for (const weight of [0.02, 0.03]) {
      const inputs = [{ kind: "dataset_version", id: data.id }];
      const params = { weight, trees: 100, sampler: "even" };
      const { id } = await trainer.post<RunView>("/v1/runs", { experiment: "credit-risk", name: `weight-${weight}`, params, inputs });
      const blob = (await trainer.put<{ readonly id: string }>("/v1/blobs", logisticModel([weight, -0.01]))).id;
      const metrics = [0, 1, 2].map((step) => ({ key: "auc", value: 0.7 + weight + step / 100, step }));
      await trainer.post(`/v1/runs/${id}/log`, {
        metrics,
        artifacts: [{ path: "model/model.onnx", blob }],
        tags: { owner: "ana", "mlflow.source.git.commit": "c0ffee" },
      });
      await trainer.post("/v1/models/credit/versions", { blob, featureSet: "loans/1", run: id });
      await trainer.post(`/v1/runs/${id}/finish`, { status: "finished" });
      runs.push(id);
    }
    await trainer.post("/v1/models/credit/aliases", { alias: "champion", number: 2, reason: "better on held-out clients" });
    decision = await lender.decideWith({ model: "credit@champion" });
    browser = await chromium.launch({ ...(executablePath ? { executablePath } : {}), args: ["--no-sandbox", "--disable-gpu"] });
  });
  afterAll(async () => {
    await browser?.close();
    await trainer?.close();
    await lender.drop();
  });

  async function visit(path: string, token: string, viewport = { width: 1440, height: 900 }): Promise<Page> {
    const context = await browser.newContext({ viewport });
    const page = await context.newPage();
    page.on("pageerror", (error) => wrongs.push(error.message));
    await page.goto(new URL(path, lender.url).href);
    await page.getByLabel("Access token").fill(token);
    await page.getByRole("button", { name: "Sign in" }).click();
    return page;
  }
  const pictured = async (page: Page, name: string) => {
    if (pictures !== undefined) await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true });
  };
  const analyst = () => lender.token("analyst", ["protected:read"]);

  test("a link that MLflow's client prints leads to the run: parameters, metrics, data, files", async () => {
    const page = await visit(`/#/experiments/1/runs/${runs[0]?.replaceAll("-", "")}`, await analyst());
    await page.getByRole("heading", { name: "weight-0.02" }).waitFor();
    await page.getByRole("link", { name: "clients/1" }).waitFor();
    expect(page.url()).toMatch(new RegExp(`/runs/${runs[0]}$`));
    const text = (await page.locator("main").textContent()) ?? "";
    for (const shown of ["auc0.7400 last of 3", "trees100", "samplereven", "ownerana", "model/model.onnx"]) expect(text).toContain(shown);
    expect(await troublesOf(page)).toEqual([]);
    await pictured(page, "run");
    await page.context().close();
  });

  test("a link to an experiment shows its runs; two that are chosen stand side by side, and the choice is in the address", async () => {
    const page = await visit("/#/experiments/1", await lender.token("viewer"));
    await page.getByLabel("Compare run weight-0.02").click();
    await page.getByText("Choose a second run").waitFor();
    await page.getByLabel("Compare run weight-0.03").click();
    await page.getByRole("heading", { name: "Side by side" }).waitFor();
    expect(new URL(page.url()).searchParams.get("compare")).toBe(runs.join(","));
    expect(await page.getByRole("row", { name: /^weight 0\.02/ }).textContent()).toBe("weight0.020.03");
    expect(await page.getByRole("row", { name: /^trees/ }).count()).toBe(0);
    await page.getByRole("button", { name: "2 more that are the same" }).click();
    expect(await page.getByRole("row", { name: /^trees/ }).textContent()).toBe("trees100100");
    expect(await troublesOf(page)).toEqual([]);
    await pictured(page, "runs-compared");
    await page.context().close();
  });

  test("an address with compared runs opens as it was", async () => {
    const page = await visit(`/runs?compare=${runs.join(",")}`, await lender.token("viewer"), { width: 400, height: 800 });
    await page.getByRole("heading", { name: "Side by side" }).waitFor();
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(400);
    await pictured(page, "runs-phone");
    await page.context().close();
  });

  test("a model has its versions, aliases and their history, and the card of one version", async () => {
    const page = await visit("/#/models/credit/versions/1", await analyst());
    await page.getByRole("heading", { name: "Card of credit/1" }).waitFor();
    await page.getByRole("link", { name: "credit/2" }).click();
    await page.getByRole("heading", { name: "Card of credit/2" }).waitFor();
    await page.getByRole("heading", { name: "Where it serves" }).waitFor();
    const text = (await page.locator("main").textContent()) ?? "";
    for (const shown of ["better on held-out clients", "60 rows, 3 columns", "champion"]) expect(text).toContain(shown);
    expect(await troublesOf(page)).toEqual([]);
    await pictured(page, "model");
    await page.context().close();
  });

  test("lineage leads from a decision to all that it was made with, and from data to the decisions", async () => {
    const page = await visit(`/lineage/decision/${decision}`, await analyst());
    await page.getByRole("heading", { name: "Made of" }).waitFor();
    for (const name of ["credit/2", "loans/1", "weight-0.03", "clients/1"]) await page.getByRole("link", { name, exact: true }).waitFor();
    await page.getByRole("heading", { name: "Drawn" }).waitFor();
    for (const name of ["decision, approve", "loans/r2", "credit/2", "weight-0.03", "clients/1", "c0ffee"])
      expect(await page.locator("svg text", { hasText: name }).count()).toBeGreaterThan(0);
    expect(await troublesOf(page)).toEqual([]);
    await pictured(page, "lineage-decision");
    await page.goto(new URL("/lineage/dataset/clients@clean", lender.url).href);
    await page.getByText("1 decision that somebody received").waitFor();
    await page.locator("svg text", { hasText: "release · 1 decision" }).waitFor();
    await page.locator("svg a", { hasText: "loans/r2" }).click();
    await page.getByRole("heading", { name: "loans/r2" }).waitFor();
    await page.goBack();
    await page.getByRole("link", { name: "credit/2", exact: true }).waitFor();
    expect(await troublesOf(page)).toEqual([]);
    await pictured(page, "lineage-dataset");
    await page.goto(new URL("/lineage/release/loans/r2", lender.url).href);
    await page.getByRole("heading", { name: "loans/r2" }).waitFor();
    await page.getByRole("link", { name: "weight-0.03" }).waitFor();
    await page.context().close();
  });

  test("what isn't there has no page, and nothing went wrong", async () => {
    const page = await visit("/models/nobody", await lender.token("viewer"));
    for (const path of ["/models/nobody", "/runs/nonsense", "/lineage/model/nobody/1", "/lineage/nonsense"]) {
      await page.goto(new URL(path, lender.url).href);
      await page.getByRole("heading", { name: "There is no such page" }).waitFor();
    }
    expect([wrongs, lender.troubles]).toEqual([[], []]);
    await page.context().close();
  });
});
