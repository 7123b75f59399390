// Run the before/after pairs of the guides: check that they agree, and measure what they gain.
//
//   node measure_pairs.mjs check FOLDER ...              exit 1 and a line for each pair or block that fails
//   node measure_pairs.mjs measure FOLDER ... [--write]  print (or write figures.md with) the measured table
//
// No dependency. Versions run alternately in one process, the middle of several rounds counts: a hint at the size of a
// gain, not a verdict. Pairs marked async are measured in wall time, the others in CPU time.
import assert from "node:assert";
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";

const FENCE = /^```js([^\n]*)\n([\s\S]*?)^```$/gm;
const ROUNDS = 9;
const LEAST = 4e6; // nanoseconds
const scratch = mkdtempSync(path.join(tmpdir(), "pairs-"));
let number = 0;

const pages = (place) =>
  statSync(place).isFile()
    ? [place].filter((name) => name.endsWith(".md"))
    : readdirSync(place).sort().flatMap((name) => pages(path.join(place, name)));

function* blocks(file) {
  const text = readFileSync(file, "utf8");
  for (const match of text.matchAll(FENCE)) {
    const options = Object.fromEntries([...match[1].matchAll(/(\w+)=(\S+)/g)].map((each) => [each[1], each[2]]));
    yield { file, line: text.slice(0, match.index).split("\n").length, options, source: match[2] };
  }
}

async function load({ options, source }) {
  const file = path.join(scratch, `block${number++}.mjs`);
  writeFileSync(file, source + (options.pair ? "\nexport { make, before, after };\n" : ""));
  const failed = [];
  const original = console.assert;
  console.assert = (held, ...words) => held || failed.push(words.join(" ") || "an assertion");
  try {
    const names = await import(pathToFileURL(file));
    assert.deepStrictEqual(failed, []);
    return names;
  } finally {
    console.assert = original;
  }
}

async function check(block) {
  const { make, before, after } = await load(block);
  if (!block.options.pair) return;
  for (const size of new Set([0, 1, 2, +block.options.small, Math.min(+block.options.large, 5000)])) {
    const [first, second] = [await before(...make(size)), await after(...make(size))];
    assert.deepStrictEqual(second, first, `size ${size}: before and after differ`);
    assert.strictEqual(JSON.stringify(second), JSON.stringify(first), `size ${size}: another order`);
  }
}

const middle = (values) => values.sort((a, b) => a - b)[values.length >> 1];

async function timed(run, state, waits) {
  if (waits) {
    const start = process.hrtime.bigint();
    await run(...state);
    return Number(process.hrtime.bigint() - start);
  }
  for (let loops = 1; ; loops *= 4) {
    const usage = process.cpuUsage();
    for (let i = 0; i < loops; i++) run(...state);
    const { user, system } = process.cpuUsage(usage);
    if ((user + system) * 1000 >= LEAST) return ((user + system) * 1000) / loops;
  }
}

async function gain({ make, before, after }, options, size) {
  const ratios = [];
  for (let i = 0; i < ROUNDS; i++) {
    const first = await timed(before, make(size), options.async);
    ratios.push(first / (await timed(after, make(size), options.async)));
  }
  const ratio = middle(ratios);
  return `${size}: ${ratio < 10 ? ratio.toFixed(2) : ratio.toFixed(0)}x`;
}

async function measure(folder, write) {
  const rows = [];
  for (const block of pages(folder).flatMap((file) => [...blocks(file)]).filter((each) => each.options.pair)) {
    const names = await load(block);
    const { options, file } = block;
    const sizes = [await gain(names, options, +options.small), await gain(names, options, +options.large)];
    rows.push([options.pair, options.async ? "wall" : "cpu", path.basename(file), ...sizes]);
  }
  const major = process.versions.node.split(".")[0];
  const lines = [`| pair | metric | page | ${major} small | ${major} large |`, "|---|---|---|---|---|"];
  lines.push(...rows.map((row) => `| ${row.join(" | ")} |`));
  const head = `# Measured gains: Node ${major}\n\nbefore / after, so above 1 is better; \`size: gain\` at the small and at the large size. Made by \`measure_pairs.mjs\` on a shared virtual machine: expect the size of a gain,\nnot its second digit. Below 1 is real too: it is why small inputs are always measured. Memory pairs are shown in time here; their gain is judged by \`ab.py --metric peak\`.\n\n`;
  if (write && rows.length) writeFileSync(path.join(folder, "figures.md"), head + lines.join("\n") + "\n");
  console.log(lines.join("\n"));
}

const [verb, ...rest] = process.argv.slice(2);
const folders = rest.filter((word) => !word.startsWith("-"));
let wrong = 0;
try {
  if (!["check", "measure"].includes(verb) || !folders.length) {
    console.error("usage: node measure_pairs.mjs check|measure FOLDER ... [--write]");
    process.exitCode = 2;
  } else if (verb === "measure") {
    for (const folder of folders) await measure(folder, rest.includes("--write"));
  } else {
    for (const block of folders.flatMap(pages).flatMap((file) => [...blocks(file)])) {
      try {
        await check(block);
      } catch (error) {
        wrong++;
        console.log(`${block.file}:${block.line}: ${error.message.split("\n")[0]}`);
      }
    }
    process.exitCode = wrong ? 1 : 0;
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
