// The visitor's options; the browser keeps them while its tab is open, so that they survive a change of pages.

const KEY = "posenet3d-viewer";

const DEFAULTS = {
  layout: "side", // or over
  align: "pelvis", // of the second candidate to the first: camera, pelvis, procrustes
  parts: "both", // or body, skeleton
  colour: "own", // or candidates, errors
  opacity: 0.65,
  truth: true,
  follow: true,
  trails: false,
  onion: false,
  frustum: false,
  fromCamera: false,
  reprojection: true,
  whole: false,
  video: true,
  of: 0, // candidate in the error map
  measure: "",
  speed: 1,
  loop: true,
};

export function loadOptions() {
  try {
    const stored = JSON.parse(sessionStorage.getItem(KEY) ?? "{}");
    if (stored.colour === "actors") stored.colour = "candidates"; // its name in an earlier version
    return { ...DEFAULTS, ...stored };
  } catch {
    return { ...DEFAULTS }; // a page opened from disk may have no storage
  }
}

export function saveOptions(options) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(options));
  } catch {
    // as above
  }
}

/** Controls carry the name of their option in `data-option`. */
export function showOptions(root, options) {
  for (const control of root.querySelectorAll("[data-option]")) {
    const value = options[control.dataset.option];
    if (control.type === "checkbox") control.checked = value;
    else control.value = value;
  }
}

/** The option that a control stands for, and its value; null for anything else on the page. */
export function optionOf(control) {
  const { option } = control.dataset;
  if (!option) return null;
  if (control.type === "checkbox") return [option, control.checked];
  return [option, typeof DEFAULTS[option] === "number" ? Number(control.value) : control.value];
}
