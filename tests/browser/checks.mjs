// The checks of a page that every browser test makes.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/**
 * Collects the faults that a page shows by itself: errors and warnings of its console, and requests
 * to another host. `expected` has texts that the console may have, and `application` is the origin to
 * which the portal may lead.
 */
export function watch(page, origin, { expected = [], application } = {}) {
  const found = [];
  page.on("console", (message) => {
    const text = message.text();
    if (!["error", "warning"].includes(message.type())) return;
    if (!expected.some((part) => text.includes(part))) found.push(`console: ${text}`);
  });
  page.on("pageerror", (error) => found.push(`script: ${error}`));
  const originOf = (request) => new URL(request.url()).origin;
  const leaves = (request) => originOf(request) === application && request.isNavigationRequest();
  page.on("request", (request) => {
    const isOwn = originOf(request) === origin || leaves(request);
    if (!isOwn) found.push(`request to ${request.url()}`);
  });
  page.on("requestfailed", (request) => {
    if (!leaves(request)) found.push(`no answer for ${request.url()}`);
  });
  return found;
}

/** Returns how a page scrolls sideways, with its parts closed and open, and what axe finds. */
export async function inspect(page) {
  const found = [];
  const overflow = () =>
    page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  for (const details of ["closed", "open"]) {
    if (details === "open") {
      await page.evaluate(() => {
        for (const part of document.querySelectorAll("details")) part.open = true;
      });
    }
    const pixels = await overflow();
    if (pixels > 0) found.push(`scrolls sideways by ${pixels} px (details ${details})`);
  }
  // A policy without inline scripts does not apply to what the driver evaluates.
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, {}));
  for (const { id, help, nodes } of violations) {
    const places = nodes.map(({ target, failureSummary }) => `${target} (${failureSummary})`);
    found.push(`axe ${id}: ${help}: ${places.join("; ").replaceAll("\n", " ")}`);
  }
  return found;
}
