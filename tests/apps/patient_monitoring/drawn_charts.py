"""Hourly charts of nobody, in the challenge's form: some fall ill as the seed says."""

import numpy as np

HEADER = (
    "HR", "O2Sat", "Temp", "SBP", "MAP", "DBP", "Resp", "EtCO2", "FiO2", "Age", "Unit1",
    "Unit2", "ICULOS", "SepsisLabel",
)  # fmt: skip


def chart_text(rng, hours=40, onset=None, header=HEADER):
    """One patient: from 12 h before the onset on, pulse and respiration rise."""
    lines = ["|".join(header)]
    base = rng.normal([82, 97, 36.9, 124, 17], [8, 1, 0.2, 12, 2])
    for hour in range(hours):
        ill = 0.0 if onset is None else float(np.clip((hour - onset + 12) / 12, 0, 1))
        moved = base + rng.normal(size=5) * [3, 0.7, 0.1, 5, 1.2]
        hr, spo2, temp, sbp, rr = moved + ill * np.array([28, -3, 1.3, -22, 7])
        row = {
            "HR": f"{hr:.0f}", "O2Sat": f"{min(spo2, 100):.0f}", "SBP": f"{sbp:.0f}",
            "Temp": f"{temp:.1f}" if hour % 4 == 0 else "NaN", "Resp": f"{rr:.0f}",
            "FiO2": "0.4" if ill > 0.8 else "NaN", "Age": "70", "Unit1": "1", "Unit2": "0",
            "ICULOS": str(hour + 1),
            "SepsisLabel": str(int(onset is not None and hour >= onset - 6)),
        }  # fmt: skip
        lines.append("|".join(row.get(name, "NaN") for name in header))
    return "\n".join(lines) + "\n"


def draw_charts(folder, patients=40, seed=1, header=HEADER, ill=3):
    """`patients` charts below `folder`; every `ill`-th falls ill."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for number in range(patients):
        onset = int(rng.integers(16, 36)) if number % ill == 0 else None
        text = chart_text(rng, onset=onset, header=header)
        (folder / f"p{number + 1:06}.psv").write_text(text)
    return folder
