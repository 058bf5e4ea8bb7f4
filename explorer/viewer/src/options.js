// What the user wants to see; kept by the browser for as long as its tab is open, so that changing pages loses nothing.

const KEY = "posenet3d-viewer";

const USUAL = {
  layout: "side", // or over
  align: "pelvis", // how the second lies over the first: camera, pelvis, procrustes
  parts: "both", // or body, skeleton
  colour: "own", // or actors, errors
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
  of: 0, // whose numbers the map shows
  measure: "",
  speed: 1,
  loop: true,
};

export function loadOptions() {
  try {
    return { ...USUAL, ...JSON.parse(sessionStorage.getItem(KEY) ?? "{}") };
  } catch {
    return { ...USUAL }; // a page opened from disk may have no storage
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
  return [option, typeof USUAL[option] === "number" ? Number(control.value) : control.value];
}
