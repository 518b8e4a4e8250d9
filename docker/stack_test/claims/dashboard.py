"""Grafana's dashboard. No Grafana runs here: Prometheus is asked for each of its expressions."""

import json
import re

from ..holding import Broken, holds
from ..services import prometheus
from ..stack import FOLDER

DASHBOARD = FOLDER / "grafana" / "dashboards" / "loadgen.json"
DATASOURCE = FOLDER / "grafana" / "provisioning" / "datasources" / "prometheus.yml"
# The values that Grafana would put in, at a scrape interval of 5 s and a width of a few hundred points.
VARIABLES = {"$__rate_interval": "20s", "$__interval": "5s", "$generator": ".*", "$target": ".*"}


def the_dashboard_is_one_that_grafana_reads(_):
    dashboard = json.loads(DASHBOARD.read_text())
    for field in "uid", "title", "schemaVersion", "panels", "templating", "annotations", "time":
        holds(dashboard.get(field), f"the dashboard has no {field}")
    [uid] = re.findall(r"^    uid: (\w+)$", DATASOURCE.read_text(), re.MULTILINE)
    panels = dashboard["panels"]
    holds(len({panel["id"] for panel in panels}) == len(panels), "two panels have one id")
    places = [cell for panel in panels for cell in cells(panel["gridPos"])]
    holds(len(set(places)) == len(places) and all(x < 24 for x, _ in places), "panels overlap, or are too wide")
    for panel in panels:
        holds(panel.get("title"), f"panel {panel['id']} has no title")
        if panel["type"] == "row":
            continue
        title = panel["title"]
        holds(panel["fieldConfig"]["defaults"].get("unit"), f"'{title}' has no unit")
        holds(panel.get("description"), f"'{title}' has no description")
        holds(panel["targets"], f"'{title}' has no expression")
        refs = [target["refId"] for target in panel["targets"]]
        holds(len(set(refs)) == len(refs), f"'{title}' has two expressions of one refId")
        for part in panel, *panel["targets"]:
            holds(part["datasource"] == {"type": "prometheus", "uid": uid}, f"'{title}' has another data source")
    for annotation in dashboard["annotations"]["list"]:
        holds(annotation["datasource"]["uid"] == uid and annotation["name"] and annotation["titleFormat"],
              f"an annotation is incomplete: {annotation}")
    used = set(re.findall(r"\$(?!__)\w+", " ".join(expr for _, expr in expressions())))
    defined = {f"${variable['name']}" for variable in dashboard["templating"]["list"]}
    holds(used <= defined, f"variables that are not defined: {used - defined}")


def cells(place):
    return [(x, y) for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])]


def expressions():
    """Every expression of the dashboard, with the name of what shows it."""
    dashboard = json.loads(DASHBOARD.read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]
    for annotation in dashboard["annotations"]["list"]:
        yield annotation["name"], annotation["expr"]
    for variable in dashboard["templating"]["list"]:
        [(metric, label)] = re.findall(r"^label_values\((\w+), (\w+)\)$", variable["query"]["query"])
        yield variable["label"], f"group by ({label}) ({metric})"


def every_expression_of_the_dashboard_has_values(stack):
    """Over the run that has just ended, in which a node and Redis were away. Each one is printed, with its last value."""
    span = f"{stack.ended - stack.began:.0f}s"
    said = []
    for title, expression in expressions():
        asked = expression.replace("$__range", span)
        for variable, value in VARIABLES.items():
            asked = asked.replace(variable, value)
        holds("$" not in asked, f"'{title}' has a variable that this test does not know: {asked}")
        try:
            found = prometheus("query_range", query=asked, start=stack.began, end=stack.ended, step=5)["result"]
        except Broken as failure:
            raise Broken(f"'{title}': {failure}") from failure
        values = [float(value) for each in found for _, value in each["values"]]
        holds(any(value == value for value in values), f"'{title}' has no value: {asked}")
        last = next(value for value in reversed(values) if value == value)
        said.append(f"\n    {title}: {expression} = {last:.6g} ({len(found)} series)")
    return "".join(said)
