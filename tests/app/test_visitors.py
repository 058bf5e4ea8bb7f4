"""Two visitors, hostile names and foreign content: nothing mixes, nothing breaks a page, nothing is fetched from elsewhere."""

from dataclasses import replace
from pathlib import Path

import streamlit as st
from helpers.painted import filmed

from explorer import cache
from explorer.browser_video import transcode
from posenet3d.synthetic.sequences import bundled_sequences

ROOT = Path(__file__).parents[2]
WALK = replace(bundled_sequences()[0].frames(0, 20), image_size=(1000, 1000))


def test_thumbnails_belong_to_the_tracks_and_not_to_the_video_alone(tmp_path):
    st.cache_data.clear()
    video = transcode(filmed(tmp_path / "walk.mkv", 20), 20, 25)
    moved = replace(WALK, keypoints_px=WALK.keypoints_px * 0.5)
    first = cache.thumbnails(video, [WALK])
    both = cache.thumbnails(video, [WALK, moved])
    assert len(first) == 1
    assert len(both) == 2
    assert both[0] == first[0]
    assert cache.thumbnails(video, [moved]) == [both[1]] != first, "as many people, at other places"
