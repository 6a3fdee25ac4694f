"""One look for all figures of the notebook."""

import matplotlib.pyplot as plt

COLOURS = {"Adelie": "#ff8c00", "Chinstrap": "#a034f0", "Gentoo": "#159090"}


def apply():
    plt.rcParams.update({
        "figure.figsize": (6.5, 3.8), "figure.dpi": 90, "axes.spines.top": False,
        "axes.spines.right": False, "axes.titleweight": "bold", "legend.frameon": False,
    })
