/** The page of a dataset in a real browser: two versions, the verdict first, and what somebody may see. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { chromium, type Browser, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tellStory } from "../../examples/loans/data.ts";
import { EvenkeelClient } from "../../src/client.ts";
import { troublesOf } from "./accessibility.ts";
import { LenderApp } from "./lender-app.ts";

const DEBIANS = "/usr/bin/chromium";
const executablePath = process.env["CHROMIUM"] ?? (existsSync(DEBIANS) ? DEBIANS : undefined);
const spec = {
  key: ["id"],
  label: { column: "default_payment_next_month", words: { "0": "repaid", "1": "defaulted" } },
  protected: [
    { column: "sex", words: { "1": "male", "2": "female" } },
    { column: "education", words: { "1": "graduate", "2": "university", "3": "high_school", "*": "other_unknown" } },
  ],
};

describe.skipIf(executablePath === undefined)("the page of a dataset", () => {
  const lender = new LenderApp();
  const wrongs: string[] = [];
  let browser: Browser;
  let trainer: EvenkeelClient;

  beforeAll(async () => {
    await lender.start();
    trainer = new EvenkeelClient({ url: lender.url, token: await lender.token("trainer") });
    const { version1, version2 } = tellStory(7);
    for (const csv of [version1, version2])
      await trainer.put("/v1/datasets/loans/versions", Buffer.from(csv), { query: { spec: JSON.stringify(spec) } });
    browser = await chromium.launch({ ...(executablePath ? { executablePath } : {}), args: ["--no-sandbox", "--disable-gpu"] });
  });
  afterAll(async () => {
    await browser?.close();
    await trainer?.close();
    await lender.drop();
  });

  async function visit(path: string, token: string, viewport = { width: 1440, height: 900 }): Promise<Page> {
    const context = await browser.newContext({ viewport, acceptDownloads: true });
    const page = await context.newPage();
    page.on("pageerror", (error) => wrongs.push(error.message));
    await page.goto(new URL(path, lender.url).href);
    await page.getByLabel("Access token").fill(token);
    await page.getByRole("button", { name: "Sign in" }).click();
    return page;
  }

  test("says who is missing, by group and by column, and gives the rows", async () => {
    const page = await visit("/data", await lender.token("analyst", ["protected:read"]));
    await page.getByRole("link", { name: "loans" }).click();
    await page.getByText(/Of the repaid with education high_school, 7\d % \(1,\d{3} of 1,\d{3}\) are missing/).waitFor({ timeout: 30_000 });
    expect(await page.getByRole("row", { name: /^high_school/ }).textContent()).toMatch(/−1,\d{3}.*−3\d\.\d$/);
    expect(await page.getByRole("row", { name: /^default_payment_next_month/ }).textContent()).toMatch(/0\.003.*0\.4\d\d$/);
    expect(await troublesOf(page)).toEqual([]);
    await page.getByRole("button", { name: "sex" }).click();
    await page.getByRole("row", { name: /^female/ }).waitFor();
    expect(page.url()).toContain("by=sex");
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Rows" }).click()]);
    expect((await readFile(await download.path(), "utf8")).split("\n", 1)[0]).toMatch(/^change,id,limit_bal,sex,education/);
    await page.context().close();
  });

  test("one version alone asks for a second, and the choice is in the address", async () => {
    const page = await visit("/data/loans", await lender.token("analyst", ["protected:read"]));
    await page.getByLabel("Compare version 2").click();
    await page.getByText("Choose a second version to compare with 1.").waitFor();
    expect(page.url()).toMatch(/diff=1\.\.$/);
    await page.getByLabel("Compare version 2").click();
    await page.getByRole("heading", { name: "1 → 2" }).waitFor();
    await page.context().close();
  });

  test("whoever may not see groups reads counts only, on a phone too", async () => {
    const page = await visit("/data/loans", await lender.token("viewer"), { width: 400, height: 800 });
    await page.getByText(/1,\d{3} rows are missing, 0 changed and 0 new\./).waitFor({ timeout: 30_000 });
    const text = (await page.locator("main").textContent()) ?? "";
    for (const hidden of ["high_school", "female", "Of the repaid"]) expect(text).not.toContain(hidden);
    expect(await page.getByRole("link", { name: "Rows" }).count()).toBe(0);
    expect(await troublesOf(page)).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(400);
    await page.context().close();
  });

  test("a dataset that isn't there has no page, and nothing went wrong", async () => {
    const page = await visit("/data/nobody", await lender.token("viewer"));
    await page.getByRole("heading", { name: "There is no such page" }).waitFor();
    expect([wrongs, lender.troubles]).toEqual([[], []]);
    await page.context().close();
  });
});
