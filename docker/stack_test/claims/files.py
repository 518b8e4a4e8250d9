"""The files of the stack, and the images that are built of them."""

import json
import re
import subprocess
import tarfile
import tempfile
import tomllib

from ..holding import holds, run
from ..stack import COMPOSE_FILE, EXAMPLE, FOLDER

IMAGES = {"loadgen": 13_000_000, "ratelimiter": 6_000_000}
LABELS = {"title", "description", "version", "licenses"}


def the_example_of_variables_lists_the_defaults(stack):
    stack.compose("config", "--quiet")
    with tempfile.NamedTemporaryFile() as empty:
        defaults = stack.compose("config", env_file=empty.name)
    holds(stack.compose("config") == defaults, "with .env.example as .env, the stack is another one")
    of_the_stack = set(re.findall(r"\$\{(\w+)", COMPOSE_FILE.read_text()))
    listed = set(re.findall(r"^(\w+)=", EXAMPLE.read_text(), re.MULTILINE))
    holds(of_the_stack == listed, f"only in one of the two files: {of_the_stack ^ listed}")
    explained = set(re.findall(r"^\| `(\w+)` \|", (FOLDER.parent / "src/guide/stack.md").read_text(), re.MULTILINE))
    holds(of_the_stack <= explained, f"not in the guide: {of_the_stack - explained}")


def the_images_hold_one_small_program_each(_):
    for image, limit in IMAGES.items():
        about = json.loads(run("docker", "image", "inspect", image))[0]
        config = about["Config"]
        holds(about["Size"] <= limit, f"{image} has {about['Size']:,} bytes; at most {limit:,} are allowed")
        holds(re.fullmatch(r"[1-9]\d*(:[1-9]\d*)?", config["User"]), f"{image} runs as user '{config['User']}'")
        holds(config["Entrypoint"] == [f"/{image}"], f"{image}'s entry point is {config['Entrypoint']}")
        container = run("docker", "create", image).strip()
        try:
            with subprocess.Popen(["docker", "export", container], stdout=subprocess.PIPE) as export:
                with tarfile.open(fileobj=export.stdout, mode="r|") as files:
                    # Docker itself puts empty files where it mounts its own.
                    inside = sorted(file.name for file in files if file.isfile() and file.size)
        finally:
            run("docker", "rm", container)
        holds(inside == [image], f"{image} holds {', '.join(inside)}")


def the_images_say_what_they_are(stack):
    """By labels and by the tag of the version, which is another name of the same image."""
    with (FOLDER.parent / "Cargo.toml").open("rb") as manifest:
        package = tomllib.load(manifest)["package"]
    stack.build(LOADGEN_TAG=package["version"])
    for image in IMAGES:
        latest, tagged = (json.loads(run("docker", "image", "inspect", name))[0]
                          for name in (image, f"{image}:{package['version']}"))
        holds(latest["Id"] == tagged["Id"], f"{image}:{package['version']} is another image than {image}")
        labels = {name.removeprefix("org.opencontainers.image."): value
                  for name, value in latest["Config"]["Labels"].items()}
        expected = LABELS | ({"source"} if "repository" in package else set())
        holds(expected <= set(labels), f"{image} has the labels {labels}")
        for label, value in (("title", image), ("version", package["version"]), ("licenses", package["license"])):
            holds(labels[label] == value, f"{image}'s label {label} is '{labels[label]}' instead of '{value}'")
    description = json.loads(run("docker", "image", "inspect", "loadgen"))[0]["Config"]["Labels"]
    holds(description["org.opencontainers.image.description"] == package["description"],
          "loadgen's label of its description is not that of Cargo.toml")
    said = run("docker", "run", "--rm", f"loadgen:{package['version']}", "--version").strip()
    holds(said.endswith(package["version"]), f"loadgen:{package['version']} says that it is {said}")
