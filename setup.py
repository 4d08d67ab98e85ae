"""Install the package from what `settings.ini` says (nbdev's own template needs `pkg_resources`, which is gone)."""
from configparser import ConfigParser
from pathlib import Path

HERE = Path(__file__).resolve().parent
LICENCES = {"mit": "MIT", "apache2": "Apache-2.0"}


def fields():
    "The arguments of `setup()`, read from `settings.ini`"
    parser = ConfigParser(delimiters=["="])
    parser.read(HERE / "settings.ini", encoding="utf-8")
    cfg = parser["DEFAULT"]
    readme = HERE / "README.md"
    return dict(
        name=cfg["lib_name"],
        version=cfg["version"],
        description=cfg["description"],
        long_description=readme.read_text(encoding="utf-8") if readme.exists() else "",
        long_description_content_type="text/markdown",
        author=cfg["author"],
        author_email=cfg["author_email"],
        url=cfg["git_url"],
        keywords=cfg["keywords"],
        license=LICENCES[cfg["license"]],
        classifiers=[f"Intended Audience :: {cfg['audience']}", f"Natural Language :: {cfg['language']}",
                     "Development Status :: 3 - Alpha", "Programming Language :: Python :: 3"],
        python_requires=f">={cfg['min_python']}",
        install_requires=cfg["requirements"].split(),
        extras_require={key.removesuffix("_requirements"): cfg[key].split() for key in cfg if key.endswith("_requirements")},
        packages=[cfg["lib_path"], *sorted(f"{cfg['lib_path']}.{path.parent.name}" for path in HERE.glob(f"{cfg['lib_path']}/*/__init__.py"))],
        package_data={cfg["lib_path"]: ["datasets/*.csv", "datasets/*/*.csv", "templates/*/*", "*.mplstyle"]},
        entry_points={"console_scripts": cfg["console_scripts"].split(),
                      "nbdev": [f"{cfg['lib_name']}={cfg['lib_path']}._modidx:d"]},  # so that doc links resolve
        zip_safe=False,
    )


if __name__ == "__main__":
    from setuptools import setup
    setup(**fields())
