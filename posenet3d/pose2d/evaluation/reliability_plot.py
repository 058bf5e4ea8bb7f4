"""Draw reliability diagrams as SVG."""

from posenet3d.pose2d.evaluation.calibration import Bar, calibration_error

SIDE, MARGIN = 320, 46
COLOURS = ("#999999", "#0072b2")


def reliability_svg(curves: dict[str, list[Bar]]) -> str:
    """Draw accuracy over confidence, one line per entry; the diagonal is perfect calibration."""

    def position(x: float, y: float) -> str:
        return f"{MARGIN + SIDE * x:.1f},{MARGIN / 2 + SIDE * (1 - y):.1f}"

    def text(x: float, y: float, content: str, anchor: str = "middle") -> str:
        left, top = position(x, y).split(",")
        return f'<text x="{left}" y="{top}" text-anchor="{anchor}">{content}</text>'

    width, height = SIDE + 2 * MARGIN, SIDE + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<polyline points="{position(0.0, 1.0)} {position(0.0, 0.0)} {position(1.0, 0.0)}" fill="none" stroke="#444"/>',
        f'<polyline points="{position(0.0, 0.0)} {position(1.0, 1.0)}" fill="none" stroke="#444" stroke-dasharray="4"/>',
        *(text(tick / 5, -0.055, f"{20 * tick} %") for tick in range(6)),
        *(text(-0.02, tick / 5 - 0.01, f"{20 * tick} %", "end") for tick in range(1, 6)),
        text(0.5, -0.12, "confidence"),
        text(0.0, 1.03, "joints within a fifth of the torso", "start"),
    ]
    for row, ((name, bars), colour) in enumerate(zip(curves.items(), COLOURS, strict=True)):
        line = " ".join(position(bar.confidence, bar.right) for bar in bars)
        most = max(bar.joints for bar in bars)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for bar in bars:
            x, y = position(bar.confidence, bar.right).split(",")
            parts.append(f'<circle cx="{x}" cy="{y}" r="{2 + 6 * (bar.joints / most) ** 0.5:.1f}" fill="{colour}"/>')
        error = f"{100 * calibration_error(bars):.1f} % off"
        parts.append(f'<g fill="{colour}">{text(0.98, 0.1 - 0.05 * row, f"{name}: {error}", "end")}</g>')
    return "\n".join([*parts, "</svg>", ""])
