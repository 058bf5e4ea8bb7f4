// A page saved by explorer/viewer/standalone.py: it holds the clip as JSON, and all arrays in one compressed block.
import { Clip } from "./clip.js";
import { Viewer } from "./viewer.js";

const TYPES = { f4: Float32Array, i4: Int32Array, i2: Int16Array, u2: Uint16Array, u1: Uint8Array };

export async function openPage() {
  const saved = document.querySelector("script#posenet3d-clip");
  if (!saved) return; // inside Streamlit
  const { meta, arrays, block } = JSON.parse(saved.textContent);
  const packed = Uint8Array.from(atob(block), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const buffer = await new Response(stream).arrayBuffer();
  const data = { meta };
  let offset = 0;
  for (const [name, type, size] of arrays) {
    data[name] = new TYPES[type](buffer, offset, size);
    offset += size * TYPES[type].BYTES_PER_ELEMENT;
  }
  new Viewer(document.body).open(new Clip(data));
}
