// Bundle src/ and three.js into the one file that the app ships. `npm ci && npm run build`; needed only after a change here.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, copyFileSync } from "node:fs";
import { build } from "esbuild";

// tests/app/test_explorer.py computes the same digest: it fails for a bundle that is older than its sources.
const digest = createHash("sha256");
const data = ["package.json", "palette.json", "payload_schema.json"];
for (const name of [...readdirSync("src").map((file) => `src/${file}`), ...data].sort()) {
  digest.update(name + "\n").update(readFileSync(name));
}

await build({
  entryPoints: ["src/main.js"],
  outfile: "dist/viewer.js",
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  loader: { ".html": "text", ".css": "text" },
  legalComments: "none",
  banner: { js: `// posenet3d viewer, sources sha256 ${digest.digest("hex")}. Contains three.js (MIT, see THREE_LICENSE).` },
});
copyFileSync("node_modules/three/LICENSE", "THREE_LICENSE");
