// Visits every page of the gallery in a browser: `node gallery.mjs FOLDER [SCREENSHOTS]`.
//
// Each page is looked at in light and dark, on a phone and on a desk. It fails if axe finds a
// violation, if the console has an error, if a request goes to another host, or if a page scrolls
// sideways.

import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";

import { launch, serve } from "./browser.mjs";
import { inspect, watch } from "./checks.mjs";
import { checkScripts } from "./scripts.mjs";

const [folder, screenshots] = process.argv.slice(2);

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
  const page = await context.newPage();
  const found = watch(page, origin);
  const answer = await page.goto(`${origin}/${name}`, { waitUntil: "load" });
  if (answer.status() !== 200) found.push(`status ${answer.status()}`);
  found.push(...(await inspect(page)));
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
