// Visits every page of the gallery in a browser: `node gallery.mjs FOLDER [SCREENSHOTS]`.
//
// Each page is looked at in light and dark, on a phone and on a desk. It fails if axe finds a
// violation, if the console has an error, if a request goes to another host, or if a page scrolls
// sideways.

import { mkdirSync, readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

import { launch, serve } from "./browser.mjs";
import { checkScripts } from "./scripts.mjs";

const [folder, screenshots] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const SCHEMES = ["light", "dark"];
const WIDTHS = [360, 1280];
const SHOWN = ["endpoints", "endpoint", "delivery", "unhealthy"];

const faults = [];
const browser = await launch();
const { origin, server } = await serve(folder);
const names = readdirSync(folder).filter((name) => name.endsWith(".html"));
if (names.length === 0) faults.push("there is no page");

for (const colorScheme of SCHEMES) {
  for (const width of WIDTHS) {
    const context = await browser.newContext({
      colorScheme,
      viewport: { width, height: 800 },
      timezoneId: "Europe/Berlin",
      locale: "en-GB",
    });
    for (const name of names) {
      const where = `${name}, ${colorScheme}, ${width} px`;
      for (const fault of await visit(context, name)) faults.push(`${where}: ${fault}`);
    }
    await context.close();
  }
}
faults.push(...(await checkScripts(browser, folder)));
if (screenshots && faults.length === 0) await shoot();
await browser.close();
server.close();

if (faults.length > 0) {
  console.error(faults.join("\n"));
  process.exit(1);
}
console.log(`${names.length} pages, ${SCHEMES.length} colour schemes, ${WIDTHS.length} widths`);

/** Visits a page and returns its faults. */
async function visit(context, name) {
  const found = [];
  const page = await context.newPage();
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) found.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => found.push(`script: ${error}`));
  page.on("request", (request) => {
    if (new URL(request.url()).origin !== origin) found.push(`request to ${request.url()}`);
  });
  page.on("requestfailed", (request) => found.push(`no answer for ${request.url()}`));
  const answer = await page.goto(`${origin}/${name}`, { waitUntil: "load" });
  if (answer.status() !== 200) found.push(`status ${answer.status()}`);
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
  await page.close();
  return found;
}

async function shoot() {
  mkdirSync(screenshots, { recursive: true });
  const context = await browser.newContext({
    colorScheme: "light",
    viewport: { width: 1000, height: 800 },
    timezoneId: "UTC",
    locale: "en-GB",
  });
  const page = await context.newPage();
  for (const name of SHOWN) {
    await page.goto(`${origin}/${name}.html`, { waitUntil: "load" });
    await page.screenshot({ path: join(screenshots, `portal-${name}.png`) });
  }
  await context.close();
}
