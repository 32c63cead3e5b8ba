/** The first pages in a real browser, from the real server: one story, from an empty server to an incident and a restart. */
import { existsSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { chromium, type Browser, type BrowserContext, type BrowserContextOptions, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tabStops, troublesOf } from "./accessibility.ts";
import { LenderApp } from "./lender-app.ts";

/** `CHROMIUM` names a browser, which must then be there; else Debian's is used where there is one. */
const DEBIANS = "/usr/bin/chromium";
const executablePath = process.env["CHROMIUM"] ?? (existsSync(DEBIANS) ? DEBIANS : undefined);
if (executablePath === undefined)
  console.warn(`No browser: the pages are not tested. Install Chromium, or say where it is: CHROMIUM=… npm test`);

interface Visit {
  readonly at: Page;
  readonly leave: () => Promise<void>;
}

describe.skipIf(executablePath === undefined)("the browser application", () => {
  const lender = new LenderApp();
  /** What no page may ever do: raise an error, break the content security policy, or ask another server. */
  const wrongs: string[] = [];
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let admin = "";
  /** Sees groups and people; the first admin, who administers, does not. */
  let analyst = "";

  beforeAll(async () => {
    admin = await lender.start();
    analyst = await lender.token("analyst", ["protected:read"]);
    browser = await chromium.launch({ ...(executablePath ? { executablePath } : {}), args: ["--no-sandbox", "--disable-gpu"] });
    context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
    page = await open(context, "/");
  });
  afterAll(async () => {
    await browser?.close();
    await lender.drop();
  });

  async function open(where: BrowserContext, path: string): Promise<Page> {
    const opened = await where.newPage();
    opened.on("pageerror", (error) => wrongs.push(error.message));
    opened.on("console", (message) => {
      // The browser notes every answer that isn't a success; the pages deal with those.
      if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) wrongs.push(message.text());
      if (message.type() === "warning") wrongs.push(message.text());
    });
    opened.on("request", (request) => {
      if (new URL(request.url()).origin !== new URL(lender.url).origin) wrongs.push(`asked ${request.url()}`);
    });
    await opened.goto(new URL(path, lender.url).href);
    return opened;
  }
  async function signIn(at: Page, token: string): Promise<void> {
    await at.getByLabel("Access token").fill(token);
    await at.getByRole("button", { name: "Sign in" }).click();
  }
  /** Another browser of somebody who signs in. */
  async function visit(path: string, token: string): Promise<Visit> {
    const theirs = await browser.newContext({ viewport: { width: 1440, height: 900 } });
    const at = await open(theirs, path);
    await signIn(at, token);
    return { at, leave: () => theirs.close() };
  }
  /** Another browser with the session that the first one has. */
  async function visitAgain(path: string, options: BrowserContextOptions = {}): Promise<Visit> {
    const storageState = await context.storageState();
    const theirs = await browser.newContext({ viewport: { width: 1440, height: 900 }, storageState, ...options });
    return { at: await open(theirs, path), leave: () => theirs.close() };
  }
  const seen = (text: string | RegExp, at = page) => at.getByText(text).first().waitFor({ timeout: 10_000 });
  const row = () => page.getByRole("row", { name: /^loans/ });
  const widthOf = (at: Page) => at.evaluate(() => document.documentElement.scrollWidth);

  test("without a session a page asks for a token, and refuses a wrong one beside the field", async () => {
    await page.getByLabel("Access token").waitFor();
    expect(await troublesOf(page)).toEqual([]);
    await signIn(page, `${admin.slice(0, -4)}0000`);
    await page
      .getByRole("alert")
      .getByText(/unknown, expired, revoked or mistyped/)
      .waitFor();
    await signIn(page, "hello");
    await page.getByRole("alert").getByText("That isn't an access token: it is too short or too long.", { exact: true }).waitFor();
    expect(await page.getByLabel("Access token").getAttribute("aria-invalid")).toBe("true");
    expect(await troublesOf(page)).toEqual([]);
  });

  test("an empty server says how it gets its first endpoint", async () => {
    await signIn(page, analyst);
    await page.getByRole("heading", { name: "No endpoint yet" }).waitFor();
    expect(await page.getByText("evenkeel apply -f loans.yaml").count()).toBe(1);
    // What one copies from the page works as it stands.
    const sample = (await page.locator("pre").textContent()) ?? "";
    expect(await lender.dryRun(sample)).toMatchObject([{ kind: "endpoint", name: "loans", change: "created" }]);
    expect(await troublesOf(page)).toEqual([]);
    const { at, leave } = await visitAgain("/", { viewport: { width: 360, height: 740 } });
    await at.getByRole("heading", { name: "No endpoint yet" }).waitFor();
    expect(await widthOf(at)).toBe(360);
    await leave();
  });

  test("home asks for at most 150 KB of scripts and 20 KB of styles, as they go over the wire", async () => {
    const loaded = await page.evaluate(() => performance.getEntriesByType("resource").map(({ name }) => name));
    const bytesOf = (ending: string) =>
      loaded
        .filter((url) => new URL(url).pathname.endsWith(ending))
        .reduce((sum, url) => sum + gzipSync(readFileSync(new URL(`../../dist/web${new URL(url).pathname}`, import.meta.url))).length, 0);
    const [scripts, styles] = [bytesOf(".js"), bytesOf(".css")];
    expect(scripts).toBeGreaterThan(50_000);
    expect(scripts).toBeLessThan(150_000);
    expect(styles).toBeGreaterThan(1000);
    expect(styles).toBeLessThan(20_000);
  });

  test("no script can read the token", async () => {
    const readable = await page.evaluate(() => [document.cookie, JSON.stringify(sessionStorage), JSON.stringify(localStorage)].join());
    expect(readable).not.toContain(analyst.slice(-12));
    expect(await page.evaluate(() => document.cookie)).toBe("");
  });

  test("an endpoint and its decisions show without a reload", async () => {
    await lender.define();
    await row().getByText("r1", { exact: true }).waitFor({ timeout: 10_000 });
    await row().getByText("1 of 1 wait").or(row().getByText("2 of 2 wait")).waitFor();
    expect(await row().textContent()).toMatch(/AIR needs 30 decisions, has 0/);
    await lender.promote("r2");
    await row().getByText("r2 live").waitFor({ timeout: 10_000 });
    await lender.applications(60);
    await row()
      .getByText(/\d hold/)
      .waitFor({ timeout: 10_000 });
    expect(await row().textContent()).toMatch(/AIR (high school|university) [\d.]+, limit 0.80/);
    await page.getByRole("banner").getByText("UTC").waitFor();
  });

  test("a promote and a rollback that somebody does elsewhere show without a reload", async () => {
    await lender.promote("r4");
    await row().getByText("r4 live").waitFor({ timeout: 10_000 });
    expect(await row().textContent()).toContain("first admin");
    await lender.rollback();
    await row().getByText("Rolled back to r2").waitFor({ timeout: 10_000 });
    await row().getByText("r2", { exact: true }).waitFor();
  });

  test("an automatic rollback shows without a reload: what was done, what was found, and that nobody paid for it", async () => {
    await lender.promote("r3");
    for (let sent = 0; sent < 600 && !(await page.getByText("loans was rolled back at").count()); sent += 20) await lender.applications(20);
    await seen("loans was rolled back at");
    expect(await row().textContent()).toMatch(/Rolled back to r2.*parity.*1 contained/);
    const needsYou = page.getByRole("region", { name: "Incident 1 needs you" });
    await needsYou.getByText(/\d+ people would have had a better answer/).waitFor({ timeout: 10_000 });
    expect(await needsYou.textContent()).toMatch(/r3 turned down applicants with education high school\. No request failed\./);
    expect(await troublesOf(page)).toEqual([]);
  });

  test("all of home is reached by Tab, in the order in which it is read, and one sees where one is", async () => {
    const stops = await tabStops(page);
    expect(stops.filter(({ trouble }) => trouble !== null)).toEqual([]);
    expect(stops.map(({ name }) => name)).toEqual([
      "Skip to the page",
      "Evenkeel",
      "Home",
      "Incident 1loans",
      "Data",
      "Runs",
      "Models",
      "Sign out",
      "Theme: system",
      "Copy as command",
      "Open incident 1",
      "loans",
      "1 contained",
    ]);
  });

  test("an incident says what happened, on which evidence, why, and who was touched", async () => {
    await page.getByRole("link", { name: "Open incident 1" }).press("Enter");
    await page.getByRole("heading", { level: 1, name: /r3 turned down/ }).waitFor();
    for (const name of ["What happened", "Evidence", "Why", "Who"])
      expect(await page.getByRole("heading", { name, exact: true }).count()).toBe(1);
    await page.getByRole("img", { name: /^Evidence (over )?[\d,.]+ of [\d,]+, logarithmic$/ }).waitFor();
    await seen(/95 % band for all times 0\.\d\d to 0\.\d\d; limit 0\.80/);
    await seen(/From the log alone/);
    await seen(/would have had a better answer from r2/);
    expect(await page.getByRole("listitem").filter({ hasText: "no request failed" }).count()).toBe(1);
    expect(await page.getByRole("complementary", { name: "Facts" }).textContent()).toMatch(/r3, condemned.*r2.*after proof.*0 requests/);
    await page.getByText("Everybody whose answer changes").click();
    const people = page.getByRole("region", { name: "Affected people", exact: true });
    await people.getByText("better").first().waitFor();
    expect(await people.getByRole("row").count()).toBeGreaterThan(5);
    expect(await troublesOf(page)).toEqual([]);
    expect((await tabStops(page)).filter(({ trouble }) => trouble !== null)).toEqual([]);
    await page.goBack();
    await row().waitFor();
  });

  test.each([360, 768, 1440])("at %i px no page has to be scrolled sideways, and all of it can be read, light and dark", async (width) => {
    const schemes = ["light", "dark"] as const;
    // Colours change at once then, and not over 90 ms.
    const { at, leave } = await visitAgain("/", { viewport: { width, height: 800 }, reducedMotion: "reduce" });
    const look = async () => {
      for (const colorScheme of schemes) {
        await at.emulateMedia({ colorScheme });
        const canvas = await at.evaluate(() => getComputedStyle(document.body).backgroundColor);
        expect(canvas).toBe(colorScheme === "light" ? "rgb(251, 251, 250)" : "rgb(15, 18, 20)");
        expect([await widthOf(at), ...(await troublesOf(at))]).toEqual([width]);
      }
    };
    await seen("loans was rolled back at", at);
    await look();
    await at.getByRole("link", { name: "Open incident 1" }).click();
    await at.getByText("Everybody whose answer changes").click();
    await seen("For the person", at);
    await look();
    await leave();
  });

  test("a theme that somebody chooses stays chosen, whatever the system's is", async () => {
    const { at, leave } = await visitAgain("/", { colorScheme: "light" });
    for (const next of ["light", "dark"])
      await at
        .getByRole("button", { name: "Theme:" })
        .first()
        .click()
        .then(() => seen(`Theme: ${next}`, at));
    await at.reload();
    await seen("Theme: dark", at);
    expect(await at.evaluate(() => getComputedStyle(document.body).backgroundColor)).toBe("rgb(15, 18, 20)");
    await leave();
  });

  test("nothing moves for people who ask for less motion", async () => {
    const { at, leave } = await visitAgain("/", { reducedMotion: "reduce" });
    await seen("loans was rolled back at", at);
    const moving = await at.evaluate(() =>
      [...document.querySelectorAll("*")].flatMap((element) => {
        const { transitionDuration, animationDuration } = getComputedStyle(element);
        return [transitionDuration, animationDuration].filter((duration) => Number.parseFloat(duration) > 0);
      }),
    );
    expect(moving).toEqual([]);
    await leave();
  });

  test("who may not see groups sees letters, and who may not see people is told why", async () => {
    const { at, leave } = await visit("/incidents/1", await lender.token("viewer"));
    await at.getByRole("heading", { level: 1, name: /r3 turned down applicants of group [AB]$/ }).waitFor();
    await seen("Groups are shown as letters", at);
    await at.getByText("Everybody whose answer changes").click();
    await seen(/lacks the right decisions:read/, at);
    expect(await at.content()).not.toMatch(/high.school|university/);
    await at.getByRole("link", { name: "Home" }).click();
    await seen("Groups are shown as letters", at);
    expect(await at.content()).not.toMatch(/high.school|university/);
    await leave();
  });

  test("an address that leads nowhere says so, and leads back", async () => {
    const second = await open(context, "/incidents/99");
    await second.getByRole("heading", { name: "There is no such page" }).waitFor();
    expect(await troublesOf(second)).toEqual([]);
    await second.getByRole("link", { name: "All endpoints" }).click();
    await seen("loans was rolled back at", second);
    await second.close();
  });

  test("one tab listens for all, and another takes over when it is closed", async () => {
    const second = await open(context, "/");
    const streams: string[] = [];
    second.on("request", (request) => {
      if (request.url().endsWith("/v1/events")) streams.push(request.url());
    });
    await second.getByRole("banner").getByText("UTC").waitFor({ timeout: 10_000 });
    expect(streams).toEqual([]);
    await page.close();
    await expect.poll(() => streams.length, { timeout: 10_000 }).toBe(1);
    page = second;
  });

  test("when the server stops the page says since when, keeps what it showed, and is live again by itself once it is back", async () => {
    await seen("loans was rolled back at");
    const { at, leave } = await visitAgain("/");
    await seen("loans was rolled back at", at);
    // The page of an incident is there before anybody opens it.
    await at.waitForFunction(() => performance.getEntriesByType("resource").some(({ name }) => name.includes("incident-page")));
    await lender.stop();
    await at.getByRole("link", { name: "Open incident 1" }).click();
    await at.getByText("The server doesn't answer").waitFor({ timeout: 10_000 });
    expect(await at.getByText("Only reading failed: nothing was changed.").count()).toBe(1);
    await page.getByRole("main").getByText("Not live since").waitFor({ timeout: 15_000 });
    expect(await row().textContent()).toContain("Rolled back to r2");
    expect(await page.getByRole("banner").textContent()).toContain("Not live since");
    await lender.resume();
    await page.getByRole("main").getByText("Not live since").waitFor({ state: "detached", timeout: 15_000 });
    await page.getByRole("banner").getByText("UTC").waitFor({ timeout: 10_000 });
    await at.getByRole("heading", { level: 1, name: /r3 turned down/ }).waitFor({ timeout: 15_000 });
    await leave();
    await lender.promote("r4");
    await row().getByText("r4 live").waitFor({ timeout: 10_000 });
  });

  test("whoever may says what has become of an incident, and why; whoever may not isn't asked", async () => {
    const { at, leave } = await visit("/incidents/1", await lender.token("operator"));
    const resolve = at.getByRole("button", { name: "Resolve" });
    await resolve.waitFor();
    expect(await resolve.isDisabled()).toBe(true);
    await at.getByLabel("Reason").fill("a region was missing in the data");
    expect(await troublesOf(at)).toEqual([]);
    await resolve.click();
    await at.getByRole("listitem").filter({ hasText: "a region was missing in the data" }).waitFor();
    expect(await at.getByRole("complementary", { name: "Facts" }).textContent()).toContain("Resolved");
    expect(await at.getByRole("button", { name: "Resolve" }).count()).toBe(0);
    await leave();
    const viewer = await visit("/incidents/1", await lender.token("viewer"));
    await viewer.at.getByRole("heading", { level: 1, name: /r3 turned down/ }).waitFor();
    expect(await viewer.at.getByLabel("Reason").count()).toBe(0);
    await viewer.leave();
  });

  test("signing out ends it in every tab", async () => {
    const second = await open(context, "/incidents/1");
    await second.getByRole("heading", { level: 1, name: /r3 turned down/ }).waitFor();
    await page.getByRole("button", { name: "Sign out" }).first().click();
    await page.getByLabel("Access token").waitFor();
    await second.getByLabel("Access token").waitFor();
    expect(await context.cookies()).toEqual([]);
  });

  test("no page has raised an error, broken the content security policy or asked another server", () => {
    expect(wrongs).toEqual([]);
    expect(lender.troubles).toEqual([]);
  });
});
