"""Changes to a repository of sixty features: each breaking one is named with its readers, and each
harmless one gives no meaning change. The repository is tests/shop; one case is one change."""

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from registry.adapters.repository_cache import LoadResult
from registry.core.apply import apply_plan
from registry.core.compile import compile_repository
from registry.core.compiled import Compiled
from registry.core.planning import plan
from registry.core.readers import Reader
from registry.core.state import NamespaceState
from registry.kernel.clock import FixedClock
from registry.kernel.signing import SigningKey
from registry.service.check import Checked, check
from registry.service.context import Context
from registry.testing import NOON, InMemoryStore
from tests.batch_loader import load_all

pytestmark = pytest.mark.slow

SHOP = Path(__file__).parent.parent / "shop"
CHURN = (
    ("customer_orders:spend_30d@1", Reader("training set", "churn-2024")),
    ("customer_orders:spend_30d@1", Reader("model", "churn@3")),
    ("customer_profile:tier@1", Reader("model", "churn@3")),
)

Edit = Callable[[Path], None]


@dataclass(frozen=True)
class Case:
    """One change. `broken`: features whose meaning changes; `gone`: features that are removed;
    `rules`: errors that must be among the findings; `reaches`: readers that must be named;
    `warns`: a warning that must be among them."""

    name: str
    edit: Edit
    broken: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()
    rules: frozenset[str] = frozenset()
    reaches: frozenset[str] = frozenset()
    warns: str = ""
    empty: bool = False


def swap(file: str, before: str, after: str) -> Edit:
    """Replace a text, which must be there once or more, in one file."""

    def edit(root: Path) -> None:
        path = root / file
        text = path.read_text()
        assert before in text, f"{file} has no {before!r}"
        path.write_text(text.replace(before, after))

    return edit


def both(*edits: Edit) -> Edit:
    def edit(root: Path) -> None:
        for one in edits:
            one(root)

    return edit


def rewrite(file: str, change: Callable[[str], str]) -> Edit:
    def edit(root: Path) -> None:
        text = (root / file).read_text()
        changed = change(text)
        assert changed != text, f"{file} is as it was"
        (root / file).write_text(changed)

    return edit


def harmless(name: str, *edits: Edit, empty: bool = True) -> Case:
    """`empty` False: the plan may speak of texts, or of the view, but of no meaning."""
    return Case(name, both(*edits), empty=empty)


def breaking(name: str, edit: Edit, features: str, *reaches: str, rule: str = "") -> Case:
    rules = {rule or "meaning-without-version"}
    return Case(
        name,
        edit,
        broken=frozenset(features.split()),
        rules=frozenset(rules),
        reaches=frozenset(reaches),
    )


def removing(name: str, edit: Edit, features: str, rule: str, *reaches: str) -> Case:
    return Case(
        name,
        edit,
        gone=frozenset(features.split()),
        rules=frozenset({rule}),
        reaches=frozenset(reaches),
    )


def _one_line_query(text: str) -> str:
    return re.sub(r'"""(\s+(?:WITH|SELECT).*?)"""', _squeezed, text, flags=re.DOTALL)


def _squeezed(match: re.Match[str]) -> str:
    return '"""' + " ".join(match[1].split()) + '"""'


def _lower_query(text: str) -> str:
    def lowered(match: re.Match[str]) -> str:
        pieces = re.split(r"('[^']*')", match[0])
        return "".join(p if p.startswith("'") else p.lower() for p in pieces)

    return re.sub(r'"""\s+(?:WITH|SELECT).*?"""', lowered, text, flags=re.DOTALL)


def _reversed_schema(text: str) -> str:
    head, rest = text.split("    schema=[\n")
    fields, tail = rest.split("    ],\n)", 1)
    lines = fields.splitlines(keepends=True)
    return f"{head}    schema=[\n{''.join(reversed(lines))}    ],\n)" + tail


def _moved_file(before: str, after: str, *importers: str) -> Edit:
    module, new = (p.removesuffix(".py").replace("/", ".") for p in (before, after))

    def edit(root: Path) -> None:
        (root / after).parent.mkdir(exist_ok=True)
        shutil.move(root / before, root / after)
        for importer in importers:
            swap(importer, f"from {module} import", f"from {new} import")(root)

    return edit


def _into_one_file(root: Path) -> None:
    """Stock moves to the end of the file on sales."""
    stock = (root / "products/stock.py").read_text()
    (root / "products/stock.py").unlink()
    sales = root / "products/sales.py"
    sales.write_text(sales.read_text() + "\n\n" + stock)
    swap("services.py", "from products.stock import", "from products.sales import")(root)


def _removed_field(file: str, name: str) -> Edit:
    return rewrite(file, lambda text: re.sub(rf"        Field\(name=\"{name}\".*\n", "", text))


ORDERS, RETURNS, SALES = "customers/orders.py", "customers/returns.py", "products/sales.py"
STOCK, TRAFFIC, TOURS = "products/stock.py", "stores/traffic.py", "couriers/deliveries.py"
BASKET, RISK, PROFILE = "customers/basket.py", "customers/risk.py", "customers/profile.py"
CLICKS, PAIRS, SHELF = "customers/clicks.py", "customers/affinity.py", "products/catalogue.py"

ALL_ORDERS = " ".join(
    f"customer_orders:{name}"
    for name in (
        *("orders_7d", "orders_30d", "spend_7d", "spend_30d"),
        *("mean_basket_30d", "biggest_order_90d", "items_30d"),
    )
)
ON_ORDERS = "basket:basket_value basket:relative_price basket:is_big risk:risk_score risk:is_risky"
BASKETS = "basket:basket_value basket:relative_price basket:is_big"
RISKS = "risk:risk_score risk:is_risky"
ALL_TOURS = " ".join(
    f"courier_deliveries:{name}"
    for name in (
        *("deliveries_1h", "late_1h", "mean_minutes_1h"),
        *("distance_1h", "failed_1h", "worst_delay_1h"),
    )
)
ALL_STOCK = " ".join(
    f"product_stock:{name}" for name in ("on_hand", "reserved", "free", "days_of_cover")
)
CHECKOUT, RECOMMEND, DISPATCH = "service checkout", "service recommend", "service dispatch"
MODEL, SET = "model churn@3", "training set churn-2024"

HARMLESS = [
    harmless("a query on one line", rewrite(ORDERS, _one_line_query)),
    harmless("keywords in lower case", rewrite(SALES, _lower_query)),
    harmless("a comment in a query", swap(ORDERS, "FROM orders", "FROM orders -- all of them\n")),
    harmless("a comment in a file", rewrite(STOCK, lambda text: f"# counted daily\n{text}")),
    harmless("another docstring", swap(STOCK, "What is left", "What remains")),
    harmless("a CTE by another name", swap(ORDERS, "paid AS (", "good AS ("),
             swap(ORDERS, "FROM paid", "FROM good")),
    harmless("a window by another name", rewrite(ORDERS, lambda t: t.replace("week", "seven"))),
    harmless("a table by another alias", rewrite(TOURS, lambda t: re.sub(r"\bt\.", "tour.", t)
             .replace("tours t", "tours AS tour"))),
    harmless("a CTE turned into a subquery", rewrite(ORDERS, lambda t: re.sub(
        r"WITH paid AS \((.*?)\n        \)\n(.*?)FROM paid", r"\2FROM (\1) paid", t,
        flags=re.DOTALL))),
    harmless("columns in another order", swap(
        RETURNS, "COUNT(r.return_id) AS returns_1d,\n          ", ""),
        swap(RETURNS, "SUM(r.refund) AS refunded_1d,",
             "SUM(r.refund) AS refunded_1d, COUNT(r.return_id) AS returns_1d,")),
    harmless("conditions in another order",
             swap(ORDERS, "status = 'paid' AND amount > 0", "amount > 0 AND status = 'paid'")),
    harmless("sides of an equation swapped",
             swap(RETURNS, "r.order_id = o.order_id", "o.order_id = r.order_id")),
    harmless("a column more that nobody uses",
             swap(SALES, "SUM(units) OVER w7 AS units_7d,",
                  "SUM(units) OVER w7 AS units_7d, COUNT(*) OVER w7 AS days_7d,")),
    harmless("a needless alias", swap(STOCK, "s.on_hand, s.reserved,",
                                      "s.on_hand AS on_hand, s.reserved AS reserved,")),
    harmless("needless parentheses", swap(STOCK, "s.on_hand - s.reserved AS",
                                          "(s.on_hand - s.reserved) AS")),
    harmless("grouping by name instead of place", swap(
        TOURS, "GROUP BY 1, 2", "GROUP BY t.courier_id, date_trunc('hour', t.done_at) + "
        "INTERVAL 1 HOUR")),
    harmless("grouping spelled out", swap(TRAFFIC, "GROUP BY ALL", "GROUP BY store_id, day")),
    harmless("a window written in place", swap(
        SALES, "SUM(units) OVER w7 AS", "SUM(units) OVER (PARTITION BY product_id ORDER BY d "
        "RANGE BETWEEN INTERVAL 6 DAY PRECEDING AND CURRENT ROW) AS")),
    harmless("JOIN for INNER JOIN", swap(TOURS, "INNER JOIN", "JOIN")),
    harmless("features in another order in the schema", rewrite(SHELF, _reversed_schema),
             empty=False),
    harmless("a definition moved to another file", _into_one_file),
    harmless("a file renamed", _moved_file(TRAFFIC, "stores/visitors.py", "services.py")),
    harmless("a file moved to another folder",
             _moved_file(STOCK, "logistics/stock.py", "services.py"), empty=False),
    harmless("imports in another order", swap(
        ORDERS, "from entities import customer\nfrom feast import FeatureView, Field\n",
        "from feast import Field, FeatureView\nfrom entities import customer\n")),
    harmless("a Python variable renamed", rewrite(
        ORDERS, lambda t: t.replace("orders_of_customer,", "spending,")
        .replace("orders_of_customer = ", "spending = "))),
    harmless("a constant for a number", swap(ORDERS, "ttl=timedelta(days=30)", "ttl=MONTH"),
             swap(ORDERS, "orders_of_customer = S", "MONTH = timedelta(30)\n\n"
                  "orders_of_customer = S")),
    harmless("ttl in hours", swap(TRAFFIC, "timedelta(days=2)", "timedelta(hours=48)")),
    harmless("locals of a transformation renamed", rewrite(
        BASKET, lambda t: t.replace("gross", "with_tax").replace("count", "pieces"))),
    harmless("a docstring in a transformation", swap(BASKET, '"""Prices with tax."""', "")),
    harmless("comments in a transformation", swap(
        RISK, "    score =", "    # as in the paper\n    score =")),
    harmless("annotations in a helper", swap("lib/money.py", "def with_vat(net):",
                                             "def with_vat(net: float) -> float:")),
    harmless("locals of a helper renamed", rewrite(
        "lib/money.py", lambda t: t.replace("gross", "total"))),
    harmless("a helper that nobody calls", rewrite(
        "lib/money.py", lambda t: t + "\n\ndef halved(value):\n    return value / 2\n")),
    harmless("a description", swap(ORDERS, "Money spent in 7 days", "Euros spent in 7 days"),
             empty=False),
    harmless("an owner", swap(TOURS, "logistics@", "delivery@"), empty=False),
    harmless("a unit", swap(PAIRS, 'unit="second"', 'unit="s"'), empty=False),
    harmless("a source by another name", swap(
        TRAFFIC, 'name="traffic"', 'name="store_visits"')),
    harmless("a new feature beside the others", swap(
        STOCK, 's.on_hand - s.reserved AS free,',
        's.on_hand - s.reserved AS free, s.on_hand * 2 AS twice,'),
        swap(STOCK, '        Field(name="free"', '        Field(name="twice", dtype=Int64, '
             'description="Twice."),\n        Field(name="free"'), empty=False),
    harmless("a service by another description", swap(
        "services.py", "For planning tours", "Tours"), empty=False),
]  # fmt: skip

BREAKING = [
    breaking("a filter's constant", swap(TOURS, "t.country = 'DE'", "t.country = 'AT'"),
             ALL_TOURS, DISPATCH),
    breaking("a filter dropped", swap(ORDERS, " AND amount > 0", ""),
             f"{ALL_ORDERS} {ON_ORDERS}", CHECKOUT, RECOMMEND, MODEL, SET),
    breaking("AND became OR", swap(ORDERS, "AND amount", "OR amount"),
             f"{ALL_ORDERS} {ON_ORDERS}", CHECKOUT, MODEL),
    breaking("another aggregate of one column",
             swap(ORDERS, "MAX(amount) OVER quarter", "MIN(amount) OVER quarter"),
             "customer_orders:biggest_order_90d"),
    breaking("a longer window", swap(SALES, "INTERVAL 6 DAY", "INTERVAL 13 DAY"),
             "product_sales:units_7d product_sales:revenue_7d product_sales:price_mean_7d",
             RECOMMEND),
    breaking("a CTE's arithmetic", swap(SALES, "SUM(price * quantity)", "SUM(price)"),
             "product_sales:revenue_7d product_sales:revenue_30d", RECOMMEND),
    breaking("< became <=", swap(TOURS, "t.minutes > p.promised", "t.minutes >= p.promised"),
             "courier_deliveries:late_1h", DISPATCH),
    breaking("ELSE 0 dropped", swap(PAIRS, "'bought' THEN 1 ELSE 0", "'bought' THEN 1"),
             "customer_product:bought_1d", RECOMMEND),
    breaking("a left join became an inner one", swap(STOCK, "LEFT JOIN", "JOIN"),
             ALL_STOCK, DISPATCH),
    breaking("another column joined on", swap(
        RETURNS, "r.order_id = o.order_id", "r.order_id = o.parent_order_id"),
        f"{' '.join(f'customer_returns:{n}' for n in ('returns_1d', 'return_rate_1d'))} "
        f"customer_returns:refunded_1d customer_returns:last_return_reason {RISKS}", CHECKOUT),
    breaking("DISTINCT dropped", swap(RETURNS, "COUNT(DISTINCT o.order_id)", "COUNT(o.order_id)"),
             f"customer_returns:return_rate_1d {RISKS}", CHECKOUT),
    breaking("two columns exchanged", swap(
        STOCK, "s.on_hand, s.reserved, s.on_hand - s.reserved AS free",
        "s.reserved AS on_hand, s.on_hand AS reserved, s.on_hand - s.reserved AS free"),
        "product_stock:on_hand product_stock:reserved", DISPATCH),
    breaking("ttl", swap(TRAFFIC, "timedelta(days=2)", "timedelta(days=5)"),
             " ".join(f"store_traffic:{n}" for n in (
                 "visitors_1d", "conversion_1d", "staff_hours_1d", "longest_queue_1d",
                 "doors_open_1d")), DISPATCH),
    breaking("a wider type", swap(STOCK, 'name="free", dtype=Int64', 'name="free", dtype=Float64'),
             "product_stock:free", DISPATCH),
    breaking("a narrower type", swap(
        SALES, 'name="revenue_7d", dtype=Float64', 'name="revenue_7d", dtype=Int64'),
        "product_sales:revenue_7d", RECOMMEND, rule="type-narrowed"),
    breaking("another timestamp column", swap(
        PROFILE, 'timestamp_field="changed_at"', 'timestamp_field="seen_at"'),
        " ".join(f"customer_profile:{n}" for n in (
            "country", "signup_channel", "birth_year", "newsletter", "tier")), CHECKOUT, MODEL),
    breaking("the created column dropped", swap(
        STOCK, '    created_timestamp_column="entered_at",\n', ""), ALL_STOCK, DISPATCH),
    breaking("another table", swap(PROFILE, 'name="customers"', 'name="people"'),
             " ".join(f"customer_profile:{n}" for n in (
                 "country", "signup_channel", "birth_year", "newsletter", "tier")),
             CHECKOUT, MODEL),
    breaking("another column behind a name", swap(SHELF, '"cat": "cat', '"shelf": "cat'),
             "product_catalogue:category", RECOMMEND),
    breaking("another join key", swap(
        "entities.py", 'join_keys=["courier_id"]', 'join_keys=["driver_id"]'),
        ALL_TOURS, DISPATCH, rule="join-key-changed"),
    breaking("another type of join key", swap(
        "entities.py", 'join_keys=["courier_id"], value_type=ValueType.STRING',
        'join_keys=["courier_id"], value_type=ValueType.INT64'),
        ALL_TOURS, DISPATCH, rule="join-key-changed"),
    breaking("a default changed", swap(PROFILE, 'default="basic"', 'default="gold"'),
             "customer_profile:tier", CHECKOUT, MODEL),
    breaking("a default removed", swap(PROFILE, 'default="basic", staleness="default"', ""),
             "customer_profile:tier", CHECKOUT, MODEL, rule="default-removed"),
    breaking("a constant of a transformation", swap(RISK, "LIMIT = 0.5", "LIMIT = 0.6"),
             RISKS, CHECKOUT),
    breaking("a helper of a transformation", swap("lib/money.py", "VAT = 0.19", "VAT = 0.2"),
             BASKETS, RECOMMEND),
    breaking("a helper's default argument", swap("lib/money.py", "digits=2", "digits=3"),
             BASKETS, RECOMMEND),
    breaking("an input's meaning", swap(RETURNS, "WHERE r.accepted", "WHERE NOT r.accepted"),
             f"customer_returns:returns_1d customer_returns:return_rate_1d "
             f"customer_returns:refunded_1d customer_returns:last_return_reason {RISKS}", CHECKOUT),
    breaking("a batch source where values were pushed", both(
        swap(CLICKS, "source=clicks,", "source=clicks_history,"),
        swap(CLICKS, 'clicks = PushSource(name="clicks", batch_source=clicks_history)\n', "")),
        " ".join(f"customer_clicks:{n}" for n in (
            "clicks_1h", "carts_1h", "pages_1h", "last_device")), RECOMMEND),
    removing("a feature removed", both(
        _removed_field(STOCK, "days_of_cover")),
        "product_stock:days_of_cover", "removed-from-production", DISPATCH),
    removing("a feature renamed", both(
        swap(TRAFFIC, "staff_hours_1d", "hours_of_staff_1d")),
        "store_traffic:staff_hours_1d", "renamed-while-read", DISPATCH),
    removing("a feature removed that only a model reads", both(
        swap("services.py", '"spend_7d", "spend_30d"', '"spend_7d"'),
        _removed_field(ORDERS, "spend_30d")),
        "customer_orders:spend_30d", "removed-while-read", MODEL, SET),
    removing("a view removed", both(
        lambda root: (root / "stores/place.py").unlink(),
        swap("services.py", "from stores.place import store_place\n", ""),
        swap("services.py", "store_traffic, store_place,", "store_traffic,")),
        "store_place:latitude store_place:longitude store_place:square_meters "
        "store_place:opened_year", "removed-from-production", DISPATCH),
    removing("a view renamed", swap(TRAFFIC, 'name="store_traffic"', 'name="store_days"'),
             " ".join(f"store_traffic:{n}" for n in (
                 "visitors_1d", "conversion_1d", "staff_hours_1d", "longest_queue_1d",
                 "doors_open_1d")), "removed-from-production", DISPATCH),
    Case("another file under one name", swap(PROFILE, 'path="customers"', 'path="people"'),
         warns="source-file-changed", reaches=frozenset({CHECKOUT, MODEL})),
    Case("back to draft", swap(PAIRS, 'state="production"', 'state="draft"'),
         rules=frozenset({"state-move", "service-uses-draft"}), reaches=frozenset({RECOMMEND})),
    Case("no longer online", swap(PAIRS, "ttl=timedelta(days=90),",
                                  "ttl=timedelta(days=90), online=False,"),
         rules=frozenset({"online-ended"}), reaches=frozenset({RECOMMEND})),
    Case("deprecated without a word", swap(PAIRS, 'state="production"', 'state="deprecated"'),
         rules=frozenset({"deprecated-without-sunset", "deprecated-without-replacement"})),
    Case("a new version, acknowledged", both(
        swap(ORDERS, "MAX(amount) OVER quarter", "MEDIAN(amount) OVER quarter"),
        swap(ORDERS, 'description="Biggest order in 90 days."',
             'description="Median order in 90 days.", tags=governed(version=2)')),
         broken=frozenset({"customer_orders:biggest_order_90d"})),
    Case("a version for nothing", swap(
        ORDERS, 'description="Biggest order in 90 days."',
        'description="Biggest order in 90 days.", tags=governed(version=2)'),
        rules=frozenset({"version-without-change"})),
]  # fmt: skip

CASES = [*HARMLESS, *BREAKING]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, LoadResult]:
    """Every changed repository, read by the real loader with one import of Feast."""
    folders = {"as it is": SHOP}
    for number, case in enumerate(CASES):
        root = tmp_path_factory.mktemp("variants") / f"shop{number}"
        shutil.copytree(SHOP, root, ignore=shutil.ignore_patterns("__pycache__"))
        case.edit(root)
        folders[case.name] = root
    return load_all(folders, "shop")


@pytest.fixture(scope="module")
def store(loaded: dict[str, LoadResult]) -> InMemoryStore:
    """A registry that holds the shop, with a training set and a model that read it."""
    base = _compiled(loaded["as it is"])
    empty = NamespaceState("shop")
    made = InMemoryStore()
    made.held.states = {"shop": apply_plan(plan(base, empty, {}), base, empty, NOON)}
    made.held.book_readers = CHURN
    return made


def _compiled(result: LoadResult) -> Compiled:
    assert result.repository is not None, result.findings
    return compile_repository(result.repository)


def _checked(store: InMemoryStore, result: LoadResult) -> Checked:
    context = Context(store, FixedClock(NOON), SigningKey(bytes(32)))
    return check(context, _compiled(result))


def _meanings(checked: Checked) -> set[str]:
    return {
        change.name
        for change in checked.plan.changes
        if change.object == "feature" and change.aspect == "meaning" and change.action == "change"
    }


def test_the_shop_has_about_sixty_features_and_is_clean(
    store: InMemoryStore, loaded: dict[str, LoadResult]
) -> None:
    checked = _checked(store, loaded["as it is"])
    assert len(store.held.states["shop"].features) == 59
    assert checked.plan.empty
    assert checked.findings == ()


@pytest.mark.parametrize("case", HARMLESS, ids=lambda case: case.name)
def test_a_harmless_change_makes_no_noise(
    case: Case, store: InMemoryStore, loaded: dict[str, LoadResult]
) -> None:
    checked = _checked(store, loaded[case.name])
    assert _meanings(checked) == set()
    assert checked.errors == ()
    assert checked.plan.empty or not case.empty, checked.plan.changes


@pytest.mark.parametrize("case", BREAKING, ids=lambda case: case.name)
def test_a_breaking_change_is_named_with_its_readers(
    case: Case, store: InMemoryStore, loaded: dict[str, LoadResult]
) -> None:
    checked = _checked(store, loaded[case.name])
    removed = {
        c.name.split("@")[0]
        for c in checked.plan.changes
        if (c.object, c.action) == ("feature", "remove")
    }
    assert _meanings(checked) == case.broken
    assert removed == case.gone
    assert case.rules <= {finding.rule for finding in checked.errors}
    assert case.warns in {"", *(f.rule for f in checked.findings if f.severity == "warning")}
    assert case.reaches <= {hit for f in checked.findings for hit in f.hits}
    assert checked.refused == bool(case.rules)
