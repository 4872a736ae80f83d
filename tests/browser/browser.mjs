// Starts the browser of the package @sparticuz/chromium, and a server for a folder of pages.

import { createReadStream, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { dirname, join, normalize } from "node:path";

const TYPES = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** Unpacks the browser below `$TMPDIR`, and starts it. */
export async function launch() {
  // With this variable the package unpacks the libraries of the browser too.
  process.env.AWS_EXECUTION_ENV = "AWS_Lambda_nodejs22.x";
  const { default: packaged } = await import("@sparticuz/chromium");
  const { chromium } = await import("playwright-core");
  const executablePath = await packaged.executablePath();
  const unpacked = dirname(executablePath);
  const libraries = join(unpacked, "al2023/lib");
  return chromium.launch({
    executablePath,
    // Not the arguments of the package: they turn off what the tests look for.
    args: [
      "--no-sandbox",
      "--disable-dev-shm-usage",
      "--disable-gpu",
      // Nothing leaves this machine, whatever a page asks for.
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE *.localhost",
    ],
    env: { ...process.env, LD_LIBRARY_PATH: libraries, FONTCONFIG_FILE: fonts(unpacked) },
  });
}

/**
 * Writes a font configuration with the fonts of the package, and returns its path. That of the
 * package names folders of Lambda. Without a font, the browser ends at the first form control.
 */
function fonts(unpacked) {
  const file = join(unpacked, "fonts-here.conf");
  const [folder, cache] = [join(unpacked, "fonts"), join(unpacked, "fonts-cache")];
  writeFileSync(
    file,
    `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>${folder}</dir><cachedir>${cache}</cachedir></fontconfig>
`,
  );
  return file;
}

/** Serves a folder of pages on loopback, with their content security policy. */
export async function serve(folder, special = () => false) {
  const policy = readFileSync(join(folder, "policy"), "utf8");
  const server = createServer((request, response) => {
    response.setHeader("content-security-policy", policy);
    response.setHeader("x-content-type-options", "nosniff");
    response.setHeader("referrer-policy", "same-origin");
    if (special(request, response)) return;
    const { pathname } = new URL(request.url, "http://localhost");
    const file = join(folder, normalize(pathname));
    if (request.method !== "GET" || !existsSync(file) || !statSync(file).isFile()) {
      response.writeHead(404).end();
      return;
    }
    const type = TYPES[file.slice(file.lastIndexOf("."))] ?? "text/plain";
    response.setHeader("content-type", type);
    createReadStream(file).pipe(response);
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return { origin: `http://localhost:${server.address().port}`, server };
}
