"""The environment that is measured: a large one, made once and kept."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PLACE = Path(__file__).resolve().parent.parent / ".bench"

# What a data science team has after some years: 350 distributions and more.
LARGE = """
jupyterlab ipywidgets papermill voila pandas numpy scipy scikit-learn matplotlib seaborn statsmodels sympy networkx
bokeh dash plotly altair streamlit panel holoviews dask distributed xarray polars pyarrow sqlalchemy alembic fastapi
uvicorn[standard] django flask celery scrapy sphinx mkdocs-material black pylint mypy pytest pytest-cov pytest-xdist tox
pre-commit openpyxl xlsxwriter lxml beautifulsoup4 requests httpx aiohttp boto3 google-cloud-storage azure-storage-blob
kubernetes pydantic typer textual nltk gensim lightgbm optuna mlflow geopandas shapely opencv-python-headless Pillow
ansible-core paramiko fabric twine build poetry pdm hatch cookiecutter faker hypothesis locust elasticsearch pymongo
redis psycopg2-binary duckdb prefect great-tables pycaret-core feedparser newspaper3k wordcloud missingno
""".split()
LARGE.remove("pycaret-core")

# What one notebook needs: the recipe's build is measured with it.
NOTEBOOK = """
jupyterlab pandas numpy scipy scikit-learn matplotlib seaborn statsmodels opencv-python-headless plotly bokeh sqlalchemy
openpyxl lxml requests pyarrow numba sympy networkx ipywidgets
""".split()


def python(name: str, packages: list[str]) -> Path:
    """The interpreter of a virtual environment with ``packages``, made where it is not there yet."""
    venv = PLACE / name
    interpreter = venv / "bin" / "python"
    done = venv / ".done"
    if not done.exists():
        uv = [sys.executable, "-m", "uv"]
        subprocess.run([*uv, "venv", "--quiet", "--seed", "--clear", str(venv)], check=True)
        subprocess.run([*uv, "pip", "install", "--quiet", "--python", str(interpreter), *packages], check=True)
        done.touch()
    return interpreter
