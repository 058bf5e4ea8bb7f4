"""One person in pixels, joint by joint, as every detector's joint set names them."""

BODY = {  # a person facing the camera, in pixels; their left is on our right
    "nose": (100, 110), "l_eye": (104, 105), "r_eye": (96, 105), "l_ear": (110, 108), "r_ear": (90, 108),
    "l_shoulder": (130, 150), "r_shoulder": (70, 150), "l_elbow": (140, 190), "r_elbow": (60, 190),
    "l_wrist": (145, 230), "r_wrist": (55, 230), "l_hip": (115, 250), "r_hip": (85, 250),
    "l_knee": (116, 320), "r_knee": (84, 320), "l_ankle": (117, 390), "r_ankle": (83, 390),
    "head_top": (100, 85), "neck": (100, 146), "upper_neck": (100, 138), "mid_hip": (101, 249),
    "pelvis": (100, 250), "spine": (100, 200), "thorax": (100, 150), "neck_nose": (100, 112),
}  # fmt: skip
