// Does in a browser what the lines of its input say: `node driver.mjs ORIGIN APPLICATION`.
//
// The portal has the first origin. The second is that of the operator's application, for which a page
// here stands in.
//
// Each line is a step, `{"who": "a name", "do": "open", …}`: everybody has a browser profile of
// their own. The answer is a line with the page after the step and its faults: what axe finds in
// light and dark, on a phone and on a desk, errors of the console, and requests to another host.

import { createInterface } from "node:readline";

import { launch } from "./browser.mjs";
import { inspect, watch } from "./checks.mjs";

const [origin, application] = process.argv.slice(2);
const STAND_IN = `<!doctype html><html lang="en"><title>Shop</title>
<link rel="icon" href="data:,"><main><h1>The operator's application</h1></main></html>`;
const SIGHTS = [
  { colorScheme: "light", width: 360 },
  { colorScheme: "dark", width: 1280 },
];
/** The longest wait for an element, in milliseconds. */
const PATIENCE = 30_000;

/** The steps. Each gets the page and its own fields. */
const STEPS = {
  open: async (page, { url }) => {
    let target;
    page.once("requestfailed", (request) => (target = request.url()));
    try {
      await page.goto(url);
    } catch (error) {
      // The stand-in does not answer for the target of a redirect.
      if (!target?.startsWith(`${application}/`)) throw error;
      // The browser shows its own page of the failure first.
      await page.waitForURL(/^chrome-error:/);
      await page.goto(target);
    }
  },
  // A page of the application has the link. The page that exchanges the code leads to another one.
  enter: async (page, { url }) => {
    await page.goto(url, { waitUntil: "commit", referer: `${application}/` });
    await page.waitForURL((now) => new URL(now).pathname !== "/");
  },
  reload: (page) => page.reload(),
  fill: async (page, { label, text }) => {
    // A label may be the beginning of another one.
    const exact = page.getByLabel(label, { exact: true });
    const field = (await exact.count()) > 0 ? exact : page.getByLabel(label);
    await field.fill(text);
  },
  select: (page, { label, text }) => page.getByLabel(label).selectOption({ label: text }),
  follow: (page, { name }) => leave(page, page.getByRole("link", { name, exact: true }).first()),
  press: (page, { name }) => leave(page, page.getByRole("button", { name, exact: true }).first()),
  // A part of the page changes by itself.
  wait: (page, { text }) => page.locator("main").filter({ hasText: text }).waitFor(),
};

/** Clicks on what leads to another page. */
async function leave(page, element) {
  const answered = page.waitForResponse((answer) => isPage(answer, page) && answer.status() !== 303);
  await element.click();
  await answered;
}

function isPage(answer, page) {
  return answer.request().isNavigationRequest() && answer.frame() === page.mainFrame();
}

const browser = await launch();
const visitors = new Map();

/** Opens a profile for a visitor. */
async function visitor(who) {
  if (!visitors.has(who)) {
    const context = await browser.newContext({ timezoneId: "Europe/Berlin", locale: "en-GB" });
    await context.route(`${application}/**`, (route) =>
      route.fulfill({ contentType: "text/html; charset=utf-8", body: STAND_IN }),
    );
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE);
    // The browser itself reports the status of a refusal as an error.
    const expected = ["the server responded with a status of"];
    const faults = watch(page, origin, { expected, application });
    const state = { page, faults, status: 0, sizes: [] };
    page.on("response", (answer) => {
      if (isPage(answer, page)) state.status = answer.status();
      // A redirect has no body.
      const size = answer.body().then((body) => body.length);
      state.sizes.push(size.catch(() => 0));
    });
    visitors.set(who, state);
  }
  return visitors.get(who);
}

/** Makes a step and describes the page after it. */
async function step({ who, do: name, ...fields }) {
  const state = await visitor(who);
  const { page, faults } = state;
  state.sizes = [];
  await STEPS[name](page, fields);
  await page.waitForLoadState("load");
  for (const { colorScheme, width } of SIGHTS) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 800 });
    for (const fault of await inspect(page)) faults.push(`${colorScheme}, ${width} px: ${fault}`);
  }
  const cookies = await page.context().cookies();
  const sizes = await Promise.all(state.sizes.splice(0));
  return {
    url: page.url(),
    status: state.status,
    // The checks have opened what is folded.
    text: await page.evaluate(() => document.body.innerText),
    html: await page.content(),
    cookies: cookies.map(({ name, httpOnly, secure, sameSite }) => ({ name, httpOnly, secure, sameSite })),
    bytes: sizes.reduce((sum, size) => sum + size, 0),
    faults: faults.splice(0),
  };
}

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    answer = await step(JSON.parse(line));
  } catch (error) {
    const shown = [...visitors.values()].map(({ page }) => page.url()).join(" ");
    answer = { error: `${error} (${shown})` };
  }
  console.log(JSON.stringify(answer));
}
await browser.close();
