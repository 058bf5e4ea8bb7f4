// Colours: Okabe and Ito's for sides and candidates, cividis for amounts (both safe for colour-blind eyes), the rest from
// Streamlit's theme.
import palette from "../palette.json";

const CIVIDIS = [
  [0, 34, 78], [18, 53, 112], [59, 73, 108], [87, 93, 109], [112, 113, 115], [138, 134, 120],
  [165, 156, 116], [195, 179, 105], [225, 204, 85], [254, 232, 56],
];

/** Red, green and blue (0 to 255) of an amount between 0 and 1. */
export function cividis(amount) {
  const position = Math.min(Math.max(amount, 0), 1) * (CIVIDIS.length - 1);
  const low = Math.min(Math.floor(position), CIVIDIS.length - 2);
  return CIVIDIS[low].map((value, channel) => value + (CIVIDIS[low + 1][channel] - value) * (position - low));
}

export const CIVIDIS_GRADIENT = `linear-gradient(to right, ${CIVIDIS.map((c) => `rgb(${c})`).join(",")})`;

function isDark(colour) {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  canvas.fillStyle = colour;
  canvas.fillRect(0, 0, 1, 1);
  const [r, g, b] = canvas.getImageData(0, 0, 1, 1).data;
  return 0.2126 * r + 0.7152 * g + 0.0722 * b < 128;
}

/** Streamlit's theme as it stands now, read from the CSS variables that it gives to components. */
export function readTheme(element) {
  const style = getComputedStyle(element);
  const read = (name, fallback) => style.getPropertyValue(`--st-${name}`).trim() || fallback;
  const background = read("background-color", "#ffffff");
  const dark = isDark(background);
  const [first, second, third] = dark ? palette.dark : palette.light;
  return {
    dark,
    background,
    panel: read("secondary-background-color", "#f4f5f7"),
    text: read("text-color", "#222222"),
    border: read("border-color", "#d0d3d9"),
    font: read("font", "sans-serif"),
    truth: dark ? palette.truth.dark : palette.truth.light,
    sides: { left: first, right: second, middle: third },
    candidates: [first, second],
  };
}
