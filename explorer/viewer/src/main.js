// The Streamlit component: called at mount, and again whenever its data or the theme changes. The same script runs the saved
// page of explorer/viewer/standalone.py.
import { Clip } from "./clip.js";
import { openPage } from "./page.js";
import { Viewer } from "./viewer.js";

const viewers = new WeakMap(); // parentElement -> Viewer

export default function mount({ data, parentElement, setStateValue }) {
  let viewer = viewers.get(parentElement);
  if (!viewer) {
    viewer = new Viewer(parentElement);
    viewers.set(parentElement, viewer);
  }
  viewer.onRest = (frame) => setStateValue("frame", frame);
  if (viewer.clip?.meta.id !== data.meta.id) viewer.open(new Clip(data), frameOfAddress(data.meta.frames));
  else viewer.retheme();
  return () => {
    viewer.dispose();
    viewers.delete(parentElement);
  };
}

/** The frame in a shared link; Python keeps `frame` in the address up to date and drops it with the clip. */
function frameOfAddress(frames) {
  const wanted = Number(new URLSearchParams(window.location.search).get("frame"));
  return Number.isInteger(wanted) && wanted >= 0 && wanted < frames ? wanted : 0;
}

openPage();
