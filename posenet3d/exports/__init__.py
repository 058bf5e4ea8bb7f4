"""Exports of results to other programs; one file per format, listed in `posenet3d.exports.formats`."""
