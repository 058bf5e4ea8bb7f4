"""The steps of tools/build_body.py: read MakeHuman's assets, close and thin the mesh, pose, regress."""
