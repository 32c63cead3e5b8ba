/** What every page must be for people who can't see it well, or don't use a mouse: looked for in the page itself. */
import type { Page } from "playwright-core";

/** What of a page has no name, is out of order, or can't be read on what it stands on; empty when all is well. */
export async function troublesOf(page: Page): Promise<readonly string[]> {
  return page.evaluate(async () => {
    // Colours that are just changing are read by nobody.
    await Promise.allSettled(document.getAnimations().map(({ finished }) => finished));
    const troubles: string[] = [];
    const isShown = (element: Element) => element.checkVisibility({ visibilityProperty: true }) && !element.closest("[aria-hidden=true]");
    const all = (selector: string) => [...document.querySelectorAll(selector)].filter(isShown);
    const named = (element: Element) =>
      (element.getAttribute("aria-label") ?? element.textContent ?? "").trim() !== "" ||
      (element instanceof HTMLInputElement && (element.labels?.[0]?.textContent ?? "").trim() !== "");

    if (document.documentElement.lang === "") troubles.push("the page has no language");
    if (!document.title.includes("Evenkeel")) troubles.push(`the title is "${document.title}"`);
    for (const selector of ["h1", "main"])
      if (all(selector).length !== 1) troubles.push(`${all(selector).length} elements ${selector}, instead of one`);
    for (const control of all("a, button, input, summary, [tabindex='0']"))
      if (!named(control)) troubles.push(`no name: ${control.outerHTML.slice(0, 120)}`);
    for (const picture of all("svg:not([aria-hidden]), [role=img]"))
      if (!picture.getAttribute("aria-label")) troubles.push(`a picture without words: ${picture.outerHTML.slice(0, 120)}`);
    let last = 0;
    for (const heading of all("h1, h2, h3, h4, h5, h6")) {
      const level = Number(heading.tagName.slice(1));
      if (level > last + 1) troubles.push(`h${level} "${heading.textContent}" follows h${last}`);
      last = level;
    }
    for (const cell of all("th")) if (!cell.getAttribute("scope")) troubles.push(`a header of nothing: ${cell.textContent}`);
    for (const reference of ["aria-labelledby", "aria-describedby"])
      for (const element of document.querySelectorAll(`[${reference}]`))
        for (const id of (element.getAttribute(reference) ?? "").split(" "))
          if (!document.getElementById(id)) troubles.push(`${reference} leads nowhere: ${id}`);
    const ids = [...document.querySelectorAll("[id]")].map(({ id }) => id);
    for (const id of new Set(ids)) if (ids.filter((one) => one === id).length > 1) troubles.push(`the id ${id} twice`);

    // WCAG 2.2, contrast of 4.5 for text, as the browser has computed the colours.
    const parts = (colour: string) => (/^rgba?\((.*)\)$/.exec(colour)?.[1] ?? "").split(/[ ,/]+/).map(Number);
    const luminance = (colour: string) => {
      const [r = 0, g = 0, b = 0] = parts(colour)
        .slice(0, 3)
        .map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const standsOn = (element: Element | null): string => {
      for (let at = element; at; at = at.parentElement) {
        const { backgroundColor } = getComputedStyle(at);
        if ((parts(backgroundColor)[3] ?? 1) === 1) return backgroundColor;
      }
      return "rgb(255, 255, 255)";
    };
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    let looked = 0;
    while (texts.nextNode()) {
      const element = texts.currentNode.parentElement;
      if (
        !element ||
        (texts.currentNode.textContent ?? "").trim() === "" ||
        !isShown(element) ||
        element.closest("noscript, script, :disabled")
      )
        continue;
      looked++;
      const pair = [luminance(getComputedStyle(element).color), luminance(standsOn(element))];
      const contrast = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
      if (contrast < 4.5) troubles.push(`contrast ${contrast.toFixed(2)}: "${texts.currentNode.textContent}"`);
    }
    if (looked < 5) troubles.push(`only ${looked} texts were looked at`);
    return troubles;
  });
}

/** What Tab leads to, in order, from the top of the page until it leaves it; each with what is wrong with its focus. */
export async function tabStops(page: Page): Promise<readonly { readonly name: string; readonly trouble: string | null }[]> {
  const stops: { name: string; trouble: string | null }[] = [];
  await page.evaluate(() => {
    if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
    window.scrollTo(0, 0);
  });
  for (let i = 0; i < 60; i++) {
    await page.keyboard.press("Tab");
    const stop = await page.evaluate(() => {
      const element = document.activeElement;
      if (!element || element === document.body) return null;
      const name = (element.getAttribute("aria-label") ?? element.textContent ?? "").trim();
      const { outlineStyle, outlineWidth, outlineColor } = getComputedStyle(element);
      if (outlineStyle === "none" || Number.parseFloat(outlineWidth) < 2) return { name, trouble: "its focus can't be seen" };
      if (outlineColor === "rgba(0, 0, 0, 0)") return { name, trouble: "its focus has no colour" };
      const { left, top, width, height } = element.getBoundingClientRect();
      if (width < 16 || height < 16) return { name, trouble: `it is ${width} × ${height}` };
      const above = document.elementFromPoint(left + width / 2, Math.min(top + height / 2, window.innerHeight - 1));
      const isCovered = !above || !(element.contains(above) || above.contains(element));
      return { name, trouble: isCovered ? "something covers it" : null };
    });
    if (stop === null || (stops.length > 0 && stop.name === stops[0]?.name)) return stops;
    stops.push(stop);
  }
  throw new Error(`Tab never leaves the page: ${stops.map(({ name }) => name).join(", ")}`);
}
